internal import Format
internal import Sealing
internal import SystemPackage

/// Every change of the store goes through here: one writer, one transaction at a time, the integrity
/// root rewritten with each.
///
/// Not `Sendable`: it lives in the vault's writer lock.
final class Committer {
    let connection: Connection
    let keys: Keys
    /// What the root row says; after a failed transaction what it said before.
    var root: RootState
    /// The operations of the running transaction.
    var operations: [Operation] = []
    /// Files that the running transaction erases.
    var claims: [Node] = []
    /// How many transactions have been committed since the file was opened.
    private(set) var commits: UInt64 = 0
    /// Set while nothing may be written: opened read-only, or being locked.
    var refusal: Errno?

    /// Reused for each row: a record is encoded and padded here…
    private var plain = PlainBuffer(capacity: 4096)
    /// …and sealed into this.
    private var cipher = PlainBuffer(capacity: 4096)
    private var sealBytes = PlainBuffer(capacity: Seal.size)
    let rows: RowStatements

    init(connection: Connection, keys: Keys, root: RootState) throws(DatabaseFailure) {
        self.connection = connection
        self.keys = keys
        self.root = root
        rows = try RowStatements(connection)
    }

    /// Runs `body` as one transaction. Either all of it is in the file when this returns, or nothing
    /// is and the error says why (ENOSPC, EIO, EROFS).
    func transaction<R>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        if let refusal { throw refusal }
        let before = root
        operations.removeAll(keepingCapacity: true)
        do throws(DatabaseFailure) { try rows.begin.run() } catch { throw error.errno }
        do throws(Errno) {
            let result = try body()
            try appendOperations()
            try writeRoot()
            do throws(DatabaseFailure) { try rows.commit.run() } catch { throw error.errno }
            commits &+= 1
            return result
        } catch {
            root = before
            // SQLite has rolled back by itself after some errors; then this one is refused.
            try? rows.rollback.run()
            throw error
        }
    }

    // MARK: Rows

    /// A slot that no row of any table has: random, so that the order of rows says nothing.
    func freshSlot() -> Int64 {
        Int64.random(in: 1...Int64.max)
    }

    /// Seals `encode`'s bytes, padded, into the reused buffer, and returns the seal.
    private func seal(_ type: SealedType, slot: Int64, _ encode: (inout PlainBuffer) -> Void) -> Seal {
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
    private func put(
        _ table: Table, slot: Int64, _ seal: Seal, previous: Seal?, with statement: PreparedStatement,
        content: ContentColumn = unsafe .keep
    ) throws(Errno) {
        sealBytes.resize(to: 0)
        SealBytes(seal).encode(into: &sealBytes)
        do throws(DatabaseFailure) {
            try unsafe sealBytes.withUnsafeBytes { (seal) throws(DatabaseFailure) in
                try unsafe cipher.withUnsafeBytes { (body) throws(DatabaseFailure) in
                    unsafe statement.bind(1, slot).bind(2, seal).bind(3, body)
                    switch unsafe content {
                    case .keep: break
                    case .none: statement.bindNull(4)
                    case .bytes(let bytes): unsafe statement.bind(4, bytes)
                    }
                    try statement.run()
                }
            }
        } catch {
            throw error.errno
        }
        if let previous { root.remove(keys.multiset, table, slot, previous) }
        root.add(keys.multiset, table, slot, seal)
    }

    private func delete(_ table: Table, slot: Int64, seal: Seal) throws(Errno) {
        do throws(DatabaseFailure) { try rows.delete[Int(table.rawValue)].bind(1, slot).run() } catch {
            throw error.errno
        }
        root.remove(keys.multiset, table, slot, seal)
    }

    /// Opens a row's record, hands it to `decode` and returns its seal with what that made of it.
    private func load<R>(
        _ table: Table, _ type: SealedType, slot: Int64, _ decode: (RawSpan) throws(FormatError) -> R
    ) throws(Errno) -> (R, Seal) {
        let statement = rows.select[Int(table.rawValue)]
        defer { statement.reset() }
        let found: Bool
        do throws(DatabaseFailure) { found = try statement.bind(1, slot).step() } catch { throw error.errno }
        guard found else { throw .ioError }
        guard let seal = unsafe RowReader.seal(statement.bytes(0)) else { throw .ioError }
        let data = keys.rowData(type, slot: slot)
        let body = unsafe statement.bytes(1)
        guard body.count <= Limits.metadata else { throw .ioError }
        plain.resize(to: body.count)
        let opened = unsafe plain.withUnsafeMutableBytes { target in
            unsafe keys.record.open(body, seal, data, into: target)
        }
        guard opened else { throw .ioError }
        do throws(FormatError) {
            return (try plain.withBytes(decode), seal)
        } catch {
            throw .ioError
        }
    }

    // MARK: Entries

    func loadEntry(_ slot: Int64) throws(Errno) -> (EntryRecord, Seal) {
        try load(.entry, .entry, slot: slot) { (bytes) throws(FormatError) in try EntryRecord(decoding: bytes) }
    }

    func putEntry(_ record: EntryRecord, slot: Int64, previous: Seal?) throws(Errno) {
        let seal = seal(.entry, slot: slot) { record.encode(into: &$0) }
        unsafe try put(.entry, slot: slot, seal, previous: previous, with: rows.putEntry)
    }

    func deleteEntry(_ slot: Int64, _ seal: Seal) throws(Errno) { try delete(.entry, slot: slot, seal: seal) }

    // MARK: Files

    func loadFile(_ slot: Int64) throws(Errno) -> (FileRecord, Seal) {
        try load(.file, .file, slot: slot) { (bytes) throws(FormatError) in try FileRecord(decoding: bytes) }
    }

    func putFile(_ record: FileRecord, slot: Int64, previous: Seal?, content: ContentColumn) throws(Errno) {
        let seal = seal(.file, slot: slot) { record.encode(into: &$0) }
        let statement =
            switch unsafe content {
            case .keep: previous == nil ? rows.putFile : rows.updateFile
            default: rows.putFile
            }
        unsafe try put(.file, slot: slot, seal, previous: previous, with: statement, content: content)
    }

    func deleteFile(_ slot: Int64, _ seal: Seal) throws(Errno) { try delete(.file, slot: slot, seal: seal) }

    // MARK: Versions

    func loadVersion(_ slot: Int64) throws(Errno) -> (VersionRecord, Seal) {
        try load(.version, .version, slot: slot) { (bytes) throws(FormatError) in
            try VersionRecord(decoding: bytes)
        }
    }

    func putVersion(_ record: VersionRecord, slot: Int64, previous: Seal?, content: ContentColumn) throws(Errno) {
        let seal = seal(.version, slot: slot) { record.encode(into: &$0) }
        let statement =
            switch unsafe content {
            case .keep: previous == nil ? rows.putVersion : rows.updateVersion
            default: rows.putVersion
            }
        unsafe try put(.version, slot: slot, seal, previous: previous, with: statement, content: content)
    }

    /// Gives the version the content column of a file as it stands, still sealed.
    func copyContent(ofFile file: Int64, toVersion version: Int64) throws(Errno) {
        do throws(DatabaseFailure) { try rows.copyContent.bind(1, version).bind(2, file).run() } catch {
            throw error.errno
        }
    }

    func deleteVersion(_ slot: Int64, _ seal: Seal) throws(Errno) { try delete(.version, slot: slot, seal: seal) }

    func loadOperation(_ slot: Int64) throws(Errno) -> (OperationRecord, Seal) {
        try load(.operation, .operation, slot: slot) { (bytes) throws(FormatError) in
            try OperationRecord(decoding: bytes)
        }
    }

    // MARK: Contents

    /// Seals a content column under the file and save that `content` names.
    func sealContent(_ bytes: UnsafeRawBufferPointer, _ content: inout ContentReference, into target: inout PlainBuffer) {
        target.resize(to: bytes.count)
        let data = keys.contentData(content)
        let seal = unsafe target.withUnsafeMutableBytes { unsafe keys.record.seal(bytes, data, into: $0) }
        content.seal = SealBytes(seal)
    }

    /// Writes one chunk under a slot of its own and returns the slot.
    func insertChunk(_ bytes: UnsafeRawBufferPointer, file: Identifier, index: Int) throws(Errno) -> Int64 {
        let slot = freshSlot()
        cipher.resize(to: bytes.count)
        let data = keys.chunkData(file: file, slot: slot, index: index)
        let seal = unsafe cipher.withUnsafeMutableBytes { unsafe keys.chunk.seal(bytes, data, into: $0) }
        unsafe try put(.chunk, slot: slot, seal, previous: nil, with: rows.putChunk)
        return slot
    }

    func deleteChunk(_ slot: Int64) throws(Errno) {
        let statement = rows.chunkSeal
        var seal: Seal?
        do throws(DatabaseFailure) {
            if try statement.bind(1, slot).step() { seal = unsafe RowReader.seal(statement.bytes(0)) }
        } catch {
            throw error.errno
        }
        statement.reset()
        guard let seal else { throw .ioError }
        try delete(.chunk, slot: slot, seal: seal)
    }

    // MARK: Operations and the root

    private func appendOperations() throws(Errno) {
        guard !operations.isEmpty else { return }
        root.lastOperation += 1
        let record = OperationRecord(lamport: root.lamport, operations: operations)
        let slot = root.lastOperation
        let seal = seal(.operation, slot: slot) { record.encode(into: &$0) }
        unsafe try put(.operation, slot: slot, seal, previous: nil, with: rows.putOperation)
        if root.lastOperation - root.droppedOperations > Limits.operationsKept + 512 { try dropOperations() }
    }

    /// Without a remote nobody reads the oldest operations: the first push sends the state itself.
    private func dropOperations() throws(Errno) {
        let last = root.lastOperation - Limits.operationsKept
        let statement = rows.operationSeals
        var dropped: [(Int64, Seal)] = []
        do throws(DatabaseFailure) {
            statement.bind(1, last)
            while try statement.step() {
                guard let seal = unsafe RowReader.seal(statement.bytes(1)) else { throw DatabaseFailure.corrupt }
                dropped.append((statement.integer(0), seal))
            }
        } catch {
            throw error.errno
        }
        statement.reset()
        for (slot, seal) in dropped { try delete(.operation, slot: slot, seal: seal) }
        root.droppedOperations = last
    }

    private func writeRoot() throws(Errno) {
        root.counter += 1
        let record = root.record
        let seal = seal(.root, slot: 1) { record.encode(into: &$0) }
        sealBytes.resize(to: 0)
        SealBytes(seal).encode(into: &sealBytes)
        do throws(DatabaseFailure) {
            try unsafe sealBytes.withUnsafeBytes { (seal) throws(DatabaseFailure) in
                try unsafe cipher.withUnsafeBytes { (body) throws(DatabaseFailure) in
                    try unsafe rows.putRoot.bind(1, 1).bind(2, seal).bind(3, body).run()
                }
            }
        } catch {
            throw error.errno
        }
    }

    /// The next stamp of this device: every change gets a later one than all that were seen.
    func nextStamp() -> Stamp {
        Stamp(lamport: root.lamport, device: root.device)
    }

    func advanceClock() { root.lamport &+= 1 }
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

extension Committer {
    /// The sealed content column of a row, seen from inside the transaction.
    func contentColumn<R>(
        _ table: String, _ slot: Int64, _ body: (UnsafeRawBufferPointer) throws(Errno) -> R
    ) throws(Errno) -> R {
        let statement = table == "file" ? rows.fileContent : rows.versionContent
        defer { statement.reset() }
        let found: Bool
        do throws(DatabaseFailure) { found = try statement.bind(1, slot).step() } catch { throw error.errno }
        guard found else { throw .ioError }
        return try unsafe body(statement.bytes(0))
    }
}

extension Committer {
    /// Whether a file's row is there.
    func hasFile(_ slot: Int64) throws(Errno) -> Bool {
        let statement = rows.select[Int(Table.file.rawValue)]
        defer { statement.reset() }
        do throws(DatabaseFailure) { return try statement.bind(1, slot).step() } catch { throw error.errno }
    }
}
