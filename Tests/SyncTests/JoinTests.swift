import Format
import Sealing
import Sync
import Synchronization
import Testing
import Vault

/// A device that joins with a kit.
@Suite struct JoinTests {
    static let password = "correct horse 1234"
    static let email = "ann@example.org"

    static func master(_ text: String = password) throws -> MasterPassword {
        try unsafe MasterPassword(utf8: Array(text.utf8).span.bytes)
    }

    /// A vault of one or two devices; its kit is known in the log.
    struct Scene {
        var pair: Pair
        var kit: Kit

        init(devices: Int = 1) async throws {
            let family = Family(count: 2) { key, admin, vault in
                (try? admin.key.wrap(
                    password: JoinTests.master(), parameters: .floor, vault: vault.pair, accountKey: key)) ?? []
            }
            pair = Pair(devices: 2, family: family)
            kit = try Scene.issue(family, family.ring(of: pair.replicas[0]))
            try pair.make("mail", "secret\n", on: 0)
            for device in 0..<devices { try await pair.sync(device) }
        }

        static func issue(_ family: Family, _ ring: KeyRing) throws -> Kit {
            unsafe try Kit.issue(
                accountKey: ring.current.keys.account, vault: family.vault.pair,
                genesis: Digest.blake2b256(family.genesis.span.bytes), remote: "", password: JoinTests.master(),
                email: JoinTests.email, parameters: .floor)
        }

        /// The log hears of the kit.
        func announce() async throws {
            let (identifier, replica) = (kit.identifier, pair.replicas[0])
            let bytes = [identifier.0, identifier.1].flatMap { word in
                (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
            }
            try replica.edit { (t) throws(SyncError) in t.store.notices.append(Notice(kind: .kit, bytes: bytes)) }
            try await pair.sync(0)
        }

        func fetched(_ remote: (any Remote)? = nil) async throws -> Join {
            var join = Join(kit: kit)
            try await join.fetch(from: remote ?? pair.remotes[1])
            return join
        }

        func replica(
            of device: borrowing JoiningDevice, _ remote: (any Remote)? = nil
        ) -> (MemoryReplica, SyncEngine<MemoryReplica>) {
            let replica = MemoryReplica(device: device.device, top: device.origin.vault)
            let ring = device.ring
            if ring.links.count > 1 {
                try? replica.edit { (t) throws(SyncError) in t.saveKeys(ring.stored) }
            }
            let keys = SyncKeys(
                vault: device.origin.vault, device: device.device, genesis: device.origin.genesis,
                accountKey: ring.first,
                signer: DeviceKeys(secret: device.deviceKeys.secret.withBytes { SecretBytes(copying: $0) }))
            let engine = SyncEngine(
                replica: replica, remote: remote ?? pair.remotes[1], keys: keys,
                environment: SyncEnvironment(date: { "" }, deviceName: Array("new".utf8), segmentBytes: 1 << 20))
            return (replica, engine)
        }
    }

    @Test func joiningDeviceReadsEverythingAndIsHeard() async throws {
        let scene = try await Scene()
        try await scene.announce()
        let device = try await scene.fetched().open(password: JoinTests.master(), email: " Ann@example.org")
        let (replica, engine) = scene.replica(of: device)
        let wrap = try await engine.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        #expect(wrap.count == Wrap.size)
        #expect(replica.tree(top: scene.pair.family.vault) == ["mail": "secret\n"])
        try replica.edit { (t) throws(SyncError) in
            try t.make("back", in: scene.pair.family.vault, "x", id: Identifier(low: 5, high: 5))
        }
        _ = try await engine.sync()
        scene.pair.deliver()
        try await scene.pair.sync(0)
        #expect(scene.pair.tree(0) == ["mail": "secret\n", "back": "x"])
    }

    /// With the kit of a later epoch it comes down to what was sealed with the first key.
    @Test func kitOfALaterEpochReadsAllEpochs() async throws {
        var scene = try await Scene()
        for round in 1...3 {
            try await scene.pair.rotate(0)
            try scene.pair.make("round\(round)", "x", on: 0)
            try await scene.pair.sync(0)
        }
        scene.kit = try Scene.issue(scene.pair.family, scene.pair.family.ring(of: scene.pair.replicas[0]))
        #expect(scene.kit.epoch == 4)
        try await scene.announce()
        let device = try await scene.fetched().open(password: JoinTests.master(), email: JoinTests.email)
        #expect(device.ring.links.count == 4)
        let (replica, engine) = scene.replica(of: device)
        _ = try await engine.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        _ = try await engine.sync()
        scene.pair.deliver()
        let report = try await scene.pair.sync(0)
        #expect(report.refused == 0 && report.damaged.isEmpty)
        #expect(replica.tree(top: scene.pair.family.vault) == scene.pair.tree(0))
        #expect(scene.pair.tree(0).count == 4)
    }

