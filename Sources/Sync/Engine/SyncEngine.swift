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
    /// The tags of the receipts that were read.
    var receiptTags: [Identifier: String] = [:]
    /// Looks since the last whole one; nil before the first.
    var shortLooks: Int?
    /// Blobs that are known to be at the remote, by their hashes.
    var knownBlobs: Set<Identifier> = []
    /// The last blobs that were read had names that programs from before have given.
    var isOldBlobLikelier = false
    /// What segments that could not be applied yet say that they build on.
    var waitingFor: [Identifier: UInt64] = [:]
    /// The logs that had a gap at the last look at everything.
    var gaps: [Identifier] = []
    /// Something that was listed, or that something which was read names, was not there as it should be.
    var hasMissed = false
    /// What was not there when its log was looked at last, though something speaks of it.
    var awaited: [Identifier: AwaitedSegment] = [:]
    /// The logs that are set aside in this run, and why.
    var faults: [Identifier: Alarm] = [:]
    /// Who may write how far, within a run.
    var standing = Standing()
    /// The user has said that the remote may have lost something.
    var acceptsLoss = false

    public init(replica: R, remote: any Remote, keys: SyncKeys, environment: SyncEnvironment) {
        (self.replica, self.remote, self.keys, self.environment) = (replica, remote, keys, environment)
        reader = LogReader(keys: keys)
        state = SyncState(device: keys.device, ring: keys.ring)
    }

    /// Pulls what is new, then pushes what is. The first run of an engine looks at everything, later ones where the hints
    /// point, and every so often at everything.
    ///
    /// - Parameter whole: at everything in any case.
    public func sync(whole: Bool = false) async throws(SyncError) -> SyncReport {
        try await synchronise(whole: whole)
        if let fault = try await alarmOfFaults() { throw fault }
        noteAwaited()
        return report
    }

    /// All of it but the alarm that a log was set aside: whoever shuts a device out must get there.
    func synchronise(whole: Bool) async throws(SyncError) {
        try begin()
        do throws(SyncError) {
            if !whole, isShortLookEnough { try await shortLook() } else { try await wholeLook() }
        } catch {
            await noteAlarm(error)
            throw error
        }
    }

    /// Pushes own changes alone: one segment and one hint for one edit. Where the last look at everything was too long ago,
    /// or something was wrong, it is a whole ``sync()``.
    public func push() async throws(SyncError) -> SyncReport {
        guard isShortLookEnough else { return try await sync() }
        try begin()
        try await publish()
        noteAwaited()
        return report
    }

    func begin() throws(SyncError) {
        report = SyncReport()
        faults = [:]
        try loadState()
        guard state.device == own else { throw .cloned }
        try beginTraces()
        try retrySetAside()
    }

    private func shortLook() async throws(SyncError) {
        shortLooks = (shortLooks ?? 0) + 1
        let behind = try await readHints().filter { isBehind($0.key, $0.value) }.map(\.key)
        if !behind.isEmpty { try await pull(only: behind.sorted()) }
        try await publish()
    }

    private func wholeLook() async throws(SyncError) {
        let hints = try await lookAtAll()
        try checkKit()
        try await checkSnapshots()
        try await publish()
        try await renewHint(hints[own])
        try await compact()
        try await writeReceipt()
        try noteOverdue(hints)
        try changeState { $0.alarm = nil }
        shortLooks = 0
    }

    /// Reads everything that is new; the hints as they were.
    func lookAtAll() async throws(SyncError) -> [Identifier: Hint] {
        let key = state.ring.current.name
        let hasCanary = try await prepare()
        knownBlobs = []
        let hints = try await readHints()
        try await start()
        try await pull(only: nil)
        // It is gone because somebody has rotated; then the log says so.
        guard hasCanary || state.ring.current.name != key else { throw .canaryMismatch }
        return hints
    }

    private var isShortLookEnough: Bool {
        guard let shortLooks, state.alarm == nil, !isUpkeepDue else { return false }
        return shortLooks < environment.hintsBeforeLook
    }

    /// This device.
    nonisolated var own: Identifier { keys.device }

    func loadState() throws(SyncError) {
        state = try replica.transaction { (replica) throws(SyncError) in
            var ring = keys.ring
            if let stored = try replica.loadKeys(), !ring.load(stored) {
                if let format = ObjectFormat.newerRecord(stored) { throw .newerFormat(format) }
                throw .store(5)
            }
            guard let bytes = try replica.loadState() else { return firstState(ring) }
            if let format = SyncState.newerFormat(bytes) { throw .newerFormat(format) }
            do throws(FormatError) { return try SyncState(decoding: bytes, ring: ring) } catch { throw .store(5) }
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
    private nonisolated func firstState(_ ring: KeyRing) -> SyncState {
        var state = SyncState(device: own, ring: ring)
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
        if !keys.adminWrap.isEmpty { state.pending.append(Notice(kind: .adminWrap, bytes: keys.adminWrap)) }
        if !environment.deviceName.isEmpty {
            state.pending.append(Notice(kind: .name, bytes: environment.deviceName))
        }
    }

    /// The remote is this vault's, and has not been emptied; an empty one becomes this vault's.
    ///
    /// - Parameter mayCreate: although this device has published before.
    /// - Returns: false where the canary that was there is gone.
    @discardableResult
    func prepare(mayCreate: Bool = false) async throws(SyncError) -> Bool {
        let link = state.ring.current
        let canary = RemoteObject(path: Layout.canary(link), bytes: state.ring.canaryObject(of: link))
        let found = try await read([Layout.vault, canary.path], limit: KeyRing.objectLimit)
        guard found.count == 2 else { throw .remote(.malformed("a batch came back short")) }
        for case .bytes(let bytes) in found {
            if let format = ObjectFormat.newerRecord(bytes) { throw .newerFormat(format) }
        }
        switch found[0] {
        case .missing:
            let isFirst = state.published == nil && state.seen.positions.allSatisfy { $0.key == own }
            guard mayCreate || (isFirst && isMember) else {
                throw .rolledBack(
                    Alarm(device: own, sequence: state.published?.sequence ?? 0, object: Layout.vault.description))
            }
            try await create([RemoteObject(path: Layout.vault, bytes: keys.genesis), canary])
        case .bytes(keys.genesis):
            guard try await isThere(canary, found[1], mayCreate) else { return false }
        default: throw .canaryMismatch
        }
        state.canary = link.name
        return true
    }

    /// Whether the canary is there, or may still come there.
    private func isThere(
        _ canary: RemoteObject, _ found: RemoteBytes, _ mayCreate: Bool
    ) async throws(SyncError) -> Bool {
        switch found {
        case .bytes(canary.bytes): return true
        case .missing:
            if state.canary == state.ring.current.name, !mayCreate { return false }
        case .bytes(let part) where part.count < canary.bytes.count && canary.bytes.starts(with: part): break
        default: throw .canaryMismatch
        }
        // Half of it arrived, or none yet: the same bytes from each device.
        guard isMember else { return false }
        try await create([canary])
        return true
    }

    private var isMember: Bool { state.members[own] != nil }
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
