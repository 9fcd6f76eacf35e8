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

    /// The package's top folder.
    public static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Whether the long tests were asked for (`Tests/run --long`).
    public static let long = ProcessInfo.processInfo.environment["COFFER_LONG"] == "1"
}