    /// Any device can put a notice of before into its log once more.
    @Test func attack07_rotationSaidAgainShutsNobodyOut() async throws {
        var scene = try await Scene(devices: 2)
        let pair = scene.pair
        for device in [0, 1] { try await pair.sync(device) }
        try await pair.rotate(0)
        for device in [1, 0] { try await pair.sync(device) }
        scene.kit = try Scene.issue(pair.family, pair.family.ring(of: pair.replicas[0]))
        try await scene.announce()
        let device = try await scene.fetched().open(password: JoinTests.master(), email: JoinTests.email)
        let (replica, engine) = scene.replica(of: device)
        _ = try await engine.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        _ = try await engine.sync()
        pair.deliver()
        for device in [0, 1] { try await pair.sync(device) }
        let rotation = try #require(try rotation(in: pair))
        try pair.replicas[1].edit { (t) throws(SyncError) in t.store.notices.append(rotation) }
        for device in [1, 0] { try await pair.sync(device) }
        try replica.edit { (t) throws(SyncError) in
            try t.make("late", in: pair.family.vault, "x", id: Identifier(low: 77, high: 7))
        }
        _ = try await engine.sync()
        pair.deliver()
        for device in [0, 1] {
            let report = try await pair.sync(device)
            #expect(report.refused == 0)
            #expect(pair.tree(device)["late"] == "x")
        }
    }

    private func rotation(in pair: Pair) throws -> Notice? {
        let ring = pair.family.ring(of: pair.replicas[0])
        for path in pair.segments(of: 0, in: pair.view(0)) {
            guard let opened = SignedObject(.segment, pair.view(0)[path] ?? [])?.open(with: ring) else { continue }
            let record = try opened.plain.withBytes { (bytes) throws(FormatError) in
                try SegmentRecord(decoding: bytes)
            }
            if let notice = record.notices.first(where: { $0.kind == .rotation }) { return notice }
        }
        return nil
    }

    /// Before the password is tried, everything has been asked for; and whatever is wrong looks the same.
    @Test func attack02_trafficAndErrorAreTheSameWhateverIsWrong() async throws {
        let scene = try await Scene()
        try await scene.announce()
        var traffic = Set<[String]>()
        var errors: [JoinError] = []
        var flipped = scene
        flipped.kit.wrap[100] ^= 1
        var otherEpoch = scene
        otherEpoch.kit.epoch = 2
        let tries: [(Scene, String, String)] = [
            (scene, JoinTests.password, JoinTests.email), (scene, "another password", JoinTests.email),
            (scene, JoinTests.password, "bob@example.org"), (flipped, JoinTests.password, JoinTests.email),
            (otherEpoch, JoinTests.password, JoinTests.email),
        ]
        for (scene, password, email) in tries {
            let listening = ListeningRemote(scene.pair.remotes[1])
            let join = try await scene.fetched(listening)
            let master = try JoinTests.master(password)
            do throws(JoinError) { _ = try join.open(password: master, email: email) } catch { errors.append(error) }
            traffic.insert(listening.heard.withLock { $0 })
        }
        #expect(traffic.count == 1)
        #expect(errors.prefix(3) == [.wrongPassword, .wrongPassword, .wrongPassword])
        #expect(errors.count == 4, "another epoch finds no canary")
    }

    @Test func attack03_swappedKitDoesNotFitTheRemote() async throws {
        let (scene, other) = (try await Scene(), try await Scene())
        var swapped = scene
        swapped.kit = other.kit
        let join = try await swapped.fetched()
        #expect(throws: JoinError.canaryMismatch) {
            _ = try join.open(password: JoinTests.master(), email: JoinTests.email)
        }
    }

    @Test func attack04_costOfAKitIsBounded() async throws {
        var scene = try await Scene()
        scene.kit.wrap[12] = 0xFF
        scene.kit.wrap[14] = 0xFF
        let join = try await scene.fetched()
        let error = #expect(throws: JoinError.self) {
            _ = try join.open(password: JoinTests.master(), email: JoinTests.email)
        }
        guard case .parametersOutOfBounds? = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test func attack06_changedGenesisOrCanaryIsFound() async throws {
        let scene = try await Scene()
        let whole = scene.pair.view(1)
        for path in [["v1", "vault"], ["v1", "canary", "1"]] {
            for offset in [0, 20, 63] {
                var view = whole
                view[try #require(RemotePath(path))]?[offset] ^= 1
                scene.pair.setView(1, view)
                let join = try await scene.fetched()
                #expect(throws: JoinError.canaryMismatch) {
                    _ = try join.open(password: JoinTests.master(), email: JoinTests.email)
                }
            }
        }
    }

