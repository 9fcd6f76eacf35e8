internal import Format
internal import Sealing

/// Writing the own log.
extension SyncEngine {
    /// Puts what is new into segments and sends what waits.
    func publish() async throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            let hasMerged = try mergeKeys(replica, &next)
            if try build(replica, &next) || hasMerged { try save(next, after: before, in: replica) }
            return next
        }
        try await publishCanary()
        try await sendOutbox()
        try await retireCanaries()
    }

    /// Sends the segments that wait, as many times as it takes and always the same bytes; then the hint.
    func sendOutbox() async throws(SyncError) {
        let outbox = try replica.transaction { (replica) throws(SyncError) in try replica.outbox() }
        var rest = outbox.sorted { $0.sequence < $1.sequence }[...]
        var sent: UInt64 = 0
        while !rest.isEmpty {
            try checkCancellation()
            let part = rest.prefix(8)
            rest = rest.dropFirst(part.count)
            var objects: [RemoteObject] = []
            var last: LogPosition?
            var changes = 0
            for (sequence, bytes) in part {
                let hash = Identifier(hashing: bytes)
                if let (record, epochKeys) = open(bytes, state.ring) {
                    // With the segment's own key, so that a retry after a rotation is the same bytes.
                    try await pushBlobs(chunks(of: record.changes), epochKeys)
                    last = LogPosition(sequence: sequence, hash: hash, lamport: record.lamport)
                    changes += record.changes.count
                }
                objects.append(RemoteObject(path: Layout.segment(own, sequence, hash), bytes: bytes, isNew: true))
                sent += UInt64(bytes.count)
            }
            if !environment.rules.keepsOutbox { try notePublished(part.map(\.sequence), last) }
            try await create(objects)
            try notePublished(part.map(\.sequence), last)
            report.pushedSegments += part.count
            report.pushedChanges += changes
            environment.progress(
                SyncProgress(phase: .pushing, done: outbox.count - rest.count, total: outbox.count, bytes: sent))
        }
        if !outbox.isEmpty { try await writeHint() }
    }

    private func notePublished(_ sequences: [UInt64], _ last: LogPosition?) throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            for sequence in sequences { try replica.removeFromOutbox(sequence) }
            if let last, last.sequence > next.published?.sequence ?? 0 { next.published = last }
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
        var hasBuilt = false
        let isFirst = state.seen[own] == nil
        state.pending += try replica.takeNotices()
        var changes = try ownChanges(replica, state)
        while !changes.isEmpty || !state.pending.isEmpty || owesAcknowledgement(state) {
            // Under the key of one rotation, who was shut out by another one could read it.
            try mergeKeys(replica, &state)
            try replica.endSegment()
            let next = try ownChanges(replica, state)
            var record = makeRecord(changes, isContinued: !next.isEmpty, replica, state)
            if let notice = try settlements(of: changes, replica) { record.notices.append(notice) }
            try append(record, replica, &state)
            note(record.notices, of: own, in: &state)
            state.pending = []
            state.acknowledged[own] = record.acknowledged
            try count(record, replica, in: &state)
            hasBuilt = true
            try sweep(replica, after: changes, state)
            changes = next
        }
        // What a device begins with is all of use.
        if hasBuilt, isFirst { state.volume.noteLive(state.volume.tail) }
        return hasBuilt
    }

    /// What is to be put into the next segment; copies that were touched here are settled here, as they will be where the
    /// segment is read.
    private nonisolated func ownChanges(
        _ replica: R.Transaction, _ state: SyncState
    ) throws(SyncError) -> [Change] {
        let changes = try replica.ownChanges(atMost: environment.segmentBytes)
        guard !changes.isEmpty else { return [] }
        var seen = state.seen
        seen[own] = nil
        var merge = Merge(
            replica, own: own, author: own, seen: seen, applied: state.seen, top: keys.vault, naming: naming(state))
        let isDetached = try merge.detachCopies(in: changes)
        let isReclaimed = try merge.reclaimDirectories(in: changes)
        let all = isDetached || isReclaimed ? try replica.ownChanges(atMost: environment.segmentBytes) : changes
        try merge.settleCopies(in: all)
        try merge.settleOldRivals()
        try merge.takeOwn(all)
        try merge.sweepAll()
        try merge.moveCopies(besides: all)
        return all
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
        state.readBy[own] = record.seen.sequences
        return sequence
    }

    /// Which of the placements a merge has made.
    private nonisolated func settlements(
        of changes: [Change], _ replica: R.Transaction
    ) throws(SyncError) -> Notice? {
        var record = SettlementsRecord()
        for case .entry(let change) in changes {
            guard let register = try replica.entry(change.entry), register.placement.stamp == change.stamp,
                let replaced = register.settles
            else { continue }
            record.settlements[change.entry] = EntryRecord.Settlement(stamp: change.stamp, replaced: replaced)
        }
        guard !record.settlements.isEmpty else { return nil }
        var bytes = PlainBuffer(capacity: 64 * record.settlements.count)
        record.encode(into: &bytes)
        let said = bytes.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
        return Notice(kind: .settlements, bytes: said)
    }

    private nonisolated func makeRecord(
        _ changes: [Change], isContinued: Bool, _ replica: R.Transaction, _ state: SyncState
    ) -> SegmentRecord {
        let previous = state.seen[own]
        var seen = state.seen
        seen[own] = nil
        return SegmentRecord(
            previous: previous?.hash ?? .none, lamport: isContinued ? previous?.lamport ?? 0 : replica.lamport,
            isContinued: isContinued, seen: seen, acknowledged: state.snapshots.map(\.name), notices: state.pending,
            changes: changes)
    }

    /// A snapshot was checked, and the others wait to hear of it. They do not answer that.
    private nonisolated func owesAcknowledgement(_ state: SyncState) -> Bool {
        let said = state.acknowledged[own] ?? []
        return state.snapshots.contains { !said.contains($0.name) }
    }

    /// A directory that was removed elsewhere goes with the last entry that was removed here, and copies go with what they are
    /// copies of.
    private nonisolated func sweep(
        _ replica: R.Transaction, after changes: [Change], _ state: SyncState
    ) throws(SyncError) {
        let none = VersionVector()
        var merge = Merge(
            replica, own: own, author: own, seen: none, applied: none, top: keys.vault, naming: naming(state))
        for change in changes {
            if case .entry(let entry) = change { merge.touched.insert(entry.lineage) }
        }
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

    /// What an own segment says, or one that was checked before.
    nonisolated func open(_ segment: [UInt8], _ ring: KeyRing) -> (record: SegmentRecord, keys: EpochKeys)? {
        guard let opened = SignedObject(.segment, segment)?.open(with: ring),
            let record = try? opened.plain.withBytes({ (bytes) throws(FormatError) in try SegmentRecord(decoding: bytes)
            })
        else { return nil }
        return (record, opened.keys)
    }
}
