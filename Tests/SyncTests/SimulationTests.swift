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
        await converge(2000) { seed in
            var schedule = Schedule(seed: seed)
            // Who joins in the middle of the others has a kit of then, which the schedules do not make.
            schedule.rotates = schedule.kind == .edits
            return schedule
        }
    }

    private func converge(_ count: UInt64, _ make: @escaping @Sendable (UInt64) -> Schedule) async {
        let count = UInt64(ProcessInfo.processInfo.environment["COFFER_SCHEDULES"] ?? "") ?? count
        await withTaskGroup(of: [String].self) { group in
            let parts: UInt64 = 2
            for part in 0..<parts {
                group.addTask {
                    var failures: [String] = []
                    for seed in stride(from: part, to: count, by: Int(parts)) {
                        var schedule = make(seed)
                        await schedule.run(steps: 12 + Int(seed % 40))
                        await schedule.check()
                        guard !schedule.failures.isEmpty else { continue }
                        failures.append("seed \(seed): \(schedule.failures)\n\(schedule.log.joined(separator: "\n"))")
                        if failures.count > 0 { break }
                    }
                    return failures
                }
            }
            for await failures in group { for failure in failures { Issue.record("\(failure)") } }
        }
    }
}
