internal import Format
internal import Sealing

/// Writing the own log.
extension SyncEngine {
    func push() async throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            let hasMerged = try mergeKeys(replica, &next)
            if try build(replica, &next) || hasMerged { try save(next, after: before, in: replica) }
            return next
        }
        try await publishCanary()
        let outbox = try replica.transaction { (replica) throws(SyncError) in try replica.outbox() }
        var rest = outbox.sorted { $0.sequence < $1.sequence }[...]
        while !rest.isEmpty {
            let part = rest.prefix(8)
            rest = rest.dropFirst(part.count)
            var objects: [RemoteObject] = []
            for (sequence, bytes) in part {
                try await pushBlobs(of: bytes)
                objects.append(
                    RemoteObject(path: Layout.segment(own, sequence, Identifier(hashing: bytes)), bytes: bytes))
            }
            try await create(objects)
            try notePublished(part.map(\.sequence))
            report.pushedSegments += part.count
        }
        if !outbox.isEmpty, let position = state.seen[own] {
            let text = "\(position.sequence).\(position.hash.hexadecimal)\n"
            do throws(RemoteError) {
                try await remote.replace(RemoteObject(path: Layout.head(own), bytes: Array(text.utf8)))
            } catch {
                throw .remote(error)
            }
        }
        try await retireCanaries()
    }

    private func notePublished(_ sequences: [UInt64]) throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            for sequence in sequences {
                try replica.removeFromOutbox(sequence)
                next.published = max(next.published, sequence)
            }
            try replica.saveState(next.encoded)
            return next
        }
    }

    /// Puts own changes into segments, within a transaction; whether there were any.
    ///
    /// From here on a segment is bytes: what is tried again is the same.
    @discardableResult
    nonisolated func build(_ replica: R.Transaction, _ state: inout SyncState) throws(SyncError) -> Bool {
        // A device that is about to join reads only.
        guard state.members[own] != nil else { return false }
        state.pending += try replica.takeNotices()
        var hasBuilt = false
        var changes = try replica.ownChanges(atMost: environment.segmentBytes)
        while !changes.isEmpty || !state.pending.isEmpty {
            try replica.endSegment()
            let next = try replica.ownChanges(atMost: environment.segmentBytes)
            let previous = state.seen[own]
            var seen = state.seen
            seen[own] = nil
            let record = SegmentRecord(
                previous: previous?.hash ?? .none, lamport: next.isEmpty ? replica.lamport : previous?.lamport ?? 0,
                isContinued: !next.isEmpty, seen: seen,
                acknowledged: state.acknowledged[own] ?? [], notices: state.pending, changes: changes)
            try append(record, replica, &state)
            for notice in state.pending { state.note(notice, by: own, at: record.lamport) }
            state.pending = []
            hasBuilt = true
            try sweep(replica, after: changes, state)
            changes = next
        }
        return hasBuilt
    }

    /// Seals a record as the next own segment; its number.
    @discardableResult
    nonisolated func append(
        _ record: SegmentRecord, _ replica: R.Transaction, _ state: inout SyncState
    ) throws(SyncError) -> UInt64 {
        let sequence = (state.seen[own]?.sequence ?? 0) + 1
        let bytes = seal(record, sequence, state.ring.current)
        try replica.addToOutbox(sequence, bytes)
        state.seen[own] = LogPosition(sequence: sequence, hash: Identifier(hashing: bytes), lamport: record.lamport)
        return sequence
    }

    /// A directory that was removed elsewhere goes with the last entry that was removed here, and copies go with what they
    /// are copies of.
    private nonisolated func sweep(
        _ replica: R.Transaction, after changes: [Change], _ state: SyncState
    ) throws(SyncError) {
        let names = state.members.compactMapValues { $0.name.isEmpty ? nil : $0.name }
        let naming = ConflictNaming(devices: names, date: environment.date())
        let none = VersionVector()
        var merge = Merge(replica, author: own, seen: none, applied: none, top: keys.vault, naming: naming)
        for case .entry(let entry) in changes { merge.touched.insert(entry.lineage) }
        try merge.sweepAll()
        try merge.moveCopies()
    }

    private nonisolated func seal(_ record: SegmentRecord, _ sequence: UInt64, _ link: KeyRing.Link) -> [UInt8] {
        var plain = PlainBuffer(capacity: 4096)
        record.encode(into: &plain)
        plain.resize(to: Padding.padme(plain.count, floor: Limits.segmentFloor))
        let header = SignedObject.Header(epoch: link.epoch, device: own.pair, sequence: sequence)
        return plain.withBytes { plain in
            SignedObject.make(
                .segment, header, plain, key: link.keys.segment, vault: keys.vault.pair, signer: keys.signer)
        }
    }

    /// Uploads the chunks that an own segment names and that are not in it.
    private func pushBlobs(of segment: [UInt8]) async throws(SyncError) {
        guard let opened = SignedObject(.segment, segment)?.open(with: state.ring),
            let record = try? opened.plain.withBytes({ (bytes) throws(FormatError) in try SegmentRecord(decoding: bytes)
            })
        else { return }
        var chunks: [ChunkReference] = []
        for case .content(let content) in record.changes { chunks += content.chunks.filter { $0.embedded.isEmpty } }
        while !chunks.isEmpty {
            let part = Array(chunks.prefix(16))
            chunks.removeFirst(part.count)
            let blobs = try replica.transaction { (replica) throws(SyncError) in
                var blobs: [(ChunkReference, [UInt8])] = []
                for chunk in part { if let bytes = try replica.blob(of: chunk.slot) { blobs.append((chunk, bytes)) } }
                return blobs
            }
            // With the segment's own key, so that a retry after a rotation is the same bytes.
            let epochKeys = opened.keys
            try await create(
                blobs.map { chunk, bytes in
                    let sealed = SealedBlob.seal(
                        bytes, slot: chunk.slot, hash: chunk.hash.pair, keys: epochKeys, vault: keys.vault.pair)
                    return RemoteObject(path: Layout.blob(keys.blobName(chunk.slot), chunk.hash), bytes: sealed)
                })
        }
    }

    func compact() async throws(SyncError) {}
}
