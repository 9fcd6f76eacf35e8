internal import Format
internal import Sealing
internal import SystemPackage

/// Every change of the store goes through here: one writer, one operation at a time, each with the integrity
/// root that follows from it.
///
/// An operation's rows are *staged*; once it is complete they go into the ``Journal``, and from there into SQLite,
/// many operations at once and beside the next ones (``Applier``). Large ones, and all of them where the disk is
/// nearly full, go into SQLite directly: their caller is told.
///
/// Not `Sendable`: it lives in the vault's writer lock.
final class Committer {
    let keys: Keys
    /// What the root row says; after a failed operation what it said before.
    var root: RootState
    /// Cells of chunks that operations have deleted; they are free once the deletions are in the store, durably.
    private var freedCells: [Int64] = []
    /// Those of the running operation.
    private var deletedCells: [Int64] = []
    /// The operations of the running transaction, for the log.
    var operations: [Operation] = []
    /// Files that the running transaction erases.
    var claims: [Node] = []
    /// Where the rows of the table `sync` are.
    var sync = SyncIndex()
    /// Segments from all rows: what is left of the list.
    var scan: OwnScan?
    /// Versions that files which were replaced while they are open share their chunks with: the version's row, and the
    /// file's. Of one that is closed nothing is said any more; one too many costs a version that could go.
    var openVersions: [Int64: Int64] = [:]
    /// Records of files that were written last.
    var recent = RecentFiles()
    /// Set while nothing may be written: opened read-only, being locked, or without its file.
    var refusal: Errno?
    /// The running operation takes something away: on a full disk it goes through as long as there is any room.
    var removes = false
    /// ``Vault/onChange(_:)``
    var didChange: (@Sendable () -> Void)?

    /// From this opening to the close; nil where nothing is written.
    var session: SessionMark?
    /// The file does not say yet that it is open.
    var isUnmarked = false

    let applier: Applier
    let journal: Journal
    private let durability: Durability
    let willWait: WaitNotice
    /// Reads what the store has, beside the applier.
    let reading: Connection
    private let readingRows: RowStatements
    /// The rows of the running operation.
    private var staged = RowSet()
    /// The running operation has written a row.
    private var hasWritten = false
    /// While an operation writes into the store itself: its connection.
    private var direct: StoreWriter?

    /// Reused for each row: a record is encoded and padded here…
    private var plain = PlainBuffer(capacity: 4096)
    /// …and sealed into this.
    var cipher = PlainBuffer(capacity: 4096)
    private var sealBytes = PlainBuffer(capacity: Seal.size)

    init(
        connection: Connection, keys: Keys, root: RootState, journal: Journal, durability: Durability,
        willWait: WaitNotice = WaitNotice()
    ) throws(DatabaseFailure) {
        self.willWait = willWait
        self.keys = keys
        self.root = root
        self.journal = journal
        self.durability = durability
        applier = Applier(try StoreWriter(connection), journal: journal, durability: durability)
        reading = try Connection(path: connection.path, readOnly: true, cacheKiB: 1024)
        readingRows = try RowStatements(reading)
    }

    /// A connection that sees what the store has and, in ``transactionNow(_:)``, writes into it.
    var connection: Connection { direct?.connection ?? reading }
    var rows: RowStatements { direct?.rows ?? readingRows }

