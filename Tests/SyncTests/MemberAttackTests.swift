import Format
import Sealing
import Testing

@testable import Sync

/// Attacks 42 and 43: a member's device in other hands. It has all its keys, and signs what no program of ours writes. The
/// others go on, name it, and can shut it out.
@Suite struct MemberAttackTests {
    /// Three devices; the second one is in other hands from now on.
    private struct Scene {
        let pair: Pair
        var attacker: Identifier { pair.family.devices[1] }

        init() async throws {
            pair = Pair(devices: 3)
            try pair.make("mail", "secret\n", on: 0)
            for device in [0, 1, 2, 0, 1] { try await pair.sync(device) }
        }

        /// Signs a segment as the attacker's next one, and puts it at the remote.
        ///
        /// - Parameters:
        ///   - isTwin: it has the number of the last one.
        ///   - before: the segment that it follows; nil for the last one.
        ///   - devices: who sees it.
        /// - Returns: where it is.
        @discardableResult
        func sign(
            isTwin: Bool = false, after before: RemotePath? = nil, for devices: [Int] = [0, 1, 2],
            _ change: (inout SegmentRecord) -> Void
        ) throws -> RemotePath {
            let family = pair.family
            let own = pair.segments(of: 1, in: pair.view(1)).dropLast(isTwin ? 1 : 0)
            let last = try #require(before ?? own.last)
            let bytes = try #require(devices.lazy.compactMap { pair.view($0)[last] }.first)
            let ring = family.keys[1].ring
            let engine = pair.engine(1)
            let opened = try #require(engine.open(bytes, ring))
            let number = try #require(UInt64(last.components[3].split(separator: ".")[0]))
            var record = SegmentRecord(
                previous: Identifier(hashing: bytes), lamport: opened.record.lamport + 1, seen: opened.record.seen)
            change(&record)
            var plain = PlainBuffer(capacity: 4096)
            record.encode(into: &plain)
            plain.resize(to: Padding.padme(plain.count, floor: Limits.segmentFloor))
            let header = SignedObject.Header(epoch: 1, device: attacker.pair, sequence: number + 1)
            let object = plain.withBytes { plain in
                SignedObject.make(
                    .segment, header, plain, key: ring.current.keys.segment, vault: family.vault.pair,
                    signer: family.keys[1].signer)
            }
            let path = Layout.segment(attacker, number + 1, Identifier(hashing: object))
            for device in devices { pair.setView(device, pair.view(device).merging([path: object]) { $1 }) }
            return path
        }

        /// What one device shows, as something that the attacker has made in a segment.
        func making(_ name: String, _ text: String) throws -> [Change] {
            let replica = MemoryReplica(device: attacker, top: pair.family.vault)
            let id = Identifier(low: UInt64(name.utf8.first ?? 0), high: 99)
            try replica.edit { (t) throws(SyncError) in
                t.store.lamport = 1000
                try t.make(name, in: pair.family.vault, text, id: id)
            }
            return try replica.transaction { (t) throws(SyncError) in t.ownChanges(atMost: 100) }
        }

        /// The others change something and hear of it, and can shut the attacker out.
        ///
        /// - Parameter isAlarm: each run names the attacker's log until then.
        func checkOthersGoOn(isAlarm: Bool = false) async throws {
            try pair.make("later", "x", on: 0)
            for device in [0, 2, 0] {
                guard isAlarm else {
                    try await pair.sync(device)
                    continue
                }
                let failure = await #expect(throws: SyncError.self) { try await pair.sync(device) }
                guard case .forked? = failure else { return #expect(Bool(false), "\(String(describing: failure))") }
            }
            #expect(pair.tree(2)["later"] == "x")
            #expect(pair.tree(0) == pair.tree(2))
            try await pair.rotate(0, shuttingOut: [1])
            for device in [0, 2] { try await pair.sync(device) }
            try pair.make("after", "y", on: 2)
            for device in [2, 0] { try await pair.sync(device) }
            #expect(pair.tree(0)["after"] == "y")
        }

        /// What each of the honest devices keeps has to fit.
        func checkBounds() async throws {
            for device in [0, 2] {
                let engine = pair.engine(device)
                try await engine.loadState()
                #expect(await engine.state.encoded.count < Limits.syncState / 2)
            }
        }
    }

    @Test(arguments: [Notice.Kind.adminWrap, .rotation, .merge, .name, .enrolment, .revocation, .settlements])
    func attack42_longNoticesAreNotKept(_ kind: Notice.Kind) async throws {
        let scene = try await Scene()
        for number in 0..<12 {
            try scene.sign { record in
                let bytes = [UInt8](repeating: UInt8(number), count: Limits.notice)
                record.notices = [Notice(kind: kind, bytes: bytes)]
            }
            try await scene.pair.sync(0)
        }
        try await scene.checkOthersGoOn()
        try await scene.checkBounds()
    }

