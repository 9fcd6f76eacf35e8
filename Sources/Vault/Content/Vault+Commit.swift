internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// Committing a changed content; the caller holds its lock.
extension Vault {
    func commit(_ state: inout ContentState) throws(Errno) {
        guard state.isDirty, state.slot != 0 else { return }
        do throws(Errno) {
            try nameDisplaced(state.node)
            do throws(Errno) { try store(&state) } catch {
                guard error == .noSpace, giveWay(to: UInt64(clamping: state.dirtyBytes)) else { throw error }
                try store(&state)
            }
        } catch {
            state.failure = error
            throw error
        }
        state.failure = nil
        if applier.durability.size > Maintenance.checkpointForced { checkpoint() }
    }

    private func store(_ state: inout ContentState) throws(Errno) {
        try materialize(&state)
        let prepared = state
        let isLarge = prepared.dirtyBytes > Vault.journaledContent
        let whole = isLarge ? try writeWholeChunks(prepared) : [:]
        var isCommitted = false
        defer { if !isCommitted { chunks.release(whole.values.map(\.cell)) } }
        let outcome = try committer.withLock { (committer) throws(Errno) -> ContentState.StoredContent in
            let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(prepared.node) }
            func store() throws(Errno) -> ContentState.StoredContent {
                try self.store(prepared, whole, inode, in: committer)
            }
            return isLarge ? try committer.transactionNow(store) : try committer.transaction(store)
        }
        isCommitted = true
        let holes = Holes.count(outcome.chunks, size: state.size)
        if holes != state.holes {
            state.holes = holes
            tree.withLock { $0.update(prepared.node) { $0.holes = holes } }
        }
        state.stored = outcome
        state.storedSize = state.size
        state.keptSize = state.size
        state.dirty.removeAll()
        state.isDirty = false
        state.storedIsGone = false
        state.versionSaved = true
    }

    /// Reads, before the committer is taken, what the commit needs of the stored content: all of an inline one,
    /// and the rest of a chunk that was cut short.
    private func materialize(_ state: inout ContentState) throws(Errno) {
        guard state.storedSize > 0, !state.storedIsGone else { return }
        let stored = try loadStored(&state)
        if stored.reference.kind == .inline, stored.valid > 0, state.dirty[0] == nil {
            try makeDirty(&state, index: 0)
        }
        let cut = stored.valid % UInt64(Limits.chunkSize)
        if stored.valid < stored.reference.size, cut != 0 {
            let index = Int(stored.valid / UInt64(Limits.chunkSize))
            if state.dirty[index] == nil, !state.isHole(index, stored) { try makeDirty(&state, index: index) }
        }
    }

    /// Inside a transaction: the file's row with its new content, the earlier one as a version.
    private func store(
        _ state: ContentState, _ whole: [Int: WholeChunk], _ inode: Inode, in committer: Committer
    ) throws(Errno) -> ContentState.StoredContent {
        var state = state
        var (record, seal) = try committer.loadFile(state.slot)
        if state.stored == nil { try describe(&state, record, in: committer) }
        let old = try oldContent(state, record, in: committer)
        committer.advanceClock()
        var keepsOldChunks = false
        // A file that another one took the place of has no history of its own any more: nobody could find it.
        if !state.versionSaved, record.content.size > 0, !Vault.isScratch(inode), record.detached == 0 {
            try saveVersion(of: &record, slot: state.slot, in: committer)
            keepsOldChunks = true
        }
        record.take(inode, mounter: mounter)
        record.stamp = committer.nextStamp()
        committer.renewHeads(of: &record)
        var content = ContentReference(
            kind: .none, version: record.content.version + 1, size: state.size, seal: .zero, origin: record.identifier)
        let stored: ContentState.StoredContent
        if state.size <= UInt64(Limits.inlineContent) {
            stored = try storeInline(state, &record, &content, seal, in: committer)
        } else {
            stored = try storeChunks(state, whole, &record, &content, seal, in: committer)
        }
        if !keepsOldChunks {
            try deleteChunks(old, besides: stored.chunks, of: record, in: committer)
        }
        committer.operations.append(
            Operation(kind: .content, subject: record.identifier, version: record.content.version))
        return stored
    }

    /// Deletes chunks that are in use no more. The version that this save began with shares those that it has not
    /// reached yet.
    private func deleteChunks(
        _ old: [Int64], besides kept: [Int64], of record: FileRecord, in committer: Committer
    ) throws(Errno) {
        var doomed = Set(old).subtracting(kept)
        doomed.remove(0)
        let version = record.detached != 0 ? record.detached : record.history
        if !doomed.isEmpty { doomed.subtract(try chunks(ofVersion: version, committer)) }
        for slot in doomed { try committer.deleteChunk(slot) }
    }

    /// The chunks of a version; none where there is no such one, or none any more.
    func chunks(ofVersion slot: Int64, _ committer: Committer) throws(Errno) -> [Int64] {
        guard slot != 0, try committer.has(.version, slot: slot) else { return [] }
        return try chunkListInTransaction(.version, slot, committer.loadVersion(slot).0.content, committer)
    }

    /// What is stored, from the row that is being rewritten.
    private func describe(
        _ state: inout ContentState, _ record: FileRecord, in committer: Committer
    ) throws(Errno) {
        let isGone = state.storedIsGone
        state.stored = ContentState.StoredContent(
            reference: isGone
                ? ContentReference(kind: .none, version: 0, size: 0, seal: .zero, origin: state.file)
                : record.content,
            chunks: isGone ? [] : try chunkListInTransaction(.file, state.slot, record.content, committer),
            valid: isGone ? 0 : min(record.content.size, state.keptSize))
    }

    /// The chunks that the row has now, also where the content was truncated to nothing unread.
    private func oldContent(
        _ state: ContentState, _ record: FileRecord, in committer: Committer
    ) throws(Errno) -> [Int64] {
        guard record.content.kind == .chunks else { return [] }
        if !state.storedIsGone, let stored = state.stored { return stored.chunks }
        return try chunkListInTransaction(.file, state.slot, record.content, committer)
    }

    private func storeInline(
        _ state: ContentState, _ record: inout FileRecord, _ content: inout ContentReference, _ seal: Seal,
        in committer: Committer
    ) throws(Errno) -> ContentState.StoredContent {
        record.hasHoles = false
        guard state.size > 0 else {
            record.content = content
            unsafe try committer.putFile(record, slot: state.slot, previous: seal, content: .none)
            return ContentState.StoredContent(reference: content, chunks: [], valid: 0)
        }
        content.kind = .inline
        var copy = state
        var plain = PlainBuffer(capacity: Limits.inlineContent)
        try read(&copy, offset: 0, count: Int(state.size), into: &plain)
        plain.resize(to: Padding.padme(plain.count, floor: Limits.recordFloor))
        var sealed = PlainBuffer(capacity: plain.count)
        unsafe plain.withUnsafeBytes { unsafe committer.sealContent($0, &content, into: &sealed) }
        record.content = content
        try unsafe sealed.withUnsafeBytes { (bytes) throws(Errno) in
            try unsafe committer.putFile(record, slot: state.slot, previous: seal, content: .bytes(bytes))
        }
        return ContentState.StoredContent(reference: content, chunks: [], valid: state.size)
    }

    private func storeChunks(
        _ state: ContentState, _ whole: [Int: WholeChunk], _ record: inout FileRecord,
        _ content: inout ContentReference, _ seal: Seal,
        in committer: Committer
    ) throws(Errno) -> ContentState.StoredContent {
        content.kind = .chunks
        content.origin = state.origin
        let chunks = try writeChunks(state, whole, in: committer)
        record.hasHoles = chunks.contains(0)
        var plain = PlainBuffer(capacity: chunks.count * 8)
        ContentCoding.encode(chunks: chunks, into: &plain)
        var sealed = PlainBuffer(capacity: plain.count)
        unsafe plain.withUnsafeBytes { unsafe committer.sealContent($0, &content, into: &sealed) }
        record.content = content
        try unsafe sealed.withUnsafeBytes { (bytes) throws(Errno) in
            try unsafe committer.putFile(record, slot: state.slot, previous: seal, content: .bytes(bytes))
        }
        return ContentState.StoredContent(reference: content, chunks: chunks, valid: state.size)
    }

    /// Seals the changed chunks of full length into cells, and syncs them: before their rows.
    ///
    /// On one thread: several wait for each other at the inode's lock (pwrite(2)), and gain nothing but a longer wait for
    /// whoever reads meanwhile (p99.9 of a cat beside a writer 1.6 ms instead of 0.9).
    private func writeWholeChunks(_ state: ContentState) throws(Errno) -> [Int: WholeChunk] {
        let count = ContentCoding.chunkCount(state.size)
        let full = state.dirty.filter { $0.key < count && $0.value.bytes.count == Limits.chunkSize }
        guard !full.isEmpty else { return [:] }
        willWait()
        var cipher = PlainBuffer(capacity: Limits.chunkSize)
        cipher.resize(to: Limits.chunkSize)
        var written: [Int: WholeChunk] = [:]
        do throws(Errno) {
            for (index, chunk) in full.sorted(by: { $0.key < $1.key }) {
                let slot = Committer.freshSlot()
                let data = keys.chunkData(file: state.origin, slot: slot, index: index)
                let seal = unsafe chunk.bytes.withUnsafeBytes { plain in
                    unsafe cipher.withUnsafeMutableBytes { unsafe keys.chunk.seal(plain, data, into: $0) }
                }
                let cell = try unsafe cipher.withUnsafeBytes { (sealed) throws(Errno) in
                    try unsafe chunks.add(sealed)
                }
                written[index] = WholeChunk(slot: slot, seal: seal, cell: cell)
            }
            try chunks.synchronize()
            return written
        } catch {
            chunks.release(written.values.map(\.cell))
            throw error
        }
    }

    /// Writes the changed chunks under new slots and returns the list of all.
    private func writeChunks(
        _ state: ContentState, _ whole: [Int: WholeChunk], in committer: Committer
    ) throws(Errno) -> [Int64] {
        let count = ContentCoding.chunkCount(state.size)
        var chunks = state.stored?.reference.kind == .chunks ? state.stored?.chunks ?? [] : []
        let valid = state.stored?.valid ?? 0
        chunks.removeLast(max(0, chunks.count - ContentCoding.chunkCount(valid)))
        chunks.removeLast(max(0, chunks.count - count))
        chunks.append(contentsOf: repeatElement(0, count: count - chunks.count))
        var copy = state
        var plain = PlainBuffer(capacity: Limits.chunkSize)
        for index in state.dirty.keys.sorted() where index < count {
            if let chunk = whole[index] {
                try committer.put(chunk)
                chunks[index] = chunk.slot
                continue
            }
            guard state.dirty[index]?.bytes.count != 0 else {
                chunks[index] = 0
                continue
            }
            plain.resize(to: 0)
            try read(&copy, offset: UInt64(index) * UInt64(Limits.chunkSize), count: Limits.chunkSize, into: &plain)
            plain.resize(to: min(Limits.chunkSize, Padding.padme(plain.count, floor: Limits.recordFloor)))
            chunks[index] = try unsafe plain.withUnsafeBytes { (bytes) throws(Errno) in
                try unsafe committer.insertChunk(bytes, file: state.origin, index: index)
            }
        }
        return chunks
    }

    static func chunks(
        _ content: ContentReference, _ sealed: UnsafeRawBufferPointer, _ reader: Reader
    ) throws(Errno) -> [Int64] {
        guard content.kind == .chunks else { return [] }
        var plain = PlainBuffer(capacity: 0)
        try unsafe reader.openContent(sealed, content, into: &plain)
        return try plain.withBytes { (bytes) throws(Errno) in try ContentCoding.chunks(bytes, size: content.size) }
    }
}
