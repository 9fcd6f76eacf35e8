internal import Format
internal import Sealing

/// Brings a replica and a remote together.
///
/// **Vocabulary.** Each device writes a *log* of its own: *segments*, numbered, signed, each with the hash of the one
/// before it and with what the device had *seen* of the other logs. The state of a replica follows from the set of
/// segments that it has applied, whatever their order. A *hint* tells how far a log goes, and saves listing. A *snapshot*
/// is the registers of a replica, and stands for the segments that it *covers*.
///
/// A run is a *whole look*, which lists everything, or a *short* one, which goes by the hints; what is right never rests
/// on hints, so every so many looks one is whole.
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
    /// The hints as they were read last.
    var hints: [Identifier: Hint] = [:]
    /// Looks since the last whole one; nil before the first.
    var shortLooks: Int?
    /// Blobs that are known to be at the remote, by their hashes.
    var knownBlobs: Set<Identifier> = []
    /// What segments that could not be applied yet say that they build on.
    var waitingFor: [Identifier: UInt64] = [:]
    /// The user has said that the remote may have lost something.
    var acceptsLoss = false

    public init(replica: R, remote: any Remote, keys: SyncKeys, environment: SyncEnvironment) {
        (self.replica, self.remote, self.keys, self.environment) = (replica, remote, keys, environment)
        reader = LogReader(keys: keys)
        state = SyncState(device: keys.device)
    }

    /// Pulls what is new, then pushes what is. The first run of an engine looks at everything, later ones where the hints
    /// point, and every so often at everything.
    public func sync() async throws(SyncError) -> SyncReport {
        try begin()
        do throws(SyncError) {
            if isShortLookEnough { try await shortLook() } else { try await wholeLook() }
        } catch {
            await noteAlarm(error)
            throw error
        }
        return report
    }

    /// Pushes own changes alone: one segment and one hint for one edit. Where the last look at everything was too long ago,
    /// or something was wrong, it is a whole ``sync()``.
    public func push() async throws(SyncError) -> SyncReport {
        guard isShortLookEnough else { return try await sync() }
        try begin()
        try await publish()
        return report
    }

    func begin() throws(SyncError) {
        report = SyncReport()
        try loadState()
        guard state.device == own else { throw .cloned }
    }

    private func shortLook() async throws(SyncError) {
        shortLooks = (shortLooks ?? 0) + 1
        let behind = try await readHints().filter { isBehind($0.key, $0.value) }.map(\.key)
        if !behind.isEmpty { try await pull(only: behind.sorted()) }
        try await publish()
    }

    private func wholeLook() async throws(SyncError) {
        try await prepare()
        knownBlobs = []
        let hints = try await readHints()
        try await start()
        try await pull(only: nil)
        try checkKit()
        try await checkSnapshots()
        try await publish()
        try await renewHint(hints[own])
        try await compact()
        try noteOverdue(hints)
        try changeState { $0.alarm = nil }
        shortLooks = 0
    }

    private var isShortLookEnough: Bool {
        guard let shortLooks, state.alarm == nil, !isUpkeepDue else { return false }
        return shortLooks < environment.hintsBeforeLook
    }

    /// This device.
    nonisolated var own: Identifier { keys.device }

    func loadState() throws(SyncError) {
        let first = firstState
        state = try replica.transaction { (replica) throws(SyncError) in
            guard let bytes = try replica.loadState() else { return first }
            do throws(FormatError) { return try SyncState(decoding: bytes) } catch { throw .store(5) }
        }
    }

    /// Changes the state in a transaction of its own.
    func changeState(_ change: (inout SyncState) -> Void) throws(SyncError) {
        var next = state
        change(&next)
        guard next != state else { return }
        let saved = next
        try replica.transaction { (replica) throws(SyncError) in try replica.saveState(saved.encoded) }
        state = next
    }

    /// Before the first time: the device that made the vault is known from the genesis record.
    private var firstState: SyncState {
        var state = SyncState(device: own)
        if let (device, member) = firstMember { state.members[device] = member }
        introduce(in: &state)
        return state
    }

    /// The device that made the vault.
    nonisolated var firstMember: (Identifier, SyncState.Member)? {
        guard let device = Genesis.device(keys.genesis).flatMap({ Identifier(bytes: $0) }),
            let deviceKeys = Genesis.deviceKeys(keys.genesis)
        else { return nil }
        return (device, SyncState.Member(keys: deviceKeys))
    }

    /// What this device says of itself in its first segment.
    nonisolated func introduce(in state: inout SyncState) {
        if let enrolment = keys.enrolment {
            state.members[own] = SyncState.Member(keys: enrolment.deviceKeys, enrolment: enrolment.bytes)
            state.pending.append(Notice(kind: .enrolment, bytes: enrolment.bytes))
        }
        if !environment.deviceName.isEmpty {
            state.pending.append(Notice(kind: .name, bytes: environment.deviceName))
        }
    }

    /// The remote is this vault's, and has not been emptied; an empty one becomes this vault's.
    ///
    /// - Parameter mayCreate: although this device has published before.
    func prepare(mayCreate: Bool = false) async throws(SyncError) {
        let canaryPath = Layout.canary(keys.epoch)
        let found = try await read([Layout.vault, canaryPath], limit: 4096)
        guard found.count == 2 else { throw .remote(.malformed("a batch came back short")) }
        switch found[0] {
        case .missing:
            let isFirst = state.published == nil && state.seen.positions.allSatisfy { $0.key == own }
            guard mayCreate || isFirst else {
                throw .rolledBack(
                    Alarm(device: own, sequence: state.published?.sequence ?? 0, object: Layout.vault.description))
            }
            try await createVault()
        case .bytes(keys.genesis):
            switch found[1] {
            case .bytes(keys.canary): return
            case .missing where mayCreate || state.published == nil:
                try await create([RemoteObject(path: canaryPath, bytes: keys.canary)])
            default: throw .canaryMismatch
            }
        default: throw .canaryMismatch
        }
    }

    func createVault() async throws(SyncError) {
        try await create([
            RemoteObject(path: Layout.vault, bytes: keys.genesis),
            RemoteObject(path: Layout.canary(keys.epoch), bytes: keys.canary),
        ])
    }
}

/// The remote, with its errors as ours.
extension SyncEngine {
    func read(_ paths: [RemotePath], limit: Int) async throws(SyncError) -> [RemoteBytes] {
        do throws(RemoteError) { return try await remote.read(paths, limit: limit) } catch { throw .remote(error) }
    }

    func create(_ objects: [RemoteObject]) async throws(SyncError) {
        do throws(RemoteError) { try await remote.create(objects) } catch { throw .remote(error) }
    }

    func replace(_ hint: RemoteObject) async throws(SyncError) {
        do throws(RemoteError) { try await remote.replace(hint) } catch { throw .remote(error) }
    }

    func list(_ folder: RemotePath) async throws(SyncError) -> [RemoteItem] {
        do throws(RemoteError) { return try await remote.list(folder) } catch { throw .remote(error) }
    }

    func remove(_ paths: [RemotePath]) async throws(SyncError) {
        guard !paths.isEmpty else { return }
        do throws(RemoteError) { try await remote.remove(paths) } catch { throw .remote(error) }
        report.removedObjects += paths.count
    }

    /// Between transactions a run may be called off.
    nonisolated func checkCancellation() throws(SyncError) {
        if Task.isCancelled { throw .remote(.cancelled) }
    }
}
