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
    var state = SyncState()
    var report = SyncReport()

    public init(replica: R, remote: any Remote, keys: SyncKeys, environment: SyncEnvironment) {
        (self.replica, self.remote, self.keys, self.environment) = (replica, remote, keys, environment)
        reader = LogReader(keys: keys)
    }

    /// Pulls what is new, then pushes what is.
    public func sync() async throws(SyncError) -> SyncReport {
        report = SyncReport()
        try loadState()
        try await prepare()
        try await pull()
        try await push()
        try await compact()
        return report
    }

    /// This device.
    nonisolated var own: Identifier { keys.device }

    private func loadState() throws(SyncError) {
        let first = firstState
        state = try replica.transaction { (replica) throws(SyncError) in
            guard let bytes = try replica.loadState() else { return first }
            do throws(FormatError) { return try SyncState(decoding: bytes) } catch { throw .store(5) }
        }
    }

    /// Before the first time: the device that made the vault is known from the genesis record.
    private var firstState: SyncState {
        var state = SyncState()
        if let device = Genesis.device(keys.genesis).flatMap({ Identifier(bytes: $0) }),
            let deviceKeys = Genesis.deviceKeys(keys.genesis)
        {
            state.members[device] = SyncState.Member(keys: deviceKeys)
        }
        if let enrolment = keys.enrolment {
            state.members[own] = SyncState.Member(keys: enrolment.deviceKeys)
            state.pending.append(Notice(kind: .enrolment, bytes: enrolment.bytes))
        }
        if !environment.deviceName.isEmpty {
            state.pending.append(Notice(kind: .name, bytes: environment.deviceName))
        }
        return state
    }

    /// The remote is this vault's, and has not been emptied; an empty one becomes this vault's.
    private func prepare() async throws(SyncError) {
        let canaryPath = Layout.canary(keys.epoch)
        let found = try await read([Layout.vault, canaryPath], limit: 4096)
        guard found.count == 2 else { throw .remote(.malformed("a batch came back short")) }
        switch found[0] {
        case .missing:
            guard state.published == 0, state.seen.positions.allSatisfy({ $0.key == own }) else {
                throw .rolledBack(Alarm(device: own, sequence: state.published, object: Layout.vault.description))
            }
            try await create([
                RemoteObject(path: Layout.vault, bytes: keys.genesis),
                RemoteObject(path: canaryPath, bytes: keys.canary),
            ])
        case .bytes(keys.genesis):
            switch found[1] {
            case .bytes(keys.canary): return
            case .missing where state.published == 0:
                try await create([RemoteObject(path: canaryPath, bytes: keys.canary)])
            default: throw .canaryMismatch
            }
        default: throw .canaryMismatch
        }
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
