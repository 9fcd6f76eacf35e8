internal import ArgumentParser
internal import Foundation
internal import Sealing

struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Say what another device has changed.",
        discussion: VerbHelp.text(
            """
            One line for each change, the latest first: when this device learned of it, the number of the segment that \
            it came in, what was done, and the path. This device's clock counts: the other one's may be set by whoever \
            has it. What is kept is this device's own, for 30 days, and begins when it joined.

            Undo it with `coffer devices revoke NAME --undo-since TIME`.
            """,
            examples: [
                "coffer history --device laptop", "coffer history --device laptop --since 3d --json",
            ],
            codes: .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(name: .long, help: "The device's name, or enough of its id.")
    var device: String

    @Option(name: .long, help: ArgumentHelp("Only what came since then. \(SinceOption.help).", valueName: "time"))
    var since: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        if let since { _ = try SinceOption.parse(since, "--since") }
    }

    /// One change: the JSON of `coffer history --json`.
    struct Line: Codable {
        var time: String
        var segment: UInt64
        var change: String
        var path: String
        var from: String?
    }

    func run() throws {
        let first = try since.map { try SinceOption.parse($0, "--since") } ?? .min
        var lines: [Line] = []
        let keptSince = try vault.synchronising(password) { (client) -> String? in
            var (place, keptSince) = (HistoryPart.Place?.none, String?.none)
            let none = SecretBytes(count: 0)
            while let part = try client.perform(.history(device, before: place), secret: none).history {
                keptSince = part.keptSince
                for item in part.items where item.time >= first { lines.append(Line(item)) }
                place = part.items.last?.place
                if part.isWhole || part.items.isEmpty || (part.items.last?.time ?? 0) < first { break }
            }
            return keptSince
        }
        if json { return Console.json(lines) }
        for line in lines { Console.result(line.text) }
        if lines.isEmpty {
            Console.say("This device knows of no change by \(device)\(keptSince.map { " since \($0)" } ?? "").")
        }
    }
}

extension HistoryCommand.Line {
    init(_ item: HistoryPart.Item) {
        self.init(
            time: Moment.iso8601(Int(item.time)), segment: item.segment, change: item.change, path: item.path,
            from: item.from)
    }

    var text: String {
        let name = path.isEmpty ? "(gone)" : Console.printable(path)
        let what =
            switch change {
            case "made": "made \(name)"
            case "moved": "moved \(Console.printable(from ?? "")) to \(name)"
            case "removed": "removed \(name)"
            case "attributes": "set the attributes of \(name)"
            case "beside": "wrote \(name) without knowing of another edit"
            default: "wrote \(name)"
            }
        return "\(time)  \(segment)  \(what)"
    }
}
