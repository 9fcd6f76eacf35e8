import Sync
import Testing

/// Each rule of the protocol is needed: without it the schedules find what goes wrong.
@Suite struct RuleTests {
    @Test func ownChangesComeFirst() async { await expectFailure { $0.buildsBeforeApplying = false } }

    @Test func causesComeFirst() async { await expectFailure { $0.waitsForCauses = false } }

    private func expectFailure(_ change: (inout ProtocolRules) -> Void) async {
        var rules = ProtocolRules()
        change(&rules)
        for seed in 0..<2000 as Range<UInt64> {
            var schedule = Schedule(seed: seed, rules: rules)
            await schedule.run(steps: 12 + Int(seed % 40))
            schedule.check()
            if !schedule.failures.isEmpty { return }
        }
        Issue.record("2,000 schedules do not miss the rule")
    }

    /// Without the look at the own log a copy of a database goes on unnoticed.
    @Test func ownLogIsLookedAt() async throws {
        let pair = Pair()
        pair.rules.checksOwnLog = false
        for device in [0, 1] { try await pair.sync(device) }
        let copy = pair.replicas[1].copy()
        try pair.make("one", "1", on: 1)
        try await pair.sync(1)
        try pair.make("two", "2", on: 1, replica: copy)
        await #expect(throws: Never.self) { try await pair.sync(1, replica: copy) }
    }

    @Test func shorterLogIsNoticedByTheRuleOnly() async throws {
        let pair = Pair()
        pair.rules.checksRollback = false
        for device in [0, 1] { try await pair.sync(device) }
        let old = pair.view(1)
        try pair.make("later", "x", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        pair.setView(1, old)
        await #expect(throws: Never.self) { try await pair.sync(1) }
    }
}
