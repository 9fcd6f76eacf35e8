import Format
import Sealing
import Sync
import Synchronization
import Testing

/// New account keys: who reads and who writes afterwards.
@Suite struct RotationTests {
    private func synced(_ devices: Int, family: Family = .eight) async throws -> Pair {
        let pair = Pair(devices: devices, family: family)
        try pair.make("mail", "secret\n", on: 0)
        for _ in 0..<2 { for device in 0..<devices { try await pair.sync(device) } }
        return pair
    }

    private func epoch(_ segment: [UInt8]?) -> UInt8? { segment?.dropFirst(8).first }

    private func canaries(_ pair: Pair, _ device: Int) -> [String] {
        pair.view(device).keys.filter { $0.components.dropFirst().first == "canary" }.map { $0.components[2] }.sorted()
    }

    /// What a device can open of a log with the keys that it has.
    private func opens(_ pair: Pair, _ path: RemotePath?, as device: Int) throws -> Bool {
        let bytes = pair.view(0)[try #require(path)] ?? []
        let object = try #require(SignedObject(.segment, bytes))
        return object.open(with: pair.family.ring(of: pair.replicas[device])) != nil
    }

    @Test func everybodyGoesOnWithTheNewKey() async throws {
        let pair = try await synced(3)
        try await pair.rotate(0)
        #expect(canaries(pair, 1).count == 2, "the old one stays until everybody has read of it")
        for device in [1, 2] { try await pair.sync(device) }
        for device in 0..<3 {
            try pair.make("from\(device)", "x", on: device)
            try await pair.sync(device)
        }
        for device in [0, 1, 2, 0] { try await pair.sync(device) }
        #expect(pair.tree(0).count == 4)
        #expect(pair.tree(0) == pair.tree(1) && pair.tree(0) == pair.tree(2))
        for device in 0..<3 {
            let last = try #require(pair.segments(of: device, in: pair.view(0)).last)
            #expect(epoch(pair.view(0)[last]) == 2)
        }
        #expect(canaries(pair, 1).count == 1 && canaries(pair, 1)[0].hasPrefix("2."))
    }

    /// Changes that nobody has heard of are not in the segment that who is shut out can still read.
    @Test func attack22_shutOutDeviceReadsNothingNew() async throws {
        let pair = try await synced(3)
        let before = pair.segments(of: 0, in: pair.view(0)).count
        try await pair.rotate(0, shuttingOut: [2])
        try pair.make("new", "x", on: 0)
        try await pair.sync(0)
        await #expect(throws: SyncError.revoked) { try await pair.sync(2) }
        await #expect(throws: SyncError.revoked) { try await pair.sync(2) }
        #expect(pair.tree(2) == ["mail": "secret\n"], "what it had stays")
        let log = pair.segments(of: 0, in: pair.view(0))
        #expect(try opens(pair, log[before], as: 2), "it reads that it was shut out")
        for segment in log[(before + 1)...] { #expect(try !opens(pair, segment, as: 2)) }
        #expect(try !opens(pair, log.last, as: 2))
        #expect(try opens(pair, log.last, as: 1) == false, "not before it has read the rotation")
        try await pair.sync(1)
        #expect(try opens(pair, log.last, as: 1))
        #expect(pair.tree(1)["new"] == "x")
    }

    @Test func attack22_writesOfAShutOutDeviceAreRefused() async throws {
        let pair = try await synced(3)
        let before = pair.view(2)
        try await pair.rotate(0, shuttingOut: [2])
        pair.setView(2, before)
        try pair.make("planted", "x", on: 2)
        try await pair.sync(2)
        for device in [0, 1, 0, 1] {
            let report = try await pair.sync(device)
            #expect(report.refused == 1)
            #expect(pair.tree(device) == ["mail": "secret\n"])
        }
    }

    /// A device that had not heard of it has gone on from what the other one wrote: then everybody takes that in.
    @Test func attack22_whatAMemberHadTakenInCounts() async throws {
        let pair = try await synced(3)
        let before = pair.view(0)
        try pair.make("late", "x", on: 2)
        try await pair.sync(2)
        let late = pair.view(1)
        pair.setView(0, before)
        try await pair.rotate(0, shuttingOut: [2])
        let rotated = pair.view(0)
        pair.setView(1, late)
        try pair.make("answer", "y", on: 1)
        try await pair.sync(1)
        let all = pair.view(1).merging(rotated) { one, _ in one }
        for device in 0..<3 { pair.setView(device, all) }
        for device in [0, 1, 0, 1, 0] { try await pair.sync(device) }
        #expect(pair.tree(0) == ["mail": "secret\n", "late": "x", "answer": "y"])
        #expect(pair.tree(1) == pair.tree(0))
    }

    /// It has read further and writes nothing itself: it says so, or the trees would differ.
    @Test func attack22_whatAReaderHadTakenInCounts() async throws {
        let pair = try await synced(3)
        let before = pair.view(0)
        try pair.make("late", "x", on: 2)
        try await pair.sync(2)
        try await pair.sync(1)
        let late = pair.view(1)
        pair.setView(0, before)
        try await pair.rotate(0, shuttingOut: [2])
        let all = late.merging(pair.view(0)) { one, _ in one }
        for device in 0..<3 { pair.setView(device, all) }
        for device in [1, 0, 1] { try await pair.sync(device) }
        #expect(pair.tree(0) == ["mail": "secret\n", "late": "x"])
        #expect(pair.tree(1) == pair.tree(0))
    }

    /// Old password and old kit: with them go the admin key and the account key of epoch 1.
    @Test func attack23_oldKitAfterRotationAdmitsNobody() async throws {
        let pair = try await synced(2)
        let before = pair.view(0)
        try await pair.rotate(0)
        try await pair.sync(1)
        let stranger = Identifier(low: 999, high: 9)
        try await plant(stranger, in: pair, seeing: before)
        for device in [0, 1, 0] {
            let report = try await pair.sync(device)
            #expect(report.refused == 1)
            #expect(pair.tree(device) == ["mail": "secret\n"])
        }
    }

    /// It says that it has read the rotation, but has not its key.
    @Test func attack23_olderEpochThanWhatWasSeenIsRefused() async throws {
        let pair = try await synced(2)
        try await pair.rotate(0)
        try await pair.sync(1)
        var seen = VersionVector()
        for device in 0..<2 {
            let log = pair.segments(of: device, in: pair.view(0))
            let last = try #require(log.last)
            let bytes = try #require(pair.view(0)[last])
            let hash = unsafe Digest.blake2b128(bytes.span.bytes)
            seen[pair.family.devices[device]] = LogPosition(
                sequence: UInt64(log.count), hash: Identifier(low: hash.0, high: hash.1), lamport: 0)
        }
        try plant(Identifier(low: 998, high: 9), in: pair, seen, enrolledAt: 2)
        for device in [0, 1] {
            let report = try await pair.sync(device)
            #expect(report.damaged.count == 1)
            #expect(pair.tree(device) == ["mail": "secret\n"])
        }
    }

    private func plant(_ stranger: Identifier, in pair: Pair, seeing view: [RemotePath: [UInt8]]) async throws {
        let family = pair.family
        let keys = DeviceKeys()
        let enrolment = Enrolment(
            vault: family.vault.pair, device: stranger.pair, keys: keys, kit: (1, 1), epoch: 1, seconds: 0,
            admin: family.admin.key)
        let replica = MemoryReplica(device: stranger, top: family.vault)
        try replica.edit { (t) throws(SyncError) in try t.make("planted", in: family.vault, "x", id: stranger) }
        let present = pair.view(1)
        pair.setView(1, view)
        let engine = SyncEngine(
            replica: replica, remote: pair.remotes[1],
            keys: SyncKeys(
                vault: family.vault, device: stranger, genesis: family.genesis, accountKey: family.accountKey,
                signer: keys, enrolment: enrolment),
            environment: SyncEnvironment(date: { "" }, deviceName: [], segmentBytes: 1 << 20))
        _ = try await engine.sync()
        pair.deliver()
        let written = pair.view(1).filter { $0.key.components.contains(stranger.hexadecimal) }
        #expect(written.count == 2)
        pair.setView(1, present.merging(written) { one, _ in one })
    }

    /// A first segment by hand, under the first key.
    private func plant(
        _ stranger: Identifier, in pair: Pair, _ seen: VersionVector, enrolledAt epoch: UInt32
    ) throws {
        let family = pair.family
        let keys = DeviceKeys()
        let enrolment = Enrolment(
            vault: family.vault.pair, device: stranger.pair, keys: keys, kit: (1, 1), epoch: epoch, seconds: 0,
            admin: family.admin.key)
        let record = SegmentRecord(
            previous: .none, lamport: 5, seen: seen, notices: [Notice(kind: .enrolment, bytes: enrolment.bytes)])
        var plain = PlainBuffer()
        record.encode(into: &plain)
        plain.resize(to: 1024)
        let ring = KeyRing(first: family.accountKey, vault: family.vault.pair, genesis: family.genesis)
        let bytes = plain.withBytes { plain in
            SignedObject.make(
                .segment, .init(epoch: 1, device: stranger.pair, sequence: 1), plain, key: ring.current.keys.segment,
                vault: family.vault.pair, signer: keys)
        }
        let hash = unsafe Digest.blake2b128(bytes.span.bytes)
        let name = "1.\(Identifier(low: hash.0, high: hash.1).hexadecimal)"
        let path = try #require(RemotePath(["v1", "log", stranger.hexadecimal, name]))
        for device in 0..<2 { pair.setView(device, pair.view(device).merging([path: bytes]) { one, _ in one }) }
    }

    /// Each shuts somebody out and does not know of the other: both are out of what comes then.
    @Test func rotationsAtTheSameTimeMakeOneKeyTogether() async throws {
        let pair = try await synced(4)
        let before = pair.view(0)
        try await pair.rotate(0, shuttingOut: [2])
        let left = pair.view(0)
        pair.setView(1, before)
        try await pair.rotate(1, shuttingOut: [3])
        let all = pair.view(1).merging(left) { one, _ in one }
        for device in 0..<4 { pair.setView(device, all) }
        for device in [2, 3] { await #expect(throws: SyncError.revoked) { try await pair.sync(device) } }
        for device in [0, 1, 0, 1] { try await pair.sync(device) }
        try pair.make("new", "x", on: 0)
        for device in [0, 1, 0] { try await pair.sync(device) }
        let last = pair.segments(of: 0, in: pair.view(0)).last
        #expect(epoch(last.flatMap { pair.view(0)[$0] }) == 3)
        #expect(pair.tree(1) == ["mail": "secret\n", "new": "x"])
        for device in [2, 3] { #expect(try !opens(pair, last, as: device), "device \(device)") }
        #expect(canaries(pair, 0).count == 1 && canaries(pair, 0)[0].hasPrefix("3."))
        #expect(
            pair.family.ring(of: pair.replicas[0]).current.name == pair.family.ring(of: pair.replicas[1]).current.name)
    }

    /// Cut off at any call; what is tried again is the same.
    @Test func attack17_rotationThatIsCutOffIsCompleted() async throws {
        for calls in 0..<14 {
            for carriesOut in [false, true] {
                let pair = try await synced(2)
                pair.remotes[0].fail(after: calls, carryingOut: carriesOut)
                do { try await pair.rotate(0) } catch {}
                pair.remotes[0].fail(after: .max, carryingOut: false)
                pair.deliver()
                try pair.make("new", "x", on: 1)
                for device in [1, 0, 1, 0] { try await pair.sync(device) }
                #expect(pair.tree(0) == ["mail": "secret\n", "new": "x"], "after \(calls) calls")
                #expect(pair.tree(1) == pair.tree(0))
                #expect(pair.remote.contents.withLock { $0.rewrites }.isEmpty)
            }
        }
    }

    @Test func attack07_rotationNeedsThisVaultsAdminKey() async throws {
        let pair = try await synced(2)
        await #expect(throws: SyncError.store(22)) {
            _ = try await pair.engine(0).rotate(admin: AdminKey(), seconds: 0)
        }
    }

    /// It was there, and no rotation says why it is not any more.
    @Test func attack12_missingCanaryIsAnAlarm() async throws {
        for litter in [nil, "2.00000000000000000000000000000000"] {
            let pair = try await synced(2)
            var view = pair.view(1)
            view[try #require(RemotePath(["v1", "canary", "1"]))] = nil
            if let litter { view[try #require(RemotePath(["v1", "canary", litter]))] = [1, 2, 3] }
            pair.setView(1, view)
            try pair.make("later", "x", on: 1)
            await #expect(throws: SyncError.canaryMismatch) { try await pair.sync(1) }
            #expect(pair.segments(of: 1, in: pair.view(1)).count == 1, "nothing is pushed")
        }
    }

    @Test func attack05_canaryOfTheNewEpochCannotBeReplaced() async throws {
        let pair = try await synced(2)
        try await pair.rotate(0)
        for device in [1, 0] { try await pair.sync(device) }
        var view = pair.view(1)
        let path = try #require(
            view.keys.first { $0.components.contains { $0.hasPrefix("2.") } && $0.components[1] == "canary" })
        view[path]?[70] ^= 1
        pair.setView(1, view)
        await #expect(throws: SyncError.canaryMismatch) { try await pair.sync(1) }
    }
}