    /// Nor do many kits take the place of somebody else's, which a device may be about to join with.
    @Test func attack42_manyKitsTakeNoOthersPlace() async throws {
        let scene = try await Scene()
        let kit = Identifier(low: 77, high: 77)
        try scene.pair.replicas[0].edit { (t) throws(SyncError) in
            t.store.notices.append(Notice(kind: .kit, bytes: kit.bytes))
        }
        for device in [0, 2] { try await scene.pair.sync(device) }
        try scene.sign { record in
            record.notices = (0..<9_000).map { Notice(kind: .kit, bytes: Identifier(low: $0, high: 1).bytes) }
        }
        try await scene.checkOthersGoOn()
        try await scene.checkBounds()
        for device in [0, 2] {
            let engine = scene.pair.engine(device)
            try await engine.loadState()
            #expect(await engine.state.kits.contains(kit))
        }
    }

    /// Nor do wraps of an admin key that nobody can open.
    @Test func attack42_manyWrapsTakeNoOthersPlace() async throws {
        let scene = try await Scene()
        let wrap = [UInt8](repeating: 0xA5, count: Wrap.size)
        try scene.pair.replicas[0].edit { (t) throws(SyncError) in
            t.store.notices.append(Notice(kind: .adminWrap, bytes: wrap))
        }
        for device in [0, 2] { try await scene.pair.sync(device) }
        for number in 0..<12 {
            try scene.sign { record in
                let wrap = [UInt8](repeating: UInt8(number), count: Wrap.size)
                record.notices = [Notice(kind: .adminWrap, bytes: wrap)]
            }
            try await scene.pair.sync(0)
        }
        for device in [0, 2] {
            let engine = scene.pair.engine(device)
            try await scene.pair.sync(device)
            try await engine.loadState()
            #expect(await engine.state.adminWraps.contains(wrap))
        }
        try await scene.checkOthersGoOn()
    }

    /// The Lamport clock is not used up: neither by a clock that nobody had come to, nor by one that the others are said to
    /// have come to.
    @Test(arguments: [false, true]) func attack43_clockIsNotUsedUp(isClaimed: Bool) async throws {
        let scene = try await Scene()
        try scene.sign { record in
            if isClaimed, var position = record.seen[scene.pair.family.devices[0]] {
                position.lamport = 1 << 55
                record.seen[scene.pair.family.devices[0]] = position
            }
            record.lamport = 1 << 55
        }
        let report = try await scene.pair.sync(0)
        #expect(report.damaged.count == 1)
        try await scene.checkOthersGoOn()
        #expect(scene.pair.replicas[0].store.lamport < 1 << 40)
    }

    /// Two segments of one number.
    @Test func attack44_twoHistoriesStopOnlyTheirOwnLog() async throws {
        let scene = try await Scene()
        try scene.sign { $0.acknowledged = [] }
        try scene.sign(isTwin: true) { $0.lamport += 1 }
        try await scene.checkOthersGoOn(isAlarm: true)
    }

    /// It says of others what they have never written: another hash, or more than there is.
    @Test(arguments: [0, 2], [false, true]) func attack44_whatNobodyHasWrittenStopsNobody(_ device: Int, isMore: Bool)
        async throws
    {
        let scene = try await Scene()
        try scene.sign { record in
            let device = scene.pair.family.devices[device]
            var position = record.seen[device] ?? LogPosition(sequence: 1, hash: .none, lamport: 1)
            if isMore { position.sequence += 100 }
            position.hash = Identifier(low: 666, high: 666)
            record.seen[device] = position
        }
        let pair = scene.pair
        try pair.make("later", "x", on: 0)
        for device in [0, 2, 0] {
            do throws(SyncError) { try await pair.sync(device) } catch {
                guard case .forked = error else { throw error }
            }
        }
        #expect(pair.tree(2)["later"] == "x")
        try await pair.rotate(0, shuttingOut: [1])
        try pair.make("after", "y", on: 0)
        for device in [0, 2] { try await pair.sync(device) }
        #expect(pair.tree(2)["after"] == "y")
    }

    /// A second segment with the number of the last one that counts, put there when the device was shut out: who has not read
    /// that far takes the one that counts.
    @Test func attack34_twinOfTheLastSegmentStopsNoLateReader() async throws {
        let scene = try await Scene()
        let pair = scene.pair
        let changes = try scene.making("good", "1")
        try scene.sign { $0 = $0.with(changes) }
        try await pair.sync(0)
        try await pair.rotate(0, shuttingOut: [1])
        let forged = try scene.making("forged", "2")
        try scene.sign(isTwin: true) { $0 = $0.with(forged) }
        try pair.make("after", "y", on: 0)
        for device in [0, 2, 0] { try await pair.sync(device) }
        #expect(pair.tree(2) == ["mail": "secret\n", "good": "1", "after": "y"] && pair.tree(0) == pair.tree(2))
        let (joined, _) = try await pair.joinBehindRotation()
        #expect(pair.tree(joined) == pair.tree(0))
    }

