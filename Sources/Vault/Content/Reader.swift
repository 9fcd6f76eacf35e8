internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// A connection for reading: contents are fetched and opened here, in parallel to the writer.
final class Reader {
    let connection: Connection
    private let fileRow: PreparedStatement
    private let chunkRow: PreparedStatement
    private let versionRow: PreparedStatement
    private let keys: Keys
    private let journal: Journal
    private let chunks: ChunkFile
    private var plain = PlainBuffer(capacity: 4096)
    private var cipher = PlainBuffer(capacity: 0)

    init(path: FilePath, keys: Keys, journal: Journal, chunks: ChunkFile) throws(DatabaseFailure) {
        connection = try Connection(path: path, readOnly: true, cacheKiB: 1024)
        self.keys = keys
        self.journal = journal
        self.chunks = chunks
        fileRow = try connection.prepare("SELECT seal, body, content FROM file WHERE slot = ?1")
        chunkRow = try connection.prepare("SELECT seal, cell, body FROM chunk WHERE slot = ?1")
        versionRow = try connection.prepare("SELECT seal, body, content FROM version WHERE slot = ?1")
    }

    /// Opens a file's row and hands out its record and its content column, still sealed.
    func file<R>(
        _ slot: Int64, _ body: (FileRecord, UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        defer { fileRow.reset() }
        return try unsafe row(.file, .file, slot, fileRow) { (content) throws(Errno) in
            let record: FileRecord
            do throws(FormatError) {
                record = try plain.withBytes { (bytes) throws(FormatError) in try FileRecord(decoding: bytes) }
            } catch {
                throw .ioError
            }
            return try unsafe body(record, content)
        }
    }

    /// The same for an earlier version.
    func version<R>(
        _ slot: Int64, _ body: (VersionRecord, UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        defer { versionRow.reset() }
        return try unsafe row(.version, .version, slot, versionRow) { (content) throws(Errno) in
            let record: VersionRecord
            do throws(FormatError) {
                record = try plain.withBytes { (bytes) throws(FormatError) in try VersionRecord(decoding: bytes) }
            } catch {
                throw .ioError
            }
            return try unsafe body(record, content)
        }
    }

    /// Opens a row's record into `plain` and hands out the content column.
    ///
    /// - Throws: EAGAIN where the content is about to move within the store: once that is settled, it is there.
    private func row<R>(
        _ table: Table, _ type: SealedType, _ slot: Int64, _ statement: PreparedStatement,
        _ body: (UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        guard let found = journal.row(RowKey(table, slot)) else {
            try fetch(statement, slot)
            guard let seal = unsafe RowReader.seal(statement.bytes(0)) else { throw .ioError }
            try unsafe open(statement.bytes(1), seal, type, slot)
            return try unsafe body(statement.bytes(2))
        }
        guard !found.isDeleted else { throw .ioError }
        try unsafe found.body.withRawBytes { (sealed) throws(Errno) in
            try unsafe open(sealed, found.seal, type, slot)
        }
        switch found.content {
        case .none: return try unsafe body(UnsafeRawBufferPointer(start: nil, count: 0))
        case .bytes(let bytes):
            return try unsafe bytes.withRawBytes { (bytes) throws(Errno) in try unsafe body(bytes) }
        case .file: throw .resourceTemporarilyUnavailable
        case .stored:
            try fetch(statement, slot)
            // A later save may have come into the store since: then this record is not that content's.
            guard journal.row(RowKey(table, slot))?.seal == found.seal else { throw .resourceTemporarilyUnavailable }
            return try unsafe body(statement.bytes(2))
        }
    }

    /// Opens a content column into `target`, which gets its padded length.
    func openContent(
        _ sealed: UnsafeRawBufferPointer, _ content: ContentReference, into target: inout PlainBuffer
    ) throws(Errno) {
        target.resize(to: sealed.count)
        let data = keys.contentData(content)
        let opened = unsafe target.withUnsafeMutableBytes {
            unsafe keys.record.open(sealed, content.seal.seal, data, into: $0)
        }
        guard opened else { throw .ioError }
    }

    /// Opens a chunk straight into `target` where that has room for all of it, else through a buffer;
    /// bytes that the chunk does not have become zeroes.
    func chunk(
        _ slot: Int64, file: Identifier, index: Int, skip: Int, into target: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        if let found = journal.row(RowKey(.chunk, slot)) {
            guard !found.isDeleted else { throw .ioError }
            return try unsafe found.body.withRawBytes { (sealed) throws(Errno) in
                try unsafe open(chunk: sealed, found.seal, slot, file: file, index: index, skip: skip, into: target)
            }
        }
        defer { chunkRow.reset() }
        try fetch(chunkRow, slot)
        guard let seal = unsafe RowReader.seal(chunkRow.bytes(0)) else { throw .ioError }
        guard !chunkRow.isNull(1) else {
            return try unsafe open(
                chunk: chunkRow.bytes(2), seal, slot, file: file, index: index, skip: skip, into: target)
        }
        let cell = chunkRow.integer(1)
        if skip == 0, target.count == Limits.chunkSize {
            // Opened where it is read: libsodium and OpenSSL allow that.
            try unsafe chunks.read(cell, into: target)
            let sealed = UnsafeRawBufferPointer(target)
            return try unsafe open(chunk: sealed, seal, slot, file: file, index: index, skip: 0, into: target)
        }
        cipher.resize(to: Limits.chunkSize)
        try unsafe cipher.withUnsafeMutableBytes { (bytes) throws(Errno) in try unsafe chunks.read(cell, into: bytes) }
        try unsafe cipher.withUnsafeBytes { (sealed) throws(Errno) in
            try unsafe open(chunk: sealed, seal, slot, file: file, index: index, skip: skip, into: target)
        }
    }

    private func open(
        chunk sealed: UnsafeRawBufferPointer, _ seal: Seal, _ slot: Int64, file: Identifier, index: Int, skip: Int,
        into target: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        guard sealed.count <= Limits.chunkSize else { throw .ioError }
        let data = keys.chunkData(file: file, slot: slot, index: index)
        if skip == 0, target.count == sealed.count {
            guard unsafe keys.chunk.open(sealed, seal, data, into: target) else { throw .ioError }
            return
        }
        plain.resize(to: sealed.count)
        let opened = unsafe plain.withUnsafeMutableBytes { unsafe keys.chunk.open(sealed, seal, data, into: $0) }
        guard opened else { throw .ioError }
        unsafe plain.withUnsafeBytes { source in
            let available = max(0, min(target.count, source.count - skip))
            if available > 0 {
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[skip..<(skip + available)]))
            }
            if available < target.count {
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[available...]).initializeMemory(
                    as: UInt8.self, repeating: 0)
            }
        }
        plain.resize(to: 0)
    }

