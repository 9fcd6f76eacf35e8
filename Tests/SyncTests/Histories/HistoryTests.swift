import Foundation
import TestSupport
import Testing

/// What people do on two and three devices, whenever these synchronise, on the engine with real vaults: one writer is
/// copied exactly; with several all come to the same, and nothing is lost or comes back.
///
/// `COFFER_HISTORY_SEED` repeats a run, `COFFER_HISTORIES` sets how many there are.
@Suite struct HistoryTests {
    private static let environment = ProcessInfo.processInfo.environment

    /// - Parameter chosen: the first seed, where it is not to be drawn.
    private func run(
        devices: Int, writers: Int, count: Int, seed chosen: UInt64? = nil,
        on fleet: @escaping (Int, UInt64) throws -> any HistoryFleet = VaultFleet.init
    ) async throws {
        let given = chosen ?? Self.environment["COFFER_HISTORY_SEED"].flatMap { UInt64($0) }
        let seed = given ?? (Program.long ? .random(in: 0..<1_000_000_000) : 1)
        let asked = chosen == nil ? Self.environment["COFFER_HISTORIES"].flatMap { Int($0) } : nil
        let count = asked ?? count
        print("histories of \(devices) devices, \(writers) of them writers: seed \(seed), \(count)")
        let size = 16
        for batch in 0..<(count + size - 1) / size {
            var random = Randomness(seed: seed &+ UInt64(batch))
            let syncs = History.syncs(devices: devices, &random)
            let histories = (0..<size).map { _ in History(writers: writers, syncs: syncs, &random) }
            let make = { try fleet(devices, seed &+ UInt64(batch)) }
            let run = try HistoryRun(histories, on: make(), writers: writers)
            try await run.run()
            guard !run.faults.isEmpty else { continue }
            print("seed \(seed &+ UInt64(batch)): \(run.faults)")
            // Snapshots, and what is forgotten with them, come with the number of changes: so it may take all together.
            var shortest = (batch: histories, what: "\(run.faults)")
            let suspects = run.faults[-1] == nil ? run.faults.keys.sorted() : Array(histories.indices)
            for suspect in suspects.map({ [histories[$0]] }) + [histories] {
                let found = try await HistoryRun.shrink(suspect, on: make, writers: writers)
                if let found { shortest = found }
                if found != nil { break }
            }
            let those = shortest.batch.map(\.description).joined(separator: "\n\n")
            Issue.record("seed \(seed &+ UInt64(batch)):\n\(those)\n\(shortest.what)")
            return
        }
    }

    @Test(arguments: KnownHistory.all) func nothingIsLostOrComesBack(_ known: KnownHistory) async throws {
        // Which of two changes wins may lie in identifiers.
        for seed in 0..<4 as Range<UInt64> {
            let fault = try await HistoryRun.fault(
                known.history, on: { try VaultFleet(devices: 2, seed: seed) }, writers: known.writers, gone: known.gone,
                shown: known.shown)
            #expect(fault == nil, "\(known.history)")
        }
    }

    /// Batches in which something went wrong that no shorter history shows: what it takes comes with the others.
    @Test(arguments: [19, 523, 6216, 6274, 7238, 9460, 20_051])
    func batchesThatHaveFoundSomething(_ seed: UInt64) async throws {
        try await run(devices: 2, writers: 2, count: 16, seed: seed)
    }

    @Test(arguments: [20, 24, 2166]) func batchesOfThreeThatHaveFoundSomething(_ seed: UInt64) async throws {
        try await run(devices: 3, writers: 3, count: 16, seed: seed)
    }

    @Test func oneWriterIsCopiedExactly() async throws {
        try await run(devices: 2, writers: 1, count: Program.long ? 500_000 : 10_000)
    }

    @Test func twoWritersAgree() async throws {
        try await run(devices: 2, writers: 2, count: Program.long ? 500_000 : 10_000)
    }

    @Test func threeWritersAgree() async throws {
        try await run(devices: 3, writers: 3, count: Program.long ? 200_000 : 2_000)
    }

    /// The program, its mounts and its remote; some minutes of it.
    @Test(.enabled(if: Program.long), arguments: [1, 2]) func onMounts(_ writers: Int) async throws {
        try await run(devices: 2, writers: writers, count: 1_500) { devices, _ in try MountFleet(devices: devices) }
    }
}
