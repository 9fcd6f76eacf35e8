internal import Format
internal import Sealing

/// Brings a replica and a remote together.
///
/// **Vocabulary.** Each device writes a *log* of its own: *segments*, numbered, signed, each with the hash of the one
/// before it and with what the device had *seen* of the other logs. The state of a replica follows from the set of
/// segments that it has applied, whatever their order. A *head* is a hint that saves listing.
///
/// **Never here**: the network (a ``Remote`` is given), SQL, files; a lock across an `await`.
public actor SyncEngine<R: Replica> {
    let replica: R
    let remote: any Remote
    let keys: SyncKeys
    let environment: SyncEnvironment
    let reader: LogReader
    var state: SyncState
    var report = SyncReport()
    /// Who may write how far, within a run.
    var standing = Standing()

    public init(replica: R, remote: any Remote, keys: SyncKeys, environment: SyncEnvironment) {
        (self.replica, self.remote, self.keys, self.environment) = (replica, remote, keys, environment)
        reader = LogReader(keys: keys)
        state = SyncState(ring: keys.ring)
    }

    /// Pulls what is new, then pushes what is.
    public func sync() async throws(SyncError) -> SyncReport {
        try await receive()
        try await push()
        try await compact()
        return report
    }

    /// Pulls what is new.
    @discardableResult
    func receive() async throws(SyncError) -> SyncReport {
        report = SyncReport()
        try loadState()
        let key = state.ring.current.name
        let hasCanary = try await prepare()
        try await pull()
        // It is gone because somebody has rotated; then the log says so.
        guard hasCanary || state.ring.current.name != key else { throw .canaryMismatch }
        return report
    }

    /// This device.
    nonisolated var own: Identifier { keys.device }

    private func loadState() throws(SyncError) {
        state = try replica.transaction { (replica) throws(SyncError) in
            var ring = keys.ring
            if let stored = try replica.loadKeys(), !ring.load(stored) { throw .store(5) }
            guard let bytes = try replica.loadState() else { return firstState(ring) }
            do throws(FormatError) { return try SyncState(decoding: bytes, ring: ring) } catch { throw .store(5) }
        }
    }

    /// Before the first time: the device that made the vault is known from the genesis record.
    private nonisolated func firstState(_ ring: KeyRing) -> SyncState {
        var state = SyncState(ring: ring)
        if let device = Genesis.device(keys.genesis).flatMap({ Identifier(bytes: $0) }),
            let deviceKeys = Genesis.deviceKeys(keys.genesis)
        {
            state.members[device] = SyncState.Member(keys: deviceKeys)
        }
        if let enrolment = keys.enrolment {
            state.members[own] = SyncState.Member(keys: enrolment.deviceKeys)
            state.pending.append(Notice(kind: .enrolment, bytes: enrolment.bytes))
        }
        if !keys.adminWrap.isEmpty { state.pending.append(Notice(kind: .adminWrap, bytes: keys.adminWrap)) }
        if !environment.deviceName.isEmpty {
            state.pending.append(Notice(kind: .name, bytes: environment.deviceName))
        }
        return state
    }

    /// The remote is this vault's, and has not been emptied; an empty one becomes this vault's.
    ///
    /// - Returns: false where the canary that was there is gone.
    private func prepare() async throws(SyncError) -> Bool {
        let link = state.ring.current
        let canary = RemoteObject(path: Layout.canary(link), bytes: state.ring.canaryObject(of: link))
        let found = try await read([Layout.vault, canary.path], limit: KeyRing.objectLimit)
        guard found.count == 2 else { throw .remote(.malformed("a batch came back short")) }
        switch found[0] {
        case .missing:
            let isFirst = state.published == 0 && state.members[own] != nil
            guard isFirst, state.seen.positions.allSatisfy({ $0.key == own }) else {
                throw .rolledBack(Alarm(device: own, sequence: state.published, object: Layout.vault.description))
            }
            try await create([RemoteObject(path: Layout.vault, bytes: keys.genesis), canary])
        case .bytes(keys.genesis):
            guard try await isThere(canary, found[1]) else { return false }
        default: throw .canaryMismatch
        }
        state.canary = link.name
        return true
    }

    /// Whether the canary is there, or may still come there.
    private func isThere(_ canary: RemoteObject, _ found: RemoteBytes) async throws(SyncError) -> Bool {
        switch found {
        case .bytes(canary.bytes): return true
        case .missing:
            if state.canary == state.ring.current.name { return false }
        case .bytes(let part) where part.count < canary.bytes.count && canary.bytes.starts(with: part): break
        default: throw .canaryMismatch
        }
        // Half of it arrived, or none yet: the same bytes from each device.
        guard state.members[own] != nil else { return false }
        try await create([canary])
        return true
    }

    // MARK: The remote, with its errors as ours

    func read(_ paths: [RemotePath], limit: Int) async throws(SyncError) -> [RemoteBytes] {
        do throws(RemoteError) { return try await remote.read(paths, limit: limit) } catch { throw .remote(error) }
    }

    func create(_ objects: [RemoteObject]) async throws(SyncError) {
        do throws(RemoteError) { try await remote.create(objects) } catch { throw .remote(error) }
    }

    func list(_ folder: RemotePath) async throws(SyncError) -> [RemoteItem] {
        do throws(RemoteError) { return try await remote.list(folder) } catch { throw .remote(error) }
    }
}
