/// What the command line of the benchmark asks for.
struct Options {
    /// A folder with one folder for each system: `mount` is what is measured, `remount` makes its caches cold.
    var scratch = ""
    var systems: [String] = []
    /// What is synchronised beside coffer: rclone, pass.
    var pushers: [String] = []
    /// The path of the coffer program, for the sizes and synchronisation; nil leaves them out.
    var coffer: String?
    var quick = false
    var markdown = false
    var long = false
    private var only: [String] = []

    struct UsageError: Error, CustomStringConvertible {
        let description: String
    }

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let argument = rest.popFirst() {
            switch argument {
            case "--quick": quick = true
            case "--markdown": markdown = true
            case "--long": long = true
            case "--scratch": scratch = try Self.value(argument, &rest)
            case "--coffer": coffer = try Self.value(argument, &rest)
            case "--pusher": pushers.append(try Self.value(argument, &rest))
            case "--only": only.append(try Self.value(argument, &rest))
            case _ where argument.hasPrefix("-"): throw UsageError(description: "unknown option \(argument)")
            default: systems.append(argument)
            }
        }
        guard !scratch.isEmpty else {
            throw UsageError(description: "needs --scratch FOLDER; then the names of systems below it")
        }
    }

    /// Whether a part of the benchmark was asked for; all are when none is named.
    func wants(_ part: String) -> Bool { only.isEmpty || only.contains(part) }

    /// Numbers of entries for which unlocking and memory are measured.
    var sizes: [Int] {
        if quick { return [0, 1000, 10_000] }
        return [0, 1000, 10_000, 100_000] + (long ? [1_000_000] : [])
    }

    private static func value(_ option: String, _ rest: inout ArraySlice<String>) throws -> String {
        guard let value = rest.popFirst() else { throw UsageError(description: "\(option) needs a value") }
        return value
    }
}
