import Format
import Sealing
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
            await schedule.check()
            if !schedule.failures.isEmpty { return }
        }
        Issue.record("2,000 schedules do not miss the rule")
    }

    /// Seeds in which a device goes on after it or the remote went back, and devices come to show different trees by it.
    @Test func snapshotsAreCompared() async {
        for seed in [2732, 5228, 8514] as [UInt64] {
            for isCompared in [true, false] {
                var rules = ProtocolRules()
                rules.comparesSnapshots = isCompared
                var schedule = Schedule(seed: seed, rules: rules)
                await schedule.run(steps: 12 + Int(seed % 40))
                await schedule.check()
                #expect(schedule.failures.isEmpty == isCompared, "seed \(seed)")
            }
        }
    }

    @Test func removalWaitsForAcknowledgement() async { await expectFailure { $0.waitsForAcknowledgement = false } }

    @Test func segmentsStayUntilTheyAreThere() async { await expectFailure { $0.keepsOutbox = false } }

    @Test func rollbackIsLookedFor() async { await expectFailure { $0.checksRollback = false } }

    @Test func ownLogIsLookedFor() async { await expectFailure { $0.checksOwnLog = false } }

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

    /// Without the chain a segment of another history is taken as the next one.
    @Test func chainIsNoticedByTheRuleOnly() async throws {
        let pair = Pair()
        pair.rules.checksChain = false
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        let (twin, before) = (pair.replicas[0].copy(), pair.view(0))
        try pair.make("left", "1", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        let seen = pair.view(1)
        pair.setView(0, before)
        for text in ["2", "3"] {
            try pair.make("right \(text)", text, on: 0, replica: twin)
            try await pair.sync(0, replica: twin)
        }
        pair.setView(1, seen.merging(pair.view(0)) { one, _ in one })
        await #expect(throws: Never.self) { try await pair.sync(1) }
        #expect(pair.tree(1)["left"] != nil && pair.tree(1)["right 3"] != nil, "two histories in one")
    }

    /// Without signatures whoever has the account key writes in another device's name.
    @Test func signaturesAreNoticedByTheRuleOnly() async throws {
        for isChecked in [true, false] {
            let pair = Pair()
            pair.rules.checksSignature = isChecked
            try pair.make("mail", "secret\n", on: 0)
            for device in [0, 1] { try await pair.sync(device) }
            var view = pair.view(1)
            try pair.make("later", "x", on: 0)
            try await pair.sync(0)
            let path = try #require(pair.segments(of: 0, in: pair.view(1)).last)
            var bytes = try #require(pair.view(1)[path])
            bytes[bytes.count - 1] ^= 1
            let hash = Identifier(hashingForTests: bytes).hexadecimal
            let number = path.components[3].split(separator: ".")[0]
            view[try #require(RemotePath(Array(path.components.dropLast()) + ["\(number).\(hash)"]))] = bytes
            pair.setView(1, view)
            try await pair.sync(1)
            #expect((pair.tree(1)["later"] == nil) == isChecked)
        }
    }

    /// Without the comparison a device goes on although another one has read another history.
    @Test func otherHistoryIsNoticedByTheRuleOnly() async throws {
        let pair = Pair(devices: 3)
        pair.rules.comparesSeen = false
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 2, 0] { try await pair.sync(device) }
        let (twin, before) = (pair.replicas[0].copy(), pair.view(0))
        try pair.make("left", "1", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        try pair.make("answer", "x", on: 1)
        try await pair.sync(1)
        let answered = pair.view(1)
        for device in [0, 2] { pair.setView(device, before) }
        try pair.make("right", "2", on: 0, replica: twin)
        try await pair.sync(0, replica: twin)
        var view = pair.view(2).merging(pair.view(0)) { one, _ in one }
        for path in pair.segments(of: 1, in: answered) { view[path] = answered[path] }
        for path in pair.segments(of: 0, in: answered) where pair.view(0)[path] == nil { view[path] = nil }
        pair.setView(2, view)
        await #expect(throws: Never.self) { try await pair.sync(2) }
    }
}

extension Identifier {
    /// The hash in an object's name.
    fileprivate init(hashingForTests bytes: [UInt8]) {
        let digest = unsafe Digest.blake2b128(bytes.span.bytes)
        self.init(low: digest.0, high: digest.1)
    }
}
