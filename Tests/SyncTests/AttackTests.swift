import Format
import Sealing
import Sync
import Testing

/// The attacks of the threat model on what devices exchange, by their numbers.
@Suite struct AttackTests {
    private func syncedPair() async throws -> Pair {
        let pair = Pair()
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 0] { try await pair.sync(device) }
        #expect(pair.tree(1) == ["mail": "secret\n"])
        return pair
    }

    @Test func attack05_objectOfANewerFormatIsNotGuessedAt() async throws {
        let pair = try await syncedPair()
        try pair.make("more", "x", on: 0)
        try await pair.sync(0)
        var view = pair.view(1)
        let path = try #require(pair.segments(of: 0, in: view).last)
        view[path]?[4] = 2
        pair.setView(1, view)
        let report = try await pair.sync(1)
        #expect(report.damaged == [path.description])
        #expect(pair.tree(1) == ["mail": "secret\n"])
    }

    /// The remote says that a device has other keys: nothing but the admin key's signature admits one, whatever else its owner
    /// has got hold of.
    @Test func attack07_deviceKeyOfTheServerIsNotBelieved() async throws {
        let pair = try await syncedPair()
        let (family, stranger) = (pair.family, Identifier.random())
        let keys = DeviceKeys()
        let admin = AdminKey()
        let enrolment = Enrolment(
            vault: family.vault.pair, device: stranger.pair, keys: keys, kit: (1, 1), epoch: 1, seconds: 0, admin: admin
        )
        let strange = SyncKeys(
            vault: family.vault, device: stranger, genesis: family.keys[0].genesis,
            accountKey: family.accountKey, signer: keys, enrolment: enrolment)
        let replica = MemoryReplica(device: stranger, top: family.vault)
        try replica.edit { (t) throws(SyncError) in try t.make("planted", in: family.vault, "x", id: .random()) }
        let engine = SyncEngine(
            replica: replica, remote: pair.remotes[1], keys: strange,
            environment: SyncEnvironment(date: { "" }, deviceName: [], segmentBytes: 1 << 20))
        _ = try await engine.sync()
        let report = try await pair.sync(1)
        #expect(report.damaged.count == 1)
        #expect(pair.tree(1) == ["mail": "secret\n"])
    }

    /// Both go on under one device's name from the same database.
    @Test func attack11_copyOfADatabaseIsFound() async throws {
        let pair = try await syncedPair()
        let copy = pair.replicas[1].copy()
        try pair.make("one", "1", on: 1)
        try await pair.sync(1)
        try pair.make("two", "2", on: 1, replica: copy)
        await #expect(throws: SyncError.cloned) { try await pair.sync(1, replica: copy) }
    }

    /// The copy has not written anything yet, and is behind.
    @Test func attack11_restoredDatabaseIsFound() async throws {
        let pair = try await syncedPair()
        let backup = pair.replicas[1].copy()
        try pair.make("one", "1", on: 1)
        try await pair.sync(1)
        await #expect(throws: SyncError.cloned) { try await pair.sync(1, replica: backup) }
    }

    @Test func attack12_rolledBackRemoteIsAnAlarm() async throws {
        let pair = try await syncedPair()
        let old = pair.view(1)
        try pair.make("later", "x", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        pair.setView(1, old)
        let failure = await #expect(throws: SyncError.self) { try await pair.sync(1) }
        guard case .rolledBack(let alarm)? = failure else {
            return #expect(Bool(false), "\(String(describing: failure))")
        }
        #expect(alarm.device == pair.family.devices[0])
        #expect(pair.tree(1) == ["mail": "secret\n", "later": "x"], "nothing is lost")
    }

    @Test func attack12_emptiedRemoteIsAnAlarm() async throws {
        let pair = try await syncedPair()
        pair.setView(1, [:])
        let failure = await #expect(throws: SyncError.self) { try await pair.sync(1) }
        guard case .rolledBack? = failure else { return #expect(Bool(false), "\(String(describing: failure))") }
    }

    /// One device's log has two histories, each shown to somebody else.
    @Test func attack13_forkIsAnAlarmWhenTheyMeet() async throws {
        let pair = try await syncedPair()
        let twin = pair.replicas[0].copy()
        let before = pair.view(0)
        try pair.make("left", "1", on: 0)
        try await pair.sync(0)
        let left = pair.view(0)
        for device in [0, 1] { pair.setView(device, before) }
        try pair.make("right", "2", on: 0, replica: twin)
        try await pair.sync(0, replica: twin)
        try await pair.sync(1)
        pair.setView(1, pair.view(1).merging(left) { one, _ in one })
        let failure = await #expect(throws: SyncError.self) { try await pair.sync(1) }
        guard case .forked(let alarm)? = failure else { return #expect(Bool(false), "\(String(describing: failure))") }
        #expect(alarm.device == pair.family.devices[0])
    }

    /// Attack 39: beside the two histories lie 300 objects of that number which nobody has signed.
    @Test func attack39_evidenceIsBoundedAndReadOneByOne() async throws {
        let pair = try await syncedPair()
        let twin = pair.replicas[0].copy()
        let before = pair.view(0)
        try pair.make("left", "1", on: 0)
        try await pair.sync(0)
        let left = pair.view(0)
        for device in [0, 1] { pair.setView(device, before) }
        try pair.make("right", "2", on: 0, replica: twin)
        try await pair.sync(0, replica: twin)
        let both = left.merging(pair.view(0)) { one, _ in one }
        let proofs = pair.segments(of: 0, in: both).suffix(2)
        let number = try #require(proofs.first?.components[3].split(separator: ".").first)
        var view = both
        for junk in 0..<300 {
            let name = "\(number).\(Identifier(low: 0, high: UInt64(junk)).hexadecimal)"
            let path = try #require(RemotePath(Array(proofs[proofs.startIndex].components.dropLast()) + [name]))
            view[path] = [UInt8](repeating: UInt8(junk & 0xFF), count: 1 << 16)
        }
        pair.setView(1, view)
        let failure = await #expect(throws: SyncError.self) { try await pair.sync(1) }
        guard case .forked? = failure else { return #expect(Bool(false), "\(String(describing: failure))") }
        let names = pair.evidence.names
        for proof in proofs { #expect(names.contains(proof.components.joined(separator: "-"))) }
        #expect(names.count <= EvidenceBounds.objectsMost + 2)
        #expect(names.reduce(0) { $0 + (pair.evidence[$1]?.count ?? 0) } <= 3 << 20)
        #expect(pair.remotes[1].longestRead <= 8, "never more in memory than a batch")
    }

    /// A third device tells of it, though nobody sees both histories.
    @Test func attack13_forkIsFoundInWhatOthersSaw() async throws {
        let pair = Pair(devices: 3)
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 2, 0] { try await pair.sync(device) }
        let (twin, before) = (pair.replicas[0].copy(), pair.view(0))
        try pair.make("left", "1", on: 0)
        try await pair.sync(0)
        try await pair.sync(1)
        try pair.make("answer", "x", on: 1)
        try await pair.sync(1)
        let answer = pair.segments(of: 1, in: pair.view(1)).last
        // The third one sees the other history, and the second one's answer to the first.
        pair.setView(0, before)
        try pair.make("right", "2", on: 0, replica: twin)
        pair.setView(2, before)
        try await pair.sync(0, replica: twin)
        var view = pair.view(2)
        for path in pair.segments(of: 0, in: pair.view(1)) where before[path] == nil { view[path] = nil }
        for path in pair.segments(of: 0, in: pair.view(0)) { view[path] = pair.view(0)[path] }
        for path in pair.segments(of: 1, in: pair.view(1)) where path <= answer ?? path {
            view[path] = pair.view(1)[path]
        }
        pair.setView(2, view)
        let failure = await #expect(throws: SyncError.self) { try await pair.sync(2) }
        guard case .forked? = failure else { return #expect(Bool(false), "\(String(describing: failure))") }
    }

    /// What is behind a gap waits, and comes once the gap is filled.
    @Test func attack14_withheldSegmentHoldsBackWhatBuildsOnIt() async throws {
        let pair = Pair(devices: 3)
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 2] { try await pair.sync(device) }
        try pair.make("cause", "x", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        try pair.make("effect", "y", on: 1)
        try await pair.sync(1)
        let full = pair.view(2)
        let cause = try #require(pair.segments(of: 0, in: full).last)
        pair.setView(2, full.filter { $0.key != cause })
        let report = try await pair.sync(2)
        #expect(report.waiting == 1)
        #expect(pair.tree(2)["effect"] == nil)
        pair.setView(2, full)
        try await pair.sync(2)
        #expect(pair.tree(2) == ["mail": "secret\n", "cause": "x", "effect": "y"])
    }

    @Test func attack16_rogueFilesAreNoAlarmAndNoChange() async throws {
        let pair = try await syncedPair()
        var view = pair.view(1)
        let device = pair.family.devices[0].hexadecimal
        for name in [
            "2.00000000000000000000000000000000", "1.11111111111111111111111111111111", "99999.x", "notes.txt",
        ] {
            view[try #require(RemotePath(["v1", "log", device, name]))] = Array("litter".utf8)
        }
        view[try #require(RemotePath(["v1", "log", "somebody", "1.2"]))] = [1]
        pair.setView(1, view)
        _ = try await pair.sync(1)
        #expect(pair.tree(1) == ["mail": "secret\n"])
        try pair.make("later", "x", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        #expect(pair.tree(1) == ["mail": "secret\n", "later": "x"])
    }

    @Test func attack17_flippedByteNamesTheObject() async throws {
        let pair = try await syncedPair()
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        let whole = pair.view(1)
        let path = try #require(pair.segments(of: 0, in: whole).last)
        let length = try #require(whole[path]).count
        for place in stride(from: 0, to: length, by: 7) {
            var view = whole
            view[path]?[place] ^= 1
            pair.setView(1, view)
            let report = try await pair.sync(1)
            #expect(report.damaged == [path.description])
            #expect(pair.tree(1) == ["mail": "secret\n"])
        }
        pair.setView(1, whole)
        try await pair.sync(1)
        #expect(pair.tree(1) == ["mail": "secret\n", "later": "x"])
    }

    /// Order rests on Lamport clocks; a clock at the end of its range is not believed.
    @Test func attack21_clockAtItsEndIsRefused() async throws {
        let pair = try await syncedPair()
        try pair.replicas[0].edit { (t) throws(SyncError) in t.lamport = 1 << 57 }
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        let report = try await pair.sync(1)
        #expect(report.damaged.count == 1)
        #expect(pair.tree(1) == ["mail": "secret\n"])
    }

    @Test func attack15_otherVaultAtTheRemoteIsRefused() async throws {
        let pair = try await syncedPair()
        var view = pair.view(1)
        view[try #require(RemotePath(["v1", "canary", "1"]))]?[63] ^= 1
        pair.setView(1, view)
        await #expect(throws: SyncError.canaryMismatch) { try await pair.sync(1) }
        view = pair.view(0)
        view[try #require(RemotePath(["v1", "vault"]))] = [UInt8](repeating: 0, count: 264)
        pair.setView(0, view)
        await #expect(throws: SyncError.canaryMismatch) { try await pair.sync(0) }
    }
}