    private func fetch(_ statement: PreparedStatement, _ slot: Int64) throws(Errno) {
        let found: Bool
        do throws(DatabaseFailure) { found = try statement.bind(1, slot).step() } catch { throw error.errno }
        guard found else { throw .ioError }
    }

    /// Opens a sealed record into `plain`.
    private func open(
        _ sealed: UnsafeRawBufferPointer, _ seal: Seal, _ type: SealedType, _ slot: Int64
    ) throws(Errno) {
        guard sealed.count <= Limits.metadata else { throw .ioError }
        plain.resize(to: sealed.count)
        let data = keys.rowData(type, slot: slot)
        let opened = unsafe plain.withUnsafeMutableBytes { unsafe keys.record.open(sealed, seal, data, into: $0) }
        guard opened else { throw .ioError }
    }
}

/// A few readers; whoever comes takes one that is free.
final class ReaderPool: Sendable {
    private let readers: [ReaderBox]
    /// Whose turn it is to be waited for.
    private let turn = Atomic<Int>(0)

    final class ReaderBox: Sendable {
        let lock: Mutex<Reader>
        init(_ reader: sending Reader) { lock = Mutex(reader) }
    }

    init(path: FilePath, keys: Keys, journal: Journal, chunks: ChunkFile, count: Int) throws(DatabaseFailure) {
        var readers: [ReaderBox] = []
        for _ in 0..<count {
            readers.append(ReaderBox(try Reader(path: path, keys: keys, journal: journal, chunks: chunks)))
        }
        self.readers = readers
    }

    func withReader<R: Sendable>(_ body: (Reader) throws(Errno) -> R) throws(Errno) -> R {
        // Always from the first: one reader's cache of pages serves most requests.
        for box in readers {
            if let result = try box.lock.withLockIfAvailable({ (reader) throws(Errno) in try body(reader) }) {
                return result
            }
        }
        let waiting = turn.wrappingAdd(1, ordering: .relaxed).newValue & Int.max
        return try readers[waiting % readers.count].lock.withLock { (reader) throws(Errno) in
            try body(reader)
        }
    }

    func close() {
        for box in readers { box.lock.withLock { $0.connection.close() } }
    }
}
