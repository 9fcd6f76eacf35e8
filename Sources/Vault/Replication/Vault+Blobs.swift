public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

extension ReplicationTransaction {
    /// As ``Vault/Vault/missingChunks(of:)``, which waits for the end of a transaction.
    public func missingChunks(of content: ContentChange) throws(Errno) -> [ChunkReference] {
        try vault.missingChunks(of: content, in: committer)
    }

    /// Whether a chunk is there.
    public func hasBlob(_ slot: Int64) throws(Errno) -> Bool { try committer.has(.chunk, slot: slot) }

    /// Takes a chunk in for a content that is put later, in this transaction or in another one; one that is there is left
    /// alone.
    ///
    /// - Throws: EINVAL for what is no chunk, ENOSPC.
    public func addBlob(_ slot: Int64, _ bytes: [UInt8]) throws(Errno) {
        guard try !committer.has(.chunk, slot: slot) else { return }
        try committer.put(blob: bytes, slot: slot)
        try committer.noteWaiting(chunk: slot)
    }

    /// As ``Vault/Vault/blob(of:)``, which waits for the end of a transaction.
    public func blob(of slot: Int64) throws(Errno) -> [UInt8] { try vault.blob(of: slot, in: committer) }
}

/// Chunks as they travel: 40 bytes of seal, then ciphertext. None of these within a transaction.
extension Vault {
    /// A chunk as it stands in the store.
    ///
    /// - Throws: EIO where it is not there any more.
    public func blob(of slot: Int64) throws(Errno) -> [UInt8] {
        try committer.withLock { (committer) throws(Errno) in try blob(of: slot, in: committer) }
    }

    /// Which chunks of a content have to be fetched before it can be put into the vault.
    public func missingChunks(of content: ContentChange) throws(Errno) -> [ChunkReference] {
        try committer.withLock { (committer) throws(Errno) in try missingChunks(of: content, in: committer) }
    }

    func missingChunks(of content: ContentChange, in committer: Committer) throws(Errno) -> [ChunkReference] {
        var missing: [ChunkReference] = []
        for chunk in content.chunks where chunk.embedded.isEmpty {
            if try !committer.has(.chunk, slot: chunk.slot) { missing.append(chunk) }
        }
        return missing
    }

    /// Takes chunks in that a content which is to come names. They wait for it, also across a restart; what is there
    /// already is left alone.
    ///
    /// - Throws: EINVAL for what is no chunk, ENOSPC.
    public func addBlobs(_ blobs: [(slot: Int64, bytes: [UInt8])]) throws(Errno) {
        if isReadOnly { throw .readOnlyFileSystem }
        guard blobs.allSatisfy({ $0.slot > 0 && $0.bytes.count > Seal.size && $0.bytes.count <= Limits.blob }) else {
            throw .invalidArgument
        }
        let whole = try writeCells(blobs)
        var isCommitted = false
        defer { if !isCommitted { chunks.release(whole.values.map(\.cell)) } }
        let unused = try committer.withLock { (committer) throws(Errno) in
            try committer.transactionNow { () throws(Errno) in
                var unused: [Int64] = []
                for (slot, bytes) in blobs {
                    if try committer.has(.chunk, slot: slot) {
                        if let chunk = whole[slot] { unused.append(chunk.cell) }
                        continue
                    }
                    if let chunk = whole[slot] {
                        try committer.put(chunk)
                    } else {
                        try committer.put(blob: bytes, slot: slot)
                    }
                    try committer.noteWaiting(chunk: slot)
                }
                return unused
            }
        }
        isCommitted = true
        chunks.release(unused)
    }

    /// Lets go of chunks that were taken in and that no content named.
    public func dropBlobs() throws(Errno) {
        try committer.withLock { (committer) throws(Errno) in
            guard !committer.sync.waiting.values.isEmpty else { return }
            try committer.transactionNow { () throws(Errno) in
                for chunk in committer.sync.waiting.values.keys where committer.sync.pinned[chunk] == nil {
                    _ = try committer.takeWaiting(chunk: chunk)
                    try committer.deleteChunk(chunk)
                }
            }
        }
    }

