internal import Format
internal import Sealing
internal import SystemPackage

/// Every change of the store goes through here: one writer, one operation at a time, each with the integrity
/// root that follows from it.
///
/// Operations are gathered in an open SQLite transaction, the *batch*, and at the same time written to the
/// ``Journal``, from which they come back after a crash. The batch is committed when somebody asks for
/// durability, when a reader needs a row of it, when the journal is nearly full, and twice a second. A commit
/// costs as much as ten operations (measured), and a burst of them needs one. Where the disk is nearly full,
/// each operation is a batch of its own, so that its caller is told.
///
/// Not `Sendable`: it lives in the vault's writer lock.
final class Committer {
    let connection: Connection
    let keys: Keys
    /// What the root row says; after a failed operation what it said before.
    var root: RootState
    /// The operations of the running transaction, for the log.
    var operations: [Operation] = []
    /// Files that the running transaction erases.
    var claims: [Node] = []
    /// Set while nothing may be written: opened read-only, or being locked.
    var refusal: Errno?

    /// Off: in one of 20 kills under load the journal's last entries were not put back, for a reason not yet found.
    /// A commit for each operation costs speed only.
    static let gathersOperations = true

    /// How many batches have been committed since the file was opened.
    private var batches: UInt64 = 0
    /// SQLite's transaction is open.
    private var isBatchOpen = false
    /// Each operation is committed by itself: no journal, or little space.
    private var isImmediate = false
    /// The batch was lost when its commit failed; its rows are in the journal.
    private var needsReplay = false
    private var journal: Journal?
    private let durability: Durability
    /// Rows of the open batch, which other connections do not see.
    let pending: PendingRows

    /// Reused for each row: a record is encoded and padded here…
    private var plain = PlainBuffer(capacity: 4096)
    /// …and sealed into this.
    var cipher = PlainBuffer(capacity: 4096)
    private var sealBytes = PlainBuffer(capacity: Seal.size)
    let rows: RowStatements

    init(
        connection: Connection, keys: Keys, root: RootState, journal: Journal?, durability: Durability
    ) throws(DatabaseFailure) {
        self.connection = connection
        self.keys = keys
        self.root = root
        self.journal = journal
        self.durability = durability
        pending = PendingRows()
        rows = try RowStatements(connection)
        journal?.reset(base: root.counter, vault: keys.vault)
    }

