internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// Reading and changing a content in memory; the caller holds its lock.
extension Vault {
    func read(_ state: inout ContentState, offset: UInt64, count: Int, into target: inout PlainBuffer) throws(Errno) {
        guard offset < state.size, count > 0 else { return }
        let length = Int(min(UInt64(count), state.size - offset))
        target.resize(to: length)
        var done = 0
        while done < length {
            let position = offset + UInt64(done)
            let index = Int(position / UInt64(Limits.chunkSize))
            let skip = Int(position % UInt64(Limits.chunkSize))
            let part = min(Limits.chunkSize - skip, length - done)
            try readPart(&state, index: index, skip: skip, count: part, at: done, into: &target)
            done += part
        }
    }

    /// Reads what a plan names; what no piece covers is zero.
    func read(_ plan: ReadPlan, into target: inout PlainBuffer) throws(Errno) {
        if plan.isWhole { target.resize(unfilled: plan.length) } else { target.resize(to: plan.length) }
        try unsafe target.withUnsafeMutableBytes { (bytes) throws(Errno) in
            for piece in plan.pieces {
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[piece.range])
                try withReader { (reader) throws(Errno) in
                    try unsafe reader.chunk(
                        piece.slot, file: plan.file, index: piece.index, skip: piece.skip, into: part)
                }
            }
        }
    }

    /// One chunk's part of a read. `target` is zeroed already.
    private func readPart(
        _ state: inout ContentState, index: Int, skip: Int, count: Int, at position: Int,
        into target: inout PlainBuffer
    ) throws(Errno) {
        if let dirty = state.dirty[index] {
            target.copy(from: dirty.bytes, skip: skip, count: count, to: position)
        } else {
            try unsafe target.withUnsafeMutableBytes { (bytes) throws(Errno) in
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[position..<(position + count)])
                try unsafe readStored(&state, index: index, skip: skip, into: part)
            }
        }
    }

    /// The stored bytes of a chunk, zeroes where there are none.
    private func readStored(
        _ state: inout ContentState, index: Int, skip: Int, into target: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        let stored = try loadStored(&state)
        let start = UInt64(index) * UInt64(Limits.chunkSize) + UInt64(skip)
        let valid = Int(min(UInt64(target.count), stored.valid > start ? stored.valid - start : 0))
        let file = stored.reference.origin
        if valid > 0 {
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<valid])
            switch stored.reference.kind {
            case .none:
                unsafe part.initializeMemory(as: UInt8.self, repeating: 0)
            case .inline:
                let slot = state.slot
                try withReader { (reader) throws(Errno) in
                    var plain = PlainBuffer(capacity: 0)
                    try unsafe reader.file(slot) { (record, sealed) throws(Errno) in
                        try unsafe reader.openContent(sealed, record.content, into: &plain)
                    }
                    unsafe plain.copyOut(skip: skip, into: part)
                }
            case .chunks:
                let slot = index < stored.chunks.count ? stored.chunks[index] : 0
                if slot == 0 {
                    unsafe part.initializeMemory(as: UInt8.self, repeating: 0)
                } else {
                    try withReader { (reader) throws(Errno) in
                        try unsafe reader.chunk(slot, file: file, index: index, skip: skip, into: part)
                    }
                }
            }
        }
        if valid < target.count {
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[valid...]).initializeMemory(
                as: UInt8.self, repeating: 0)
        }
    }

    /// Where the stored content is, read from the row the first time.
    @discardableResult
    func loadStored(_ state: inout ContentState) throws(Errno) -> ContentState.StoredContent {
        if let stored = state.stored { return stored }
        let loaded: ContentState.StoredContent
        if state.slot == 0 || state.storedIsGone {
            let reference = ContentReference(kind: .none, version: 0, size: 0, seal: .zero, origin: state.file)
            loaded = ContentState.StoredContent(reference: reference, chunks: [], valid: 0)
        } else {
            let slot = state.slot
            loaded = try withReader { (reader) throws(Errno) in
                try unsafe reader.file(slot) { (record, sealed) throws(Errno) in
                    var chunks: [Int64] = []
                    if record.content.kind == .chunks {
                        var plain = PlainBuffer(capacity: 0)
                        try unsafe reader.openContent(sealed, record.content, into: &plain)
                        chunks = try plain.withBytes { (bytes) throws(Errno) in
                            try ContentCoding.chunks(bytes, size: record.content.size)
                        }
                    }
                    return ContentState.StoredContent(
                        reference: record.content, chunks: chunks, valid: record.content.size)
                }
            }
        }
        var stored = loaded
        stored.valid = min(stored.valid, state.keptSize)
        state.stored = stored
        return stored
    }

    func write(_ state: inout ContentState, offset: UInt64, _ bytes: RawSpan) throws(Errno) {
        try noteWrite(&state, offset: offset, count: bytes.byteCount)
        var done = 0
        while done < bytes.byteCount {
            let position = offset + UInt64(done)
            let index = Int(position / UInt64(Limits.chunkSize))
            let skip = Int(position % UInt64(Limits.chunkSize))
            let part = min(Limits.chunkSize - skip, bytes.byteCount - done)
            let chunk = try dirtyChunk(&state, index: index, overwriting: skip..<(skip + part))
            if chunk.bytes.count < skip + part { chunk.bytes.resize(to: skip + part) }
            chunk.bytes.replace(at: skip, with: bytes.extracting(done..<(done + part)))
            done += part
        }
        state.size = max(state.size, offset + UInt64(bytes.byteCount))
        state.isDirty = true
        noteContentChange(state)
    }

    /// The changed chunk at `index`, made from what is stored unless all of that is overwritten.
    private func dirtyChunk(
        _ state: inout ContentState, index: Int, overwriting range: Range<Int>
    ) throws(Errno) -> DirtyChunk {
        if let known = state.dirty[index] { return known }
        let chunk = DirtyChunk()
        let start = UInt64(index) * UInt64(Limits.chunkSize)
        let present = Int(min(UInt64(Limits.chunkSize), state.size > start ? state.size - start : 0))
        let isCovered = range.lowerBound == 0 && range.upperBound >= present
        if present > 0, !isCovered {
            chunk.bytes.resize(to: present)
            try unsafe chunk.bytes.withUnsafeMutableBytes { (bytes) throws(Errno) in
                try unsafe readStored(&state, index: index, skip: 0, into: bytes)
            }
        }
        state.dirty[index] = chunk
        return chunk
    }

    /// Takes a stored chunk into memory as it is.
    func makeDirty(_ state: inout ContentState, index: Int) throws(Errno) {
        _ = try dirtyChunk(&state, index: index, overwriting: 0..<0)
    }

    /// Makes the content shorter, or longer with zeroes, in memory.
    func resize(_ state: inout ContentState, to size: UInt64) {
        if size < state.size {
            let last = ContentCoding.chunkCount(size)
            for index in state.dirty.keys where index >= last { state.dirty[index] = nil }
            if last > 0, let chunk = state.dirty[last - 1] {
                let within = Int(size - UInt64(last - 1) * UInt64(Limits.chunkSize))
                if chunk.bytes.count > within { chunk.bytes.resize(to: within) }
            }
            state.keptSize = min(state.keptSize, size)
            if size == 0, state.stored == nil, state.slot != 0 { state.storedIsGone = true }
            // Any other length is committed at once, which counts them.
            if size == 0 { state.holes = 0 }
            if let valid = state.stored?.valid { state.stored?.valid = min(valid, size) }
        }
        state.size = size
        state.isDirty = true
        noteContentChange(state)
    }

    /// What stat(2) tells follows each write at once; the store hears of it with the commit.
    func noteContentChange(_ state: ContentState) {
        let now = Timestamp.now()
        tree.withLock { tree in
            tree.update(state.node) { inode in
                inode.size = state.size
                inode.holes = state.holes
                inode.modified = now
                inode.changed = now
            }
        }
    }
}
