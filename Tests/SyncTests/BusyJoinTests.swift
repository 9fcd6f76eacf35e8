import Format
import Sync
import Synchronization
import Testing

/// A join succeeds whatever the others write meanwhile, and whatever snapshots take the place of what it is about to read.
@Suite struct BusyJoinTests {
    private let scene: JoinTests.Scene

    init() async throws {
        scene = try await JoinTests.Scene(devices: 2)
        try await scene.announce()
        try scene.pair.make("kept", "from before", on: 0)
        for device in [0, 1] { try await scene.pair.sync(device) }
    }

    /// Two devices at work: each turn leaves some segments, a snapshot, and nothing of what was there before.
    private final class Others: Sendable {
        private let replicas: [MemoryReplica]
        private let engines: [SyncEngine<MemoryReplica>]
        private let remote: SharedRemote
        private let top: Identifier
        private let random = Mutex(Randomness(seed: 7))

        init(_ pair: Pair) {
            pair.segmentsBeforeSnapshot = 1
            (replicas, remote, top) = (pair.replicas, pair.remote, pair.family.vault)
            engines = [0, 1].map { pair.engine($0) }
        }

        func sync() async throws(SyncError) {
            for engine in engines {
                _ = try await engine.sync(whole: true)
                random.withLock { remote.deliver(1, using: &$0) }
            }
        }

        func work() async throws(SyncError) {
            for _ in 0..<4 {
                for replica in replicas {
                    let id = random.withLock { Identifier(using: &$0) }
                    try replica.edit { (t) throws(SyncError) in
                        // Of chunks that are objects of their own.
                        let text = String(repeating: id.hexadecimal, count: 10)
                        try t.make("of \(replica.store.device.low)", in: top, "1", id: id)
                        for entry in t.children(of: top) {
                            let place = t.entry(entry)?.placement
                            if let place, place.name != Array("kept".utf8) { t.write(text, to: place.lineage) }
                        }
                    }
                }
                try await sync()
            }
        }
    }

    /// A device joins, and the others are at work before the calls of these numbers.
    ///
    /// - Returns: how many calls there were.
    private func join(_ moments: @escaping @Sendable (Int) -> Bool) async throws -> Int {
        var scene = scene
        scene.pair = Pair(family: scene.pair.family)
        scene.pair.replicas = self.scene.pair.replicas.map { $0.copy() }
        scene.pair.remote.restore(self.scene.pair.remote.backup())
        let others = Others(scene.pair)
        let remote = BusyRemote(scene.pair.remotes[1]) { number async throws(SyncError) in
            if moments(number) { try await others.work() }
        }
        let device = try await scene.fetched(remote).open(password: JoinTests.master(), email: JoinTests.email)
        let (replica, engine) = scene.replica(of: device, remote)
        _ = try await engine.enrol(kit: device.kit, password: JoinTests.master(), seconds: 0)
        let report = try await engine.firstSync()
        #expect(report.damaged == [] && report.refused == 0)
        #expect(replica.tree(top: scene.pair.family.vault)["kept"] == "from before")
        let calls = remote.calls.withLock { $0 }
        #expect(remote.failures.withLock { $0 } == [])
        return calls
    }

    /// Once, before any of its calls.
    @Test func atAnyMoment() async throws {
        var (moment, calls) = (0, 1)
        while moment < calls {
            let number = moment
            do { calls = try await join { $0 == number } } catch { Issue.record("before call \(number): \(error)") }
            moment += 1
        }
        #expect(calls > 10)
    }
}

/// A remote at which others are at work before calls.
private final class BusyRemote: Remote {
    private let remote: any Remote
    private let work: @Sendable (Int) async throws(SyncError) -> Void
    let calls = Mutex(0)
    let failures = Mutex<[String]>([])

    init(_ remote: any Remote, _ work: @escaping @Sendable (Int) async throws(SyncError) -> Void) {
        (self.remote, self.work) = (remote, work)
    }

    private func letOthersWork() async {
        let number = calls.withLock { calls in
            defer { calls += 1 }
            return calls
        }
        do throws(SyncError) { try await work(number) } catch { failures.withLock { $0.append("\(error)") } }
    }

    func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] {
        await letOthersWork()
        return try await remote.list(folder)
    }

    func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        await letOthersWork()
        return try await remote.read(paths, limit: limit)
    }

    func create(_ objects: [RemoteObject]) async throws(RemoteError) {
        await letOthersWork()
        try await remote.create(objects)
    }

    func replace(_ hint: RemoteObject) async throws(RemoteError) {
        await letOthersWork()
        try await remote.replace(hint)
    }

    func remove(_ paths: [RemotePath]) async throws(RemoteError) {
        await letOthersWork()
        try await remote.remove(paths)
    }
}