    /// Each device reads another segment with that number: both go on, and the one whose history does not count goes back.
    @Test(arguments: [false, true]) func attack34_twoHistoriesForTwoDevicesStopNeither(isErased: Bool) async throws {
        let scene = try await Scene()
        let pair = scene.pair
        let (good, forged) = (try scene.making("good", "1"), try scene.making("forged", "2"))
        let common = try #require(pair.segments(of: 1, in: pair.view(1)).last)
        let one = try scene.sign(after: common, for: [0]) { $0 = $0.with(good) }
        let other = try scene.sign(after: common, for: [2]) { $0 = $0.with(forged) }
        let more = try scene.making("more", "3")
        let last = try scene.sign(after: other, for: [2]) { $0 = $0.with(more) }
        try pair.make("mine", "own", on: 2)
        for device in [0, 2] { _ = try? await pair.sync(device) }
        #expect(pair.tree(2)["more"] == "3")
        // Now everybody sees everything, or what does not count is gone.
        try await pair.rotate(0, shuttingOut: [1])
        try pair.make("after", "y", on: 0)
        try await pair.sync(0)
        var all = pair.view(0).merging(pair.view(2)) { $1 }
        if isErased { (all[other], all[last]) = (nil, nil) }
        #expect(all[one] != nil)
        for device in 0..<3 { pair.setView(device, all) }
        for device in [2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2] { try await pair.sync(device) }
        for device in [0, 2] {
            let tree = pair.tree(device)
            #expect(tree["after"] == "y" && tree["mine"] == "own" && tree["good"] == "1", "\(device): \(tree)")
        }
        try pair.make("end", "z", on: 2)
        for device in [2, 0] { try await pair.sync(device) }
        #expect(pair.tree(0)["end"] == "z")
    }

    /// A snapshot that a device has made after it was shut out, with keys that it had before: whoever joins does not begin with
    /// it, though it covers the most, and nobody catches up by it.
    @Test func attack45_snapshotsOfWhoIsShutOutAreNotBelieved() async throws {
        let pair = Pair(devices: 3)
        pair.segmentsBeforeSnapshot = 1
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 2, 0, 1, 2, 0] { try await pair.sync(device) }
        let before = pair.view(1)
        try await pair.rotate(0, shuttingOut: [1])
        for device in [0, 2, 0] { try await pair.sync(device) }
        let honest = pair.view(0)
        // It goes on as if it had not heard of that, alone with what was there, and puts what it makes at the remote.
        pair.setView(1, before)
        try pair.make("forged", "give it to me", on: 1)
        for round in 0..<4 {
            try pair.make("more \(round)", "x", on: 1)
            try await pair.sync(1)
        }
        let forged = pair.view(1).filter { before[$0.key] == nil && $0.key.components[1] == "snap" }
        #expect(!forged.isEmpty)
        for device in 0..<3 { pair.setView(device, honest.merging(forged) { one, _ in one }) }
        let (joined, report) = try await pair.joinBehindRotation()
        #expect(report.startedFrom != nil)
        #expect(pair.tree(joined)["forged"] == nil)
        #expect(pair.tree(joined)["mail"] == "secret\n")
        // Nor does it cover what is gone.
        let last = try #require(pair.segments(of: 0, in: honest).last)
        pair.setView(2, honest.merging(forged) { one, _ in one }.filter { $0.key != last })
        _ = try? await pair.sync(2)
        #expect(pair.tree(2)["forged"] == nil)
    }
}

extension Pair {
    /// A new device, with a kit of now.
    fileprivate func joinBehindRotation() async throws -> (Int, SyncReport) {
        let joined = join()
        setView(joined, view(0))
        let keys = replicas[0].store.keys
        try replicas[joined].edit { (t) throws(SyncError) in t.store.keys = keys }
        let signer = DeviceKeys()
        let enrolment = Enrolment(
            vault: family.vault.pair, device: family.devices[joined].pair, keys: signer, kit: (1, 1), epoch: 2,
            seconds: 0, admin: family.admin.key)
        let joiner = SyncKeys(
            vault: family.vault, device: family.devices[joined], genesis: family.genesis, accountKey: family.accountKey,
            signer: signer, enrolment: enrolment)
        return (joined, try await engine(joined, keys: joiner).sync())
    }
}

extension SegmentRecord {
    /// The same with changes, and a clock behind theirs.
    fileprivate func with(_ changes: [Change]) -> SegmentRecord {
        var record = self
        record.changes = changes
        record.lamport = max(record.lamport, changes.map(\.stamp.lamport).max() ?? 0)
        return record
    }
}
