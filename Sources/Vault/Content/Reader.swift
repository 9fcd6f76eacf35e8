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
    private var plain = PlainBuffer(capacity: 4096)

    init(path: FilePath, keys: Keys) throws(DatabaseFailure) {
        connection = try Connection(path: path, readOnly: true, cacheKiB: 2048)
        self.keys = keys
        fileRow = try connection.prepare("SELECT seal, body, content FROM file WHERE slot = ?1")
        chunkRow = try connection.prepare("SELECT seal, body FROM chunk WHERE slot = ?1")
        versionRow = try connection.prepare("SELECT seal, body, content FROM version WHERE slot = ?1")
    }

    /// Opens a file's row and hands out its record and its content column, still sealed.
    func file<R>(
        _ slot: Int64, _ body: (FileRecord, UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        defer { fileRow.reset() }
        try fetch(fileRow, slot)
        try openRecord(fileRow, .file, slot: slot)
        let record: FileRecord
        do throws(FormatError) {
            record = try plain.withBytes { (bytes) throws(FormatError) in try FileRecord(decoding: bytes) }
        } catch {
            throw .ioError
        }
        return try unsafe body(record, fileRow.bytes(2))
    }

    /// The same for an earlier version.
    func version<R>(
        _ slot: Int64, _ body: (VersionRecord, UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        defer { versionRow.reset() }
        try fetch(versionRow, slot)
        try openRecord(versionRow, .version, slot: slot)
        let record: VersionRecord
        do throws(FormatError) {
            record = try plain.withBytes { (bytes) throws(FormatError) in try VersionRecord(decoding: bytes) }
        } catch {
            throw .ioError
        }
        return try unsafe body(record, versionRow.bytes(2))
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
        defer { chunkRow.reset() }
        try fetch(chunkRow, slot)
        let sealed = unsafe chunkRow.bytes(1)
        guard let seal = unsafe RowReader.seal(chunkRow.bytes(0)), sealed.count <= Limits.chunkSize else {
            throw .ioError
        }
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

    private func openRecord(_ statement: PreparedStatement, _ type: SealedType, slot: Int64) throws(Errno) {
        let sealed = unsafe statement.bytes(1)
        guard let seal = unsafe RowReader.seal(statement.bytes(0)), sealed.count <= Limits.metadata else {
            throw .ioError
        }
        plain.resize(to: sealed.count)
        let data = keys.rowData(type, slot: slot)
        let opened = unsafe plain.withUnsafeMutableBytes { unsafe keys.record.open(sealed, seal, data, into: $0) }
        guard opened else { throw .ioError }
    }
}

/// A few readers; whoever comes takes one that is free.
final class ReaderPool: Sendable {
    private let readers: [ReaderBox]
    private let turn = Atomic<Int>(0)

    final class ReaderBox: Sendable {
        let lock: Mutex<Reader>
        init(_ reader: sending Reader) { lock = Mutex(reader) }
    }

    init(path: FilePath, keys: Keys, count: Int) throws(DatabaseFailure) {
        var readers: [ReaderBox] = []
        for _ in 0..<count { readers.append(ReaderBox(try Reader(path: path, keys: keys))) }
        self.readers = readers
    }

    func withReader<R: Sendable>(_ body: (Reader) throws(Errno) -> R) throws(Errno) -> R {
        let first = turn.wrappingAdd(1, ordering: .relaxed).newValue
        for offset in 0..<readers.count {
            let box = readers[((first &+ offset) & Int.max) % readers.count]
            if let result = try box.lock.withLockIfAvailable({ (reader) throws(Errno) in try body(reader) }) {
                return result
            }
        }
        return try readers[(first & Int.max) % readers.count].lock.withLock { (reader) throws(Errno) in
            try body(reader)
        }
    }

    func close() {
        for box in readers { box.lock.withLock { $0.connection.close() } }
    }
}
