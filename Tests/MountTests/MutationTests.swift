import Foundation
import TestSupport
import Testing

/// The model test finds bugs, and so do tests of synchronisation: they are run on copies of the program with one bug each.
@Suite struct MutationTests {
    /// A list that no longer fits the source would test nothing.
    @Test func eachFitsOnce() throws {
        let all = try Mutation.all()
        #expect(all.count >= 12)
        for mutation in all {
            let text = try String(contentsOfFile: "\(Program.root)/\(mutation.file)", encoding: .utf8)
            #expect(try mutation.apply(to: text) != text)
        }
    }

    /// `COFFER_MUTATION` has parts of the names of those to look at, with semicolons between them.
    @Test(.enabled(if: Program.long)) func eachIsFound() throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        let package = try home.directory("package")
        for name in ["Package.swift", "Package.resolved", "Sources", "Mount", "Tests"]
        where FileManager.default.fileExists(atPath: "\(Program.root)/\(name)") {
            try FileManager.default.copyItem(atPath: "\(Program.root)/\(name)", toPath: "\(package)/\(name)")
        }
        let chosen = ProcessInfo.processInfo.environment["COFFER_MUTATION"]?.split(separator: ";")
        let program = try build(package, home)
        #expect(try model(program, home).code == 0, "without a bug none is found")
        for mutation in try Mutation.all() where chosen?.contains(where: { mutation.name.contains($0) }) ?? true {
            let path = "\(package)/\(mutation.file)"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try mutation.apply(to: text).write(toFile: path, atomically: true, encoding: .utf8)
            let result =
                try mutation.tests.map { try run($0, of: package, home) } ?? model(try build(package, home), home)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let lines = (result.text + result.errorText).split(separator: "\n")
            let signs = ["steps: ", "Caught error", "recorded an issue"]
            let how = lines.first { line in signs.contains { line.contains($0) } }
            print("mutation test: \(mutation): \(result.code == 0 ? "NOT FOUND" : String(how ?? "found"))")
            #expect(result.code != 0, "\(mutation) is not found")
        }
    }

    /// The program of a copy of the package; what did not change since the last time is not built again.
    private func build(
        _ package: String, _ home: TemporaryHome, _ what: [String] = ["--product", "coffer"]
    ) throws -> String {
        let words = ["build", "--package-path", package, "--scratch-path", home.file("scratch")]
        var command = Command("swift", words + what)
        command.environment = ProcessInfo.processInfo.environment
        // Sources of a copy may have warnings that a bug makes.
        try command.run(expecting: 0, timeout: .seconds(3600))
        return home.file("scratch/debug/coffer")
    }

    /// Tests of a copy of the package, as the default run has them.
    private func run(_ filter: String, of package: String, _ home: TemporaryHome) throws -> Command.Result {
        _ = try build(package, home, ["--build-tests"])
        var command = Command(
            home.file("scratch/debug/cofferPackageTests.xctest"),
            ["--testing-library", "swift-testing", "--filter", filter])
        var environment = ProcessInfo.processInfo.environment
        environment["COFFER_LONG"] = nil
        environment["COFFER_TEST_DIRECTORY"] = try home.directory("tests")
        command.environment = environment
        return try command.run(timeout: .seconds(600))
    }

    /// The model test of its usual length, with several seeds until one finds something: what a killed process left is
    /// in the half of the journal that a bug is about only now and then.
    private func model(_ program: String, _ home: TemporaryHome) throws -> Command.Result {
        var result = try model(program, home, seed: 17)
        for seed in [117, 217, 317] where result.code == 0 { result = try model(program, home, seed: seed) }
        return result
    }

    /// In a process of its own.
    private func model(_ program: String, _ home: TemporaryHome, seed: Int) throws -> Command.Result {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var command = Command(
            tests, ["--testing-library", "swift-testing", "--filter", "ModelTests/mountIsLikeAPlainFolder"])
        var environment = ProcessInfo.processInfo.environment
        environment["COFFER_LONG"] = nil
        environment["COFFER_PROGRAM"] = program
        environment["COFFER_TEST_DIRECTORY"] = try home.directory("model")
        environment["COFFER_MODEL_SEED"] = "\(seed)"
        environment["COFFER_MODEL_SHRINK"] = "0"
        command.environment = environment
        return try command.run(timeout: .seconds(600))
    }
}
