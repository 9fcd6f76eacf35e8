import Foundation
import Sync
import Testing

/// The protocol with real vaults: the same engine, the same kind of schedules, the same invariants.
@Suite struct VaultSimulationTests {
    private static let count: UInt64 = {
        let environment = ProcessInfo.processInfo.environment
        if let count = UInt64(environment["COFFER_VAULT_SCHEDULES"] ?? "") { return count }
        return environment["COFFER_LONG"] == nil ? 160 : 2000
    }()

    /// One seed, with its steps as they come: `COFFER_VAULT_SEED=350`; with `COFFER_HABITS=1` one of the last test.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["COFFER_VAULT_SEED"] != nil)) func oneSchedule() async throws
    {
        let environment = ProcessInfo.processInfo.environment
        guard let seed = UInt64(environment["COFFER_VAULT_SEED"] ?? "") else { return }
        let schedule =
            try environment["COFFER_HABITS"] == nil
            ? VaultSchedule(seed: seed / 2, isTwinned: seed % 2 == 0)
            : VaultSchedule(seed: seed, isTwinned: false, hasHabits: true)
        schedule.isTraced = true
        await schedule.run(steps: 12 + Int(seed % 40))
        #expect(schedule.failures == [])
    }

    /// Half of them beside replicas of dictionaries, register for register.
    @Test func vaultsConvergeAsTheirTwinsDo() async throws {
        for seed in 0..<VaultSimulationTests.count {
            let schedule = try VaultSchedule(seed: seed / 2, isTwinned: seed % 2 == 0)
            await schedule.run(steps: 12 + Int(seed % 40))
            guard !schedule.failures.isEmpty else { continue }
            Issue.record("seed \(seed): \(schedule.failures)\n\(schedule.log.joined(separator: "\n"))")
            break
        }
    }

    /// With all calls that change a tree, and what is written through descriptors from before a synchronisation, where syncs
    /// are cut off and things arrive in any order.
    @Test func vaultsWithHabitsConverge() async throws {
        for seed in 0..<VaultSimulationTests.count {
            let schedule = try VaultSchedule(seed: seed, isTwinned: false, hasHabits: true)
            await schedule.run(steps: 12 + Int(seed % 40))
            guard !schedule.failures.isEmpty else { continue }
            Issue.record("seed \(seed): \(schedule.failures)\n\(schedule.log.joined(separator: "\n"))")
            break
        }
    }
}
