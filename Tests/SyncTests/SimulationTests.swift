import Foundation
import Sync
import Testing

/// The protocol in schedules that a seed makes: 2 to 4 devices, deliveries in any order and in part, syncs that are cut off.
@Suite struct SimulationTests {
    /// One seed, with its steps as they come: `COFFER_SEED=350`.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["COFFER_SEED"] != nil)) func oneSchedule() async {
        guard let seed = UInt64(ProcessInfo.processInfo.environment["COFFER_SEED"] ?? "") else { return }
        var schedule = Schedule(seed: seed)
        schedule.isTraced = true
        await schedule.run(steps: 12 + Int(seed % 40))
        await schedule.check()
        #expect(schedule.failures.isEmpty)
    }

    @Test func schedulesConverge() async { await converge(10_000) { Schedule(seed: $0) } }

    /// Keys change meanwhile, on several devices that do not know of each other.
    @Test func schedulesWithRotationsConverge() async {
        await converge(600) { number in
            // Of the seeds those that make nothing but edits: who joins in the middle of the others has a kit of then, which
            // the schedules do not make.
            var schedule = Schedule(seed: number / 6 * 24 + number % 6)
            schedule.rotates = true
            return schedule
        }
    }

    private func converge(_ count: UInt64, _ make: @escaping @Sendable (UInt64) -> Schedule) async {
        let count = UInt64(ProcessInfo.processInfo.environment["COFFER_SCHEDULES"] ?? "") ?? count
        await withTaskGroup(of: [String].self) { group in
            let parts: UInt64 = 2
            for part in 0..<parts { group.addTask { await SimulationTests.run(part, of: parts, count, make) } }
            for await failures in group {
                for failure in failures { Issue.record("\(failure)") }
            }
        }
    }

    /// Up to three that fail, with their steps.
    private static func run(
        _ part: UInt64, of parts: UInt64, _ count: UInt64, _ make: (UInt64) -> Schedule
    ) async -> [String] {
        var failures: [String] = []
        for number in stride(from: part, to: count, by: Int(parts)) where failures.count < 3 {
            var schedule = make(number)
            await schedule.run(steps: 12 + Int(schedule.seed % 40))
            await schedule.check()
            guard !schedule.failures.isEmpty else { continue }
            failures.append(
                "seed \(schedule.seed): \(schedule.failures)\n\(schedule.log.joined(separator: "\n"))")
        }
        return failures
    }
}
