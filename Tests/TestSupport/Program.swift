import Foundation

/// Where the program under test and its source are.
public enum Program {
    /// The path of the `coffer` that was built together with the running tests, or of the one that
    /// $COFFER_PROGRAM names.
    ///
    /// - Throws: ``TestFailure`` when there is none: a test of a program that is missing has not passed.
    public static func coffer() throws -> String {
        try built("coffer", override: ProcessInfo.processInfo.environment["COFFER_PROGRAM"])
    }

    /// A new folder that every user may enter, with a copy of the program, named `coffer`; the caller removes it.
    public static func copyForOtherUsers() throws -> String {
        let folder = "/tmp/coffer-user-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        // By another process: a child that a test starts meanwhile would hold the copy open for writing (ETXTBSY).
        try Command("cp", [try coffer(), "\(folder)/coffer"]).run(expecting: 0)
        return folder
    }

    /// The path of an executable or a library of this package.
    public static func built(_ name: String, override: String? = nil) throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var directory = URL(filePath: tests).deletingLastPathComponent()
        // The tests are a program in the build folder, or in a bundle below it, as the toolchain likes.
        for _ in 0..<4 {
            let path = override ?? directory.appending(path: name).path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
            directory = directory.deletingLastPathComponent()
        }
        throw TestFailure("there is no \(name) beside \(tests)")
    }

    /// What a program needs in its environment to have a library of this package loaded before all others (ld.so(8)), besides
    /// the one by which it derives keys at next to no cost (`Tests/QuickKDF`), as the tests themselves do.
    public static func preloading(_ library: String? = nil) throws -> [String: String] {
        let quick = "libQuickKDF.so"
        // By its name, since blanks separate the words of LD_PRELOAD, and a path may have some.
        let folder = try built(quick).dropLast(quick.count + 1)
        let libraries = [quick] + (library.map { [$0] } ?? [])
        return ["LD_PRELOAD": libraries.joined(separator: " "), "LD_LIBRARY_PATH": String(folder)]
    }

    /// The package's top folder.
    public static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Whether the long tests were asked for (`Tests/run --long`).
    public static let long = ProcessInfo.processInfo.environment["COFFER_LONG"] == "1"
}