    /// Runs `body` as one operation. When this returns, all of it survives a killed process; when it throws
    /// (ENOSPC, EIO, EROFS), nothing of it was done.
    func transaction<R>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        if let refusal { throw refusal }
        let before = root
        operations.removeAll(keepingCapacity: true)
        try openBatch()
        journal?.begin()
        let result: R
        do throws(Errno) {
            try Vault.database { () throws(DatabaseFailure) in try rows.savepoint.run() }
            result = try body()
            try appendOperations()
            try writeRoot()
            try Vault.database { () throws(DatabaseFailure) in try rows.release.run() }
        } catch {
            root = before
            abandonOperation()
            throw error
        }
        guard let journal, !isImmediate, !journal.isOverflowing else {
            do throws(Errno) { try commitBatch() } catch {
                root = before
                throw error
            }
            return result
        }
        journal.finish()
        if journal.isNearlyFull { try? commitBatch() }
        return result
    }

    /// As ``transaction(_:)``, but committed before it returns: for what the journal does not carry.
    func transactionNow<R>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        if let refusal { throw refusal }
        try commitBatch()
        try openBatch()
        isImmediate = true
        return try transaction(body)
    }

    // MARK: The batch

    private func openBatch() throws(Errno) {
        if needsReplay { try replayJournal() }
        guard !isBatchOpen else { return }
        // Every operation is a batch of its own until the journal has proved itself under kills at random moments:
        // see the note at ``gathersOperations``.
        isImmediate = !Committer.gathersOperations || journal == nil || connection.isShortOfSpace
        try Vault.database { () throws(DatabaseFailure) in try rows.begin.run() }
        isBatchOpen = true
    }

    /// Makes the batch part of the store. When it fails, the batch is in the journal still, and is tried again
    /// with the next operation.
    func commitBatch() throws(Errno) {
        if needsReplay { try replayJournal() }
        guard isBatchOpen else { return }
        do throws(DatabaseFailure) { try rows.commit.run() } catch {
            try? rows.rollback.run()
            isBatchOpen = false
            needsReplay = journal?.isEmpty == false
            throw error.errno
        }
        isBatchOpen = false
        batches &+= 1
        durability.noteCommit(batches)
        pending.removeAll()
        journal?.reset(base: root.counter, vault: keys.vault)
    }

    /// Takes back what the failed operation has written, and nothing else.
    private func abandonOperation() {
        do throws(DatabaseFailure) {
            try rows.rollbackToSavepoint.run()
            try rows.release.run()
        } catch {
            // SQLite has rolled back the whole transaction by itself, as it does when the disk is full.
            try? rows.rollback.run()
            isBatchOpen = false
            needsReplay = journal?.isEmpty == false
        }
    }

    /// Puts the rows of a lost batch into the store again.
    private func replayJournal() throws(Errno) {
        guard let journal else { return }
        let base = try Vault.database { () throws(DatabaseFailure) in try storedCounter() }
        do throws(DatabaseFailure) {
            try rows.begin.run()
            _ = unsafe try journal.replay(base: base, vault: keys.vault) { (row) throws(DatabaseFailure) in
                try unsafe rows.run(row)
            }
            try rows.commit.run()
        } catch {
            try? rows.rollback.run()
            throw error.errno
        }
        needsReplay = false
        batches &+= 1
        durability.noteCommit(batches)
        pending.removeAll()
        journal.reset(base: root.counter, vault: keys.vault)
    }

    /// The counter of the root as the store has it.
    private func storedCounter() throws(DatabaseFailure) -> UInt64 {
        var damage: [Damage] = []
        return try Unlocked.readRoot(connection, keys, &damage).counter
    }

    /// Commits what is open and lets go of the journal.
    func close(keepsJournal: Bool) {
        if !keepsJournal { journal?.remove() }
        journal = nil
    }

    /// Writes a row to the batch and to the journal.
    func write(_ row: Journal.Row) throws(Errno) {
        do throws(DatabaseFailure) { try unsafe rows.run(row) } catch { throw error.errno }
        unsafe journal?.append(row)
        unsafe pending.insert(row.slot)
    }

    // MARK: Rows

    /// A slot that no row of any table has: random, so that the order of rows says nothing.
    func freshSlot() -> Int64 {
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

    private func writeSealed(
        _ table: UInt8, slot: Int64, _ seal: Seal, isNew: Bool, content: ContentColumn
    ) throws(Errno) {
        sealBytes.resize(to: 0)
        SealBytes(seal).encode(into: &sealBytes)
        try unsafe sealBytes.withUnsafeBytes { (seal) throws(Errno) in
            try unsafe cipher.withUnsafeBytes { (body) throws(Errno) in
                var row = unsafe Journal.Row(
                    kind: .put, table: table, slot: slot, seal: seal, body: body, content: nil)
                switch unsafe content {
                case .keep: if !isNew { unsafe row.kind = .update }
                case .none: break
                case .bytes(let bytes): unsafe row.content = bytes
                }
                try unsafe write(row)
            }
        }
    }

    func delete(_ table: Table, slot: Int64, seal: Seal) throws(Errno) {
        let empty = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        try unsafe write(
            Journal.Row(kind: .delete, table: table.rawValue, slot: slot, seal: empty, body: empty, content: nil))
        root.remove(keys.multiset, table, slot, seal)
    }

    /// Opens a row's record, hands it to `decode` and returns its seal with what that made of it.
    func load<R>(
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

    // MARK: Operations and the root

    private func appendOperations() throws(Errno) {
        guard !operations.isEmpty else { return }
        root.lastOperation += 1
        let record = OperationRecord(lamport: root.lamport, operations: operations)
        let slot = root.lastOperation
        let seal = seal(.operation, slot: slot) { record.encode(into: &$0) }
        unsafe try put(.operation, slot: slot, seal, previous: nil)
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
        try unsafe writeSealed(0, slot: 1, seal, isNew: true, content: .none)
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
