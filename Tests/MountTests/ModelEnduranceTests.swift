import Foundation
import TestSupport
import Testing

/// A million steps of the model test in one life of the daemon: nothing goes apart, and its memory does not grow.
///
/// `COFFER_MODEL_SEED` repeats a run, `COFFER_MODEL_OPERATIONS` sets its length.
@Suite struct ModelEnduranceTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let total =
        environment["COFFER_MODEL_OPERATIONS"].flatMap { Int($0) } ?? 1_000_000

    @Test(.enabled(if: Program.long)) func memoryStaysAsItIsAfterATenth() throws {
        let seed = Self.environment["COFFER_MODEL_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1_000_000_000)
        print("endurance test: seed \(seed), \(Self.total) operations")
        var random = SeededGenerator(seed: seed)
        try TestVault.with { vault in
            let daemon = try vault.serve()
            let plain = ModelFolder(top: try vault.home.directory("plain"))
            var sizes: [Int] = []
            for tenth in 1...10 {
                let operations = (0..<(Self.total / 10)).map { _ in Self.operation(&random) }
                // Whole trees less often than in the short runs: they would be three quarters of the time.
                let divergence = try ModelRunner(operations: operations, interval: 500).run(
                    plain, ModelFolder(top: vault.directory, isMount: true)
                ) { _ in }
                if let divergence {
                    Issue.record("seed \(seed), tenth \(tenth): \(divergence.what)")
                    return
                }
                sizes.append(try RunningProcess.memory("VmRSS", of: daemon.identifier))
                print("endurance test: \(tenth * Self.total / 10) operations, \(sizes[tenth - 1]) KiB resident")
            }
            #expect(sizes[9] * 10 <= sizes[0] * 11, "resident memory, in KiB after each tenth: \(sizes)")
            try vault.lock()
            try daemon.wait()
            try vault.opened("verify").run(expecting: 0, timeout: .seconds(600))
        }
    }

    /// Without those that end the daemon's life.
    private static func operation(_ random: inout SeededGenerator) -> ModelOperation {
        while true {
            let operation = ModelOperation.random(&random)
            if !operation.isForTheMount { return operation }
        }
    }
}