    /// Runs `body` as one operation. When this returns, all of it survives a killed process; when it throws
    /// (ENOSPC, EIO, EROFS), nothing of it was done.
    func transaction<R>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        if let refusal { throw refusal }
        if isUnmarked { try markOpen() }
        let before = root
        operations.removeAll(keepingCapacity: true)
        deletedCells.removeAll()
        staged.removeAll()
        do throws(Errno) {
            let result = try body()
            try appendOperations()
            try writeRoot()
            try finish(base: before.counter)
            freedCells += deletedCells
            sync.commit()
            return result
        } catch {
            root = before
            recent.forgetAll()
            sync.rollBack()
            throw error
        }
    }

    /// As ``transaction(_:)``, into the store at once and past the journal: for much content, and for what the
    /// journal does not carry. Where nothing has changed, nothing is written.
    func transactionNow<R>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        if let refusal { throw refusal }
        if isUnmarked { try markOpen() }
        willWait()
        try drain()
        let before = root
        operations.removeAll(keepingCapacity: true)
        deletedCells.removeAll()
        hasWritten = false
        do throws(Errno) {
            return try applier.writer.withLock { (writer) throws(Errno) in
                direct = writer
                defer { direct = nil }
                let result = try writer.transaction(translating: \.errno) { () throws(Errno) in
                    let result = try body()
                    try appendOperations()
                    if hasWritten || root.differs(from: before) { try writeRoot() }
                    return result
                }
                if hasWritten { durability.noteCommit() }
                freedCells += deletedCells
                sync.commit()
                return result
            }
        } catch {
            root = before
            recent.forgetAll()
            sync.rollBack()
            throw error
        }
    }

    private func finish(base: UInt64) throws(Errno) {
        let count = staged.bytes.count
        guard journal.takes(count), !applier.isShortOfSpace else {
            try drain()
            return try applier.commit(
                staged, claim: removes ? .removal : count <= Reserve.largestEdit ? .edit : nil)
        }
        if !journal.hasRoom(for: count) {
            willWait()
            // The other region is still being moved: whoever writes faster than that waits for it.
            try applier.apply()
            journal.rotate()
            applier.applySoon()
        }
        try journal.append(staged, base: base)
        if journal.isHalfFull, journal.rotate() { applier.applySoon() }
    }

    /// Returns when everything is in the store.
    func drain() throws(Errno) {
        guard !journal.isEmpty else { return }
        willWait()
        try applier.apply()
        journal.rotate()
        try applier.apply()
    }

    /// While a file of the vault is not under its name, nothing is written that would go with it.
    func noteStrayed(_ isStrayed: Bool) {
        if isStrayed, refusal == nil { refusal = .staleNFSFileHandle }
        if !isStrayed, refusal == .staleNFSFileHandle { refusal = nil }
    }

    /// Hands the journal over to the applier, and gives what is free once that is done.
    func handOver() -> [Int64] {
        guard journal.rotate() || journal.isOpenEmpty else { return [] }
        defer { freedCells = [] }
        return freedCells
    }

    /// They are not free yet: the applier has failed.
    func keepCells(_ cells: [Int64]) { freedCells += cells }

    /// Notes the cell of a chunk that the running operation deletes.
    func noteDeletion(ofChunk slot: Int64) throws(Errno) {
        // Whole chunks are never in the journal only.
        if let cell = try cell(ofChunk: slot) { deletedCells.append(cell) }
    }

    /// A row that is staged or in the journal; nil where the store has the latest of it.
    private func found(_ key: RowKey) -> FoundRow? {
        guard direct == nil else { return nil }
        return FoundRow.latest(staged.row(key), over: journal.row(key))
    }

    private func write(_ change: RowChange) throws(Errno) {
        unsafe recent.forget(change.key)
        hasWritten = true
        if let direct {
            do throws(DatabaseFailure) { try unsafe direct.rows.run(change) } catch { throw error.errno }
        } else {
            unsafe staged.append(change)
        }
    }

    // MARK: Rows

    func freshSlot() -> Int64 { Committer.freshSlot() }

    /// A slot that no row of any table has: random, so that the order of rows says nothing.
    static func freshSlot() -> Int64 {
        max(1, Int64(truncatingIfNeeded: RandomSource().next() >> 1))
    }

    /// Seals `encode`'s bytes, padded, into the reused buffer, and returns the seal.
    func seal(_ type: SealedType, slot: Int64, _ encode: (inout PlainBuffer) -> Void) -> Seal {
        plain.resize(to: 0)
        encode(&plain)
        plain.resize(to: Padding.padme(plain.count, floor: Limits.recordFloor))
        cipher.resize(to: plain.count)
        let data = keys.rowData(type, slot: slot)
        let key = type == .root ? keys.local : keys.record
        return unsafe plain.withUnsafeBytes { source in
            unsafe cipher.withUnsafeMutableBytes { target in unsafe key.seal(source, data, into: target) }
        }
    }

    /// Writes the sealed record that stands in the reused buffers, and counts it in the root in the
    /// place of the one with the seal `previous`.
    func put(
        _ table: Table, slot: Int64, _ seal: Seal, previous: Seal?, content: ContentColumn = unsafe .keep
    ) throws(Errno) {
        unsafe try writeSealed(table.rawValue, slot: slot, seal, isNew: previous == nil, content: content)
        if let previous { root.remove(keys.multiset, table, slot, previous) }
        root.add(keys.multiset, table, slot, seal)
    }

    /// Writes the row of a whole chunk, which has its cell already. Within ``transactionNow(_:)``.
    func put(_ chunk: WholeChunk) throws(Errno) {
        guard direct != nil else { throw .invalidArgument }
        sealBytes.resize(to: 0)
        SealBytes(chunk.seal).encode(into: &sealBytes)
        try unsafe sealBytes.withUnsafeBytes { (seal) throws(Errno) in
            var change = unsafe RowChange(.put, RowKey(.chunk, chunk.slot))
            unsafe change.seal = seal
            unsafe change.cell = chunk.cell
            try unsafe write(change)
        }
        root.add(keys.multiset, .chunk, chunk.slot, chunk.seal)
    }

    func writeSealed(
        _ table: UInt8, slot: Int64, _ seal: Seal, isNew: Bool, content: ContentColumn
    ) throws(Errno) {
        sealBytes.resize(to: 0)
        SealBytes(seal).encode(into: &sealBytes)
        try unsafe sealBytes.withUnsafeBytes { (seal) throws(Errno) in
            try unsafe cipher.withUnsafeBytes { (body) throws(Errno) in
                var change = unsafe RowChange(.put, RowKey(table, slot))
                unsafe (change.seal, change.body) = unsafe (seal, body)
                switch unsafe content {
                case .keep: if !isNew { unsafe change.kind = .update }
                case .none: break
                case .bytes(let bytes): unsafe change.content = bytes
                }
                try unsafe write(change)
            }
        }
    }

    func delete(_ table: Table, slot: Int64, seal: Seal) throws(Errno) {
        try unsafe write(RowChange(.delete, RowKey(table, slot)))
        root.remove(keys.multiset, table, slot, seal)
    }

    /// Opens a row's record, hands it to `decode` and returns its seal with what that made of it.
    func load<R>(
        _ table: Table, _ type: SealedType, slot: Int64, _ decode: (RawSpan) throws(FormatError) -> R
    ) throws(Errno) -> (R, Seal) {
        try unsafe withRow(table, slot) { (seal, body) throws(Errno) in
            guard body.count <= (table == .sync ? Limits.syncStateRecord : Limits.metadata) else { throw .ioError }
            plain.resize(to: body.count)
            let data = keys.rowData(type, slot: slot)
            let opened = unsafe plain.withUnsafeMutableBytes { target in
                unsafe keys.record.open(body, seal, data, into: target)
            }
            guard opened else { throw .ioError }
            do throws(FormatError) { return (try plain.withBytes(decode), seal) } catch { throw .ioError }
        }
    }

    /// A row's seal and sealed body, as the running operation sees it.
    func withRow<R>(
        _ table: Table, _ slot: Int64, _ body: (Seal, UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        if let found = found(RowKey(table, slot)) {
            guard !found.isDeleted else { throw .ioError }
            return try unsafe found.body.withRawBytes { (bytes) throws(Errno) in
                try unsafe body(found.seal, bytes)
            }
        }
        let statement = rows.select[Int(table.rawValue)]
        defer { statement.reset() }
        let isThere: Bool
        do throws(DatabaseFailure) { isThere = try statement.bind(1, slot).step() } catch { throw error.errno }
        guard isThere, let seal = unsafe RowReader.seal(statement.bytes(0)) else { throw .ioError }
        return try unsafe body(seal, statement.bytes(1))
    }

    /// The seal of a row.
    func seal(of table: Table, slot: Int64) throws(Errno) -> Seal {
        try unsafe withRow(table, slot) { seal, _ in seal }
    }

    /// Whether a row is there.
    func has(_ table: Table, slot: Int64) throws(Errno) -> Bool {
        if let found = found(RowKey(table, slot)) { return !found.isDeleted }
        let statement = rows.select[Int(table.rawValue)]
        defer { statement.reset() }
        do throws(DatabaseFailure) { return try statement.bind(1, slot).step() } catch { throw error.errno }
    }

    /// The sealed content column of a file or version, as the running operation sees it.
    func contentColumn<R>(
        _ table: Table, _ slot: Int64, _ body: (UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        var (table, slot) = (table, slot)
        var found = found(RowKey(table, slot))
        if case .file = found?.content {
            // The store has it under a file still: let it become the version's there.
            try drain()
            found = self.found(RowKey(table, slot))
        }
        switch found?.content {
        case .bytes(let bytes):
            return try unsafe bytes.withRawBytes { (bytes) throws(Errno) in try unsafe body(bytes) }
        case .none?: return try unsafe body(UnsafeRawBufferPointer(start: nil, count: 0))
        // Staged by the running operation, which the store knows nothing of.
        case .file(let file): (table, slot) = (.file, file)
        case .stored, nil: break
        }
        let statement = table == .file ? rows.fileContent : rows.versionContent
        defer { statement.reset() }
        let isThere: Bool
        do throws(DatabaseFailure) { isThere = try statement.bind(1, slot).step() } catch { throw error.errno }
        guard isThere else { throw .ioError }
        return try unsafe body(statement.bytes(0))
    }

    /// Gives the version the content column of a file as it stands, still sealed.
    func copyContent(ofFile file: Int64, toVersion version: Int64) throws(Errno) {
        var change = unsafe RowChange(.content, RowKey(.version, version))
        switch found(RowKey(.file, file))?.content {
        case .bytes(let bytes):
            try unsafe bytes.withRawBytes { (bytes) throws(Errno) in
                unsafe change.content = bytes
                try unsafe write(change)
            }
        case .none?:
            try unsafe write(change)
        case .stored, .file, nil:
            // SQLite copies it, before anything that is staged later changes it.
            try unsafe withUnsafeBytes(of: file.littleEndian) { (source) throws(Errno) in
                unsafe change.kind = .copyContent
                unsafe change.body = source
                try unsafe write(change)
            }
        }
    }
}

/// What happens to the content column of a row. `@unsafe`: the bytes must outlive the statement's run.
@unsafe
enum ContentColumn {
    /// It stays as it is.
    case keep
    /// It becomes NULL.
    case none
    /// It becomes these (sealed) bytes.
    case bytes(UnsafeRawBufferPointer)
}
