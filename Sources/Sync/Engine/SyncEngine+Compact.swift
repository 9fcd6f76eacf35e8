internal import Format
internal import Sealing

/// Keeping the remote small: snapshots in the place of segments, and removal of what nobody needs any more.
///
/// Nothing is removed that an agreed snapshot does not cover: one that each active device has read and found right. Each
/// device removes its own segments and snapshots, and those of devices that were shut out; who was away for long holds up
/// removal until he is back or shut out.
extension SyncEngine {
    func compact() async throws(SyncError) {
        // What was not read may be of a device that is new, or name a chunk that seems to be of no use.
        guard report.waiting == 0, report.damaged.isEmpty else { return }
        // A snapshot is to have all that it covers.
        guard try !hasSetAside() else { return }
        try countLive()
        if isSnapshotDue || state.owesSnapshot { try await writeSnapshot() }
        if let agreed = removable { try await remove(coveredBy: agreed) }
    }

    /// Whether a whole look would have something to do besides looking.
    var isUpkeepDue: Bool {
        !unchecked.isEmpty || removable != nil || state.owesSnapshot
            || state.volume.isCountDue(floor: environment.segmentsBeforeSnapshot)
    }

    private var isSnapshotDue: Bool {
        // One snapshot that the others have not answered yet is enough.
        let isWaiting = state.snapshots.contains { $0.order > trusted?.order ?? (0, .none) }
        return !isWaiting && state.volume.isSnapshotWorthIt(floor: environment.segmentsBeforeSnapshot)
    }

    /// Measures what is live, where enough has come since the last time.
    private func countLive() throws(SyncError) {
        guard state.volume.isCountDue(floor: environment.segmentsBeforeSnapshot) else { return }
        let (bytes, registers) = try replica.transaction { (replica) throws(SyncError) in
            var (bytes, registers): (UInt64, UInt64) = (0, 0)
            try replica.forEachRegister { (register) throws(SyncError) in
                registers += 1
                bytes += UInt64(register.encodedSize)
                if case .lineage(_, let content?) = register { bytes += UInt64(content.chunkBytes) }
            }
            return (bytes, registers)
        }
        try changeState { $0.volume.noteLive(bytes, registers: registers) }
    }

    /// The snapshot that takes the place of segments.
    private var trusted: KnownSnapshot? {
        guard environment.rules.waitsForAcknowledgement else { return state.snapshots.max { $0.order < $1.order } }
        return state.agreed(own: own)
    }

    /// The snapshot that all devices agree on, where it covers something that is still to be removed.
    private var removable: KnownSnapshot? {
        guard let agreed = trusted else { return nil }
        let covered = agreed.seen[own]?.sequence ?? 0
        let isFurther =
            covered > state.removed + 1 || covered > state.removed && covered < state.seen[own]?.sequence ?? 0
        return isFurther || state.snapshots.contains { isReplaced($0, by: agreed) } ? agreed : nil
    }

    private func isReplaced(_ snapshot: KnownSnapshot, by agreed: KnownSnapshot) -> Bool {
        snapshot.name != agreed.name && snapshot.order < agreed.order && agreed.seen.covers(snapshot.seen)
    }

    private func remove(coveredBy agreed: KnownSnapshot) async throws(SyncError) {
        // It may have been lost since: then nothing covers anything.
        guard let found = try await manifests([agreed.name]).first, found.manifest.seen == agreed.seen else {
            return try changeState { state in state.snapshots.removeAll { $0.name == agreed.name } }
        }
        let kept = Set(state.snapshots.filter { !isReplaced($0, by: agreed) }.map(\.name))
        let mine = Set(state.members.filter { $0.value.revokedAfter != nil }.map(\.key)).union([own])
        let logs = try await listLogs()
        var segments: [RemotePath] = []
        for device in mine.sorted() { segments += logs.paths(device, upTo: agreed.seen[device]?.sequence ?? 0) }
        let snapshots = try await list(Layout.snapshots).compactMap { Layout.snapshotName($0.name) }
        var parts: [RemotePath] = []
        for name in snapshots where mine.contains(name.device) && !kept.contains(name) {
            parts += try await list(Layout.snapshot(name)).compactMap { item in
                RemotePath(Layout.snapshot(name).components + [item.name])
            }
        }
        // The chunks first: once the segments are gone nobody knows of them.
        try await removeBlobs(namedIn: segments + parts, agreed, logs, snapshots.filter { kept.contains($0) })
        try await remove(segments)
        try await remove(parts)
        let covered = agreed.seen[own]?.sequence ?? 0
        try changeState { state in
            state.removed = max(state.removed, covered)
            state.snapshots.removeAll { isReplaced($0, by: agreed) }
        }
    }

    /// Removes the chunks that only what is removed names: no register, no snapshot that stays, and no segment that some
    /// snapshot does not cover. A chunk that no segment names yet is none of them, whoever is about to write it.
    private func removeBlobs(
        namedIn leaving: [RemotePath], _ agreed: KnownSnapshot, _ logs: Logs, _ kept: [SnapshotName]
    ) async throws(SyncError) {
        var chunks: [Identifier: ChunkReference] = [:]
        try await forEachChunk(in: leaving) { chunks[$0.hash] = $0 }
        guard !chunks.isEmpty else { return }
        let candidates = Set(chunks.keys)
        var used = try replica.transaction { (replica) throws(SyncError) in
            var used = Set<Identifier>()
            try replica.forEachRegister { (register) throws(SyncError) in
                for chunk in self.chunks(of: [register]) where candidates.contains(chunk.hash) {
                    used.insert(chunk.hash)
                }
            }
            return used
        }
        var staying: [RemotePath] = []
        for (device, segments) in logs.segments {
            for (sequence, hashes) in segments where sequence > agreed.seen[device]?.sequence ?? 0 {
                staying += hashes.map { Layout.segment(device, sequence, $0) }
            }
        }
        for name in kept {
            staying += try await list(Layout.snapshot(name)).compactMap { item in
                RemotePath(Layout.snapshot(name).components + [item.name])
            }
        }
        try await forEachChunk(in: staying.sorted()) { used.insert($0.hash) }
        let unused = chunks.filter { !used.contains($0.key) }.map(\.value)
        guard !unused.isEmpty else { return }
        let hasOld = try await hasOldBlobs()
        try await remove((unused.map(path) + (hasOld ? unused.map(oldPath) : [])).sorted())
        for chunk in unused { knownBlobs.remove(chunk.hash) }
    }

    /// The chunks that segments and parts of snapshots name.
    private func forEachChunk(in paths: [RemotePath], _ body: (ChunkReference) -> Void) async throws(SyncError) {
        var rest = paths[...]
        while !rest.isEmpty {
            try checkCancellation()
            let part = Array(rest.prefix(8))
            rest = rest.dropFirst(part.count)
            for case .bytes(let bytes) in try await read(part, limit: Limits.segment) {
                if let (record, _) = open(bytes, state.ring) { chunks(of: record.changes).forEach(body) }
                if let registers = openPart(bytes, state.ring) { chunks(of: registers).forEach(body) }
            }
        }
    }

    private nonisolated func openPart(_ bytes: [UInt8], _ ring: KeyRing) -> [SnapshotRegister]? {
        guard let object = SignedObject(.snapshot, bytes), object.header.index > 1, let opened = object.open(with: ring)
        else { return nil }
        return try? opened.plain.withBytes { (bytes) throws(FormatError) in try SnapshotPart(decoding: bytes).registers
        }
    }
}
