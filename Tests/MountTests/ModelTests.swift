import Foundation
import TestSupport
import Testing

/// Random sequences of calls, with remounts and kills among them, give the same on the mount and on a plain
/// folder: every result, errno, content and attribute.
///
/// `COFFER_MODEL_SEED` repeats a run, `COFFER_MODEL_OPERATIONS` sets its length, `COFFER_MODEL_SHRINK` how many shorter
/// sequences are tried when one fails.
@Suite struct ModelTests {
    private static let environment = ProcessInfo.processInfo.environment

    @Test func mountIsLikeAPlainFolder() throws {
        let chosen = Self.environment["COFFER_MODEL_SEED"].flatMap { UInt64($0) }
        let total = Self.environment["COFFER_MODEL_OPERATIONS"].flatMap { Int($0) } ?? (Program.long ? 2_000_000 : 6000)
        let length = min(total, Program.long ? 20_000 : 3000)
        for round in 0..<max(1, total / length) {
            let seed = chosen.map { $0 &+ UInt64(round) } ?? UInt64.random(in: 0..<1_000_000_000)
            print("model test: seed \(seed), \(length) operations")
            try run(seed: seed, length: length)
        }
    }

    private func run(seed: UInt64, length: Int) throws {
        var random = SeededGenerator(seed: seed)
        let operations = (0..<length).map { _ in ModelOperation.random(&random) }
        guard let divergence = try ModelRunner(operations: operations).run() else { return }
        let failing = Array(operations.prefix(divergence.steps))
        let attempts = Self.environment["COFFER_MODEL_SHRINK"].flatMap { Int($0) } ?? 120
        let (shortest, shown) = try ModelRunner.shrink(failing, attempts: attempts)
        let script = ModelOperation.scriptHeader + shortest.map(\.script).joined(separator: "\n")
        Issue.record("seed \(seed), \(shortest.count) steps: \((shown ?? divergence).what)\n\(script)")
    }

    /// Small bugs are found and shrunk to a few steps.
    @Test(arguments: ModelFault.allCases) func plantedBugIsFound(_ fault: ModelFault) throws {
        func runOnFolders(_ operations: [ModelOperation]) throws -> Divergence? {
            let home = try TemporaryHome()
            defer { home.remove() }
            let mounted = ModelFolder(top: try home.directory("mounted"), fault: fault)
            return try ModelRunner(operations: operations).run(ModelFolder(top: home.directory("plain")), mounted) {
                _ in
            }
        }
        var random = SeededGenerator(seed: 11)
        let operations = (0..<3000).map { _ in ModelOperation.random(&random) }
        let divergence = try #require(try runOnFolders(operations))
        let failing = Array(operations.prefix(divergence.steps))
        let (shortest, _) = try ModelRunner.shrink(failing, attempts: 400, run: runOnFolders)
        #expect(shortest.count <= 12, "\(shortest)")
        #expect(try runOnFolders(shortest) != nil)
    }

    /// A shrunk sequence is worth nothing when the shell does something else: same bytes, same tree.
    @Test func scriptDoesTheSame() throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        var random = SeededGenerator(seed: 7)
        let folder = ModelFolder(top: try home.directory("one"))
        let other = ModelFolder(top: try home.directory("two"))
        let operations = (0..<150).map { _ in ModelOperation.random(&random) }.filter { !$0.isForTheMount }
        for operation in operations { _ = folder.perform(operation) }
        var command = home.command("bash", ["-c", operations.map(\.script).joined(separator: "\n") + "\ntrue"])
        command.environment?["D"] = other.top
        try command.run(expecting: 0)
        let (expected, found) = (try folder.snapshot(), try other.snapshot())
        #expect(Set(expected.keys) == Set(found.keys))
    }
}