    /// 1,024 devices are admitted, those that were shut out not counted; the next one is refused with a word.
    @Test func asManyDevicesAsThereMayBe() async throws {
        let scene = try await Scene()
        try await scene.announce()
        let (family, replica) = (scene.pair.family, scene.pair.replicas[0])
        let others = (0..<1023).map { Identifier(low: 1000 + $0, high: 9) }
        try replica.edit { (t) throws(SyncError) in
            for device in others {
                let enrolment = Enrolment(
                    vault: family.vault.pair, device: device.pair, keys: DeviceKeys(), kit: (1, 1), epoch: 1,
                    seconds: 0,
                    admin: family.admin.key)
                t.store.notices.append(Notice(kind: .enrolment, bytes: enrolment.bytes))
            }
        }
        try await scene.pair.sync(0)
        let device = try await scene.fetched().open(password: JoinTests.master(), email: JoinTests.email)
        let (_, refused) = scene.replica(of: device)
        let before = scene.pair.view(1)
        let error = await #expect(throws: JoinError.self) {
            _ = try await refused.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        }
        #expect(error == .sync(.tooManyDevices(isForGood: false)))
        #expect(try await refused.status().devices.count == 1024)
        #expect(scene.pair.view(1) == before, "nothing was written")
        try replica.edit { (t) throws(SyncError) in
            t.store.notices.append(family.revocation(of: others[7], after: 0))
        }
        try await scene.pair.sync(0)
        let (_, engine) = scene.replica(of: device)
        _ = try await engine.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        #expect(try await engine.status().devices.count { !$0.isRevoked } == 1024)
        _ = try await engine.sync()
    }

    /// A remote from before the kit was issued.
    @Test func attack15_remoteOlderThanTheKitIsRefused() async throws {
        let scene = try await Scene()
        let old = scene.pair.view(1)
        try await scene.announce()
        scene.pair.setView(1, old)
        let device = try await scene.fetched().open(password: JoinTests.master(), email: JoinTests.email)
        let (_, engine) = scene.replica(of: device)
        let error = await #expect(throws: JoinError.self) {
            _ = try await engine.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        }
        guard case .sync(.rolledBack)? = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(scene.pair.view(1) == old, "nothing was written")
    }

    @Test func attack23_kitFromBeforeARotationIsRefused() async throws {
        let scene = try await Scene()
        try await scene.announce()
        let before = scene.pair.view(1)
        try await scene.pair.rotate(0)
        let join = try await scene.fetched()
        #expect(throws: JoinError.wrongPassword) {
            _ = try join.open(password: JoinTests.master(), email: JoinTests.email)
        }
        // The remote shows the old canary alone, and the whole log.
        let log = scene.pair.view(1).filter { $0.key.components[1] != "canary" }
        scene.pair.setView(1, log.merging(before) { one, _ in one })
        let device = try await scene.fetched().open(password: JoinTests.master(), email: JoinTests.email)
        let (_, engine) = scene.replica(of: device)
        await #expect(throws: JoinError.wrongPassword) {
            _ = try await engine.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        }
    }

    /// The right password in a dictionary, against all that the remote holds: without the kit there is nothing to try it on.
    @Test func attack01_remoteHoldsNothingMadeFromThePasswordAlone() async throws {
        let scene = try await Scene()
        try await scene.announce()
        try await scene.pair.rotate(0)
        let (wrap, text) = (Array("CFRW".utf8), Array(JoinTests.password.utf8))
        for (path, bytes) in scene.pair.remote.contents.withLock({ $0.written }) {
            for marker in [wrap, text] {
                let isThere = bytes.indices.contains { bytes[$0...].starts(with: marker) }
                #expect(!isThere, "\(path) has a wrap that could be guessed at")
            }
        }
    }

    @Test func attack23_wrongPasswordAfterTheKitIsOneError() async throws {
        let scene = try await Scene()
        try await scene.announce()
        let device = try await scene.fetched().open(password: JoinTests.master(), email: JoinTests.email)
        let (_, engine) = scene.replica(of: device)
        await #expect(throws: JoinError.wrongPassword) {
            _ = try await engine.enrol(kit: device.kit, password: JoinTests.master("changed since"), seconds: 0)
        }
    }
}

/// Notes what is asked of a remote.
private final class ListeningRemote: Remote {
    let remote: any Remote
    let heard = Mutex<[String]>([])

    init(_ remote: any Remote) { self.remote = remote }

    private func note(_ text: String) { heard.withLock { $0.append(text) } }

    func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] {
        note("list \(folder)")
        return try await remote.list(folder)
    }

    func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        note("read \(paths) \(limit)")
        return try await remote.read(paths, limit: limit)
    }

    func create(_ objects: [RemoteObject]) async throws(RemoteError) {
        note("create \(objects.map(\.path))")
        try await remote.create(objects)
    }

    func replace(_ hint: RemoteObject) async throws(RemoteError) {
        note("replace \(hint.path)")
        try await remote.replace(hint)
    }

    func remove(_ paths: [RemotePath]) async throws(RemoteError) {
        note("remove \(paths)")
        try await remote.remove(paths)
    }
}
