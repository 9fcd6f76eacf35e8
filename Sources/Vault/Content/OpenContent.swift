internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// The content of one file while it is open or changed: what was written and is not yet committed,
/// over what the store holds.
final class OpenContent: Sendable {
    private let state: Mutex<ContentState>
    /// What is read ahead of a program that reads from front to back.
    let stream = Mutex(ReadStream())
    private let willWait: WaitNotice

    init(node: Node, inode: Inode, willWait: WaitNotice) {
        state = Mutex(
            ContentState(
                node: node, slot: inode.slot, file: inode.identifier, size: inode.size, holes: inode.holes))
        self.willWait = willWait
    }

    func withLock<R: Sendable, E: Error>(_ body: (inout ContentState) throws(E) -> R) throws(E) -> R {
        if let result = try withLockIfAvailable(body) { return result }
        willWait()
        return try state.withLock { (state) throws(E) -> R in try body(&state) }
    }

    func withLockIfAvailable<R: Sendable, E: Error>(_ body: (inout ContentState) throws(E) -> R) throws(E) -> R? {
        try state.withLockIfAvailable { (state) throws(E) -> R in try body(&state) }
    }
}

/// A chunk of full length that was sealed into a cell of the ``ChunkFile``, and gets its row with the next commit.
struct WholeChunk {
    let slot: Int64
    let seal: Seal
    let cell: Int64
}

/// One changed chunk: its first bytes; what lies behind them is zero. Without any it becomes a hole.
///
/// `@unchecked Sendable`: it is used by the holder of its content's lock only.
final class DirtyChunk: @unchecked Sendable {
    var bytes = PlainBuffer(capacity: 0)
}

/// The state behind an ``OpenContent``'s lock.
struct ContentState {
    let node: Node
    /// The file's row; 0 for a file that lives in memory only.
    var slot: Int64
    let file: Identifier
    /// The length as programs see it.
    var size: UInt64
    /// ``Inode/holes``: as of the last commit, and about right since.
    var holes: UInt32
    /// The length of what is stored.
    var storedSize: UInt64
    /// How many of the stored bytes still count: truncating and growing again gives zeroes.
    var keptSize: UInt64
    /// The stored content; nil until the row was read.
    var stored: StoredContent?
    /// Changed chunks by their index.
    var dirty: [Int: DirtyChunk] = [:]
    /// There is something to commit: chunks, or the length alone.
    var isDirty = false {
        didSet { if isDirty { changes &+= 1 } }
    }
    /// Grows with each change.
    private(set) var changes: UInt64 = 0
    /// The earlier content has gone into the history since the file was opened for writing: a save is
    /// one version, however often it is flushed.
    var versionSaved = false
    /// What was stored is of no more interest: the file was truncated to nothing.
    var storedIsGone = false
    var openWriters = 0
    /// What ``changes`` was when the content came out of the reserve, which has it until it is saved.
    var reserved: UInt64?
    /// Why the last commit failed; nil after one that did not.
    var failure: Errno?

    /// Content as the row has it.
    struct StoredContent {
        var reference: ContentReference
        /// The slots of the chunks, for ``ContentKind/chunks``.
        var chunks: [Int64]
        /// The bytes that the stored content still gives: truncating and growing again gives zeroes.
        var valid: UInt64
    }

    /// The file under whose identifier the chunks are sealed, all of them alike: another one where they came from another
    /// device.
    var origin: Identifier {
        guard let stored, stored.reference.kind == .chunks else { return file }
        return stored.reference.origin
    }

    var dirtyBytes: Int { dirty.count * Limits.chunkSize }

    init(node: Node, slot: Int64, file: Identifier, size: UInt64, holes: UInt32) {
        self.node = node
        self.slot = slot
        self.file = file
        self.size = size
        self.holes = holes
        storedSize = size
        keptSize = size
    }
}

/// Packing a content column: the inline bytes, or the list of chunks.
enum ContentCoding {
    static func encode(chunks: [Int64], into target: inout PlainBuffer) {
        target.resize(to: 0)
        for slot in chunks { target.append(slot) }
        target.resize(to: Padding.padme(target.count, floor: Limits.recordFloor))
    }

    static func chunks(_ bytes: RawSpan, size: UInt64) throws(Errno) -> [Int64] {
        let count = chunkCount(size)
        guard bytes.byteCount >= count * 8 else { throw .ioError }
        var cursor = Cursor()
        var chunks: [Int64] = []
        chunks.reserveCapacity(count)
        do throws(FormatError) {
            for _ in 0..<count { chunks.append(try cursor.integer(bytes)) }
        } catch {
            throw .ioError
        }
        return chunks
    }

    /// How many chunks a content of `size` bytes has.
    static func chunkCount(_ size: UInt64) -> Int {
        Int(truncatingIfNeeded: (min(size, Limits.fileSize) + UInt64(Limits.chunkSize) - 1) / UInt64(Limits.chunkSize))
    }
}
