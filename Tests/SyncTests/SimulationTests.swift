import Foundation
import Sync
import Testing

/// The protocol in schedules that a seed makes: 2 to 4 devices, deliveries in any order and in part, syncs that are cut off.
@Suite struct SimulationTests {
    /// One seed, with its steps as they come: `COFFER_SEED=350`; with `COFFER_ROTATES=1` keys change meanwhile, and with
    /// `COFFER_REVOKES=1` too devices are shut out; with `COFFER_DIVIDES=1` the remote shows two histories.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["COFFER_SEED"] != nil)) func oneSchedule() async {
        let environment = ProcessInfo.processInfo.environment
        guard let seed = UInt64(environment["COFFER_SEED"] ?? "") else { return }
        var schedule = Schedule(seed: seed)
        schedule.isTraced = true
        schedule.divides = environment["COFFER_DIVIDES"] != nil
        schedule.rotates = environment["COFFER_ROTATES"] != nil
        schedule.revokes = environment["COFFER_REVOKES"] != nil
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

    /// Meanwhile devices are shut out, also by two who do not know of each other, and write on until they hear of it.
    @Test func schedulesWithRevocationsConverge() async {
        await converge(600) { number in
            // Of the same seeds those of more than two devices.
            var schedule = Schedule(seed: number / 4 * 24 + [1, 2, 4, 5][Int(number % 4)])
            (schedule.rotates, schedule.revokes) = (true, true)
            return schedule
        }
    }

    /// The remote shows devices different histories for a while, also two copies of one database.
    @Test func schedulesWithTwoHistoriesConverge() async {
        await converge(2_000) { number in
            var schedule = Schedule(seed: number)
            schedule.divides = true
            return schedule
        }
    }

    /// Seeds beyond those numbers in which something was found once, which has been mended since.
    @Test func schedulesThatHaveFoundSomething() async {
        for seed in [3106, 3307, 4554, 5874, 6111, 6999, 7500, 9078] as [UInt64] {
            var schedule = Schedule(seed: seed)
            schedule.divides = true
            await expectNothing(of: &schedule)
        }
        for seed in [914, 9748, 10634, 21194] as [UInt64] {
            var schedule = Schedule(seed: seed)
            (schedule.rotates, schedule.revokes) = (true, true)
            await expectNothing(of: &schedule)
        }
        var schedule = Schedule(seed: 14309)
        schedule.rotates = true
        await expectNothing(of: &schedule)
        schedule = Schedule(seed: 10839)
        await expectNothing(of: &schedule)
    }

    private func expectNothing(of schedule: inout Schedule) async {
        await schedule.run(steps: 12 + Int(schedule.seed % 40))
        await schedule.check()
        #expect(schedule.failures.isEmpty, "seed \(schedule.seed)")
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