    /// Chunks of full length go into cells, which are on the disk before their rows are written.
    private func writeCells(_ blobs: [(slot: Int64, bytes: [UInt8])]) throws(Errno) -> [Int64: WholeChunk] {
        let full = blobs.filter { $0.bytes.count == Limits.blob }
        guard full.count * Limits.blob > Vault.journaledContent else { return [:] }
        var written: [Int64: WholeChunk] = [:]
        do throws(Errno) {
            for (slot, bytes) in full where written[slot] == nil {
                let cell = try unsafe bytes.withRawBytes { (bytes) throws(Errno) in
                    try unsafe chunks.add(UnsafeRawBufferPointer(rebasing: bytes[Seal.size...]))
                }
                guard let seal = Seal(stored: bytes) else { throw .invalidArgument }
                written[slot] = WholeChunk(slot: slot, seal: seal, cell: cell)
            }
            try chunks.synchronize()
            return written
        } catch {
            chunks.release(written.values.map(\.cell))
            throw error
        }
    }

    func blob(of slot: Int64, in committer: Committer) throws(Errno) -> [UInt8] {
        var bytes = try unsafe committer.withRow(.chunk, slot) { (seal, body) throws(Errno) in
            var head = PlainBuffer(capacity: Seal.size)
            SealBytes(seal).encode(into: &head)
            return unsafe head.withBytes { $0.array } + [UInt8](body)
        }
        guard bytes.count == Seal.size else { return bytes }
        guard let cell = try committer.cell(ofChunk: slot) else { throw .ioError }
        bytes += [UInt8](repeating: 0, count: Limits.chunkSize)
        try unsafe bytes.withMutableRawBytes { (bytes) throws(Errno) in
            try unsafe chunks.read(cell, into: UnsafeMutableRawBufferPointer(rebasing: bytes[Seal.size...]))
        }
        return bytes
    }

    /// A content column, opened; nil where it does not open.
    func openColumn(_ column: [UInt8], _ reference: ContentReference) -> PlainBuffer? {
        var plain = PlainBuffer(capacity: column.count)
        plain.resize(to: column.count)
        let data = keys.contentData(reference)
        let isOpen = unsafe column.withRawBytes { sealed in
            unsafe plain.withUnsafeMutableBytes { target in
                unsafe keys.record.open(sealed, reference.seal.seal, data, into: target)
            }
        }
        guard isOpen else { return nil }
        return plain
    }
}

extension Seal {
    /// The seal at the beginning of a blob.
    init?(stored bytes: [UInt8]) {
        let seal = unsafe bytes.withRawBytes { bytes -> Seal? in
            guard bytes.count >= Seal.size else { return nil }
            return unsafe RowReader.seal(UnsafeRawBufferPointer(rebasing: bytes[..<Seal.size]))
        }
        guard let seal else { return nil }
        self = seal
    }
}

extension Committer {
    /// Writes a chunk as it came: seal and ciphertext.
    func put(blob: [UInt8], slot: Int64) throws(Errno) {
        guard slot > 0, blob.count > Seal.size, blob.count <= Limits.blob, let seal = Seal(stored: blob) else {
            throw .invalidArgument
        }
        try put(.chunk, slot: slot, seal, body: Array(blob[Seal.size...]))
    }

    /// Writes a row whose body is there already.
    func put(_ table: Table, slot: Int64, _ seal: Seal, body: [UInt8]) throws(Errno) {
        cipher.resize(to: 0)
        cipher.append(bytes: body)
        unsafe try put(table, slot: slot, seal, previous: nil, content: unsafe .none)
    }

    /// The cell of a whole chunk; nil for one whose bytes are in its row.
    func cell(ofChunk slot: Int64) throws(Errno) -> Int64? {
        let statement = rows.chunkCell
        defer { statement.reset() }
        do throws(DatabaseFailure) {
            guard try statement.bind(1, slot).step(), !statement.isNull(0) else { return nil }
        } catch {
            throw error.errno
        }
        return statement.integer(0)
    }
}

extension [UInt8] {
    /// `withUnsafeMutableBytes(_:)` with a typed error.
    mutating func withMutableRawBytes<E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        try unsafe withUnsafeMutableBufferPointer { (buffer) throws(E) in
            try unsafe body(UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
