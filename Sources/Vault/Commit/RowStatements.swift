internal import Format
internal import Sealing

/// The statements of the writer, prepared once.
final class RowStatements {
    let begin: PreparedStatement
    let commit: PreparedStatement
    let rollback: PreparedStatement
    let copyContent: PreparedStatement
    let chunkCell: PreparedStatement
    /// By the number of the table; 0 is the root.
    private let put: [PreparedStatement]
    private let updateFile: PreparedStatement
    private let updateVersion: PreparedStatement
    let fileContent: PreparedStatement
    let versionContent: PreparedStatement
    let chunkSeal: PreparedStatement
    let outbox: PreparedStatement
    /// By the number of the table.
    let select: [PreparedStatement]
    let delete: [PreparedStatement]

    static let tableNames = ["", "entry", "file", "chunk", "version", "operation", "sync", "outbox"]

    init(_ connection: Connection) throws(DatabaseFailure) {
        begin = try connection.prepare("BEGIN IMMEDIATE")
        commit = try connection.prepare("COMMIT")
        rollback = try connection.prepare("ROLLBACK")
        put = try [
            "root (id, seal, body) VALUES (?1, ?2, ?3)", "entry (slot, seal, body) VALUES (?1, ?2, ?3)",
            "file (slot, seal, body, content) VALUES (?1, ?2, ?3, ?4)",
            "chunk (slot, seal, body, cell) VALUES (?1, ?2, ?3, ?4)",
            "version (slot, seal, body, content) VALUES (?1, ?2, ?3, ?4)",
            "operation (slot, seal, body) VALUES (?1, ?2, ?3)", "sync (slot, seal, body) VALUES (?1, ?2, ?3)",
            "outbox (slot, seal, body) VALUES (?1, ?2, ?3)",
        ].map { (sql) throws(DatabaseFailure) in try connection.prepare("INSERT OR REPLACE INTO \(sql)") }
        updateFile = try connection.prepare("UPDATE file SET seal = ?2, body = ?3 WHERE slot = ?1")
        updateVersion = try connection.prepare("UPDATE version SET seal = ?2, body = ?3 WHERE slot = ?1")
        copyContent = try connection.prepare(
            "UPDATE version SET content = (SELECT content FROM file WHERE slot = ?2) WHERE slot = ?1")
        chunkCell = try connection.prepare("SELECT cell FROM chunk WHERE slot = ?1")
        fileContent = try connection.prepare("SELECT content FROM file WHERE slot = ?1")
        versionContent = try connection.prepare("SELECT content FROM version WHERE slot = ?1")
        chunkSeal = try connection.prepare("SELECT seal FROM chunk WHERE slot = ?1")
        outbox = try connection.prepare("SELECT slot, seal, body FROM outbox ORDER BY slot")
        var select: [PreparedStatement] = [begin]
        var delete: [PreparedStatement] = [begin]
        for name in RowStatements.tableNames.dropFirst() {
            select.append(try connection.prepare("SELECT seal, body FROM \(name) WHERE slot = ?1"))
            delete.append(try connection.prepare("DELETE FROM \(name) WHERE slot = ?1"))
        }
        self.select = select
        self.delete = delete
    }
}

extension RowStatements {
    /// Changes one row of the store.
    func run(_ change: RowChange) throws(DatabaseFailure) {
        let (table, slot) = unsafe (Int(change.key.table), change.key.slot)
        switch unsafe change.kind {
        case .put:
            let statement = put[table]
            unsafe statement.bind(1, slot).bind(2, change.seal).bind(3, change.body)
            if table == Int(Table.file.rawValue) || table == Int(Table.version.rawValue) {
                if let content = unsafe change.content {
                    unsafe statement.bind(4, content)
                } else {
                    statement.bindNull(4)
                }
            }
            if table == Int(Table.chunk.rawValue) {
                if let cell = unsafe change.cell { statement.bind(4, cell) } else { statement.bindNull(4) }
            }
            try statement.run()
        case .update:
            let statement = table == Int(Table.file.rawValue) ? updateFile : updateVersion
            try unsafe statement.bind(1, slot).bind(2, change.seal).bind(3, change.body).run()
        case .delete:
            try delete[table].bind(1, slot).run()
        case .copyContent:
            try unsafe copyContent.bind(1, slot).bind(2, change.body.loadUnaligned(as: Int64.self)).run()
        case .content:
            // Stands in a set of changes only, which writes a row once.
            throw .other(-1)
        }
    }
}

/// Reading the columns that every sealed row has.
enum RowReader {
    /// The seal column, or nil where it is not 40 bytes.
    static func seal(_ bytes: UnsafeRawBufferPointer) -> Seal? {
        guard bytes.count == Seal.size else { return nil }
        func word(_ index: Int) -> UInt64 {
            UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        return Seal(nonce: (word(0), word(1), word(2)), tag: (word(3), word(4)))
    }
}

/// The integrity root in the form that a running vault adds to.
struct RootState: Sendable {
    var counter: UInt64
    var sum: MultisetSum
    var rows: UInt64
    var nextInode: UInt64
    var lamport: UInt64
    var lastOperation: Int64
    var droppedOperations: Int64
    var device: Identifier
    var header: [UInt8]
    var segmented: UInt64
    var heard: UInt64
    var isReplicated: Bool
    var isIncomplete: Bool

    init(_ record: RootRecord) {
        counter = record.counter
        sum = unsafe MultisetSum(bytes: record.sum.span.bytes)
        rows = record.rows
        nextInode = record.nextInode
        lamport = record.lamport
        lastOperation = record.lastOperation
        droppedOperations = record.droppedOperations
        device = record.device
        header = record.header
        (segmented, heard) = (record.segmented, record.heard)
        (isReplicated, isIncomplete) = (record.isReplicated, record.isIncomplete)
    }

    var record: RootRecord {
        var record = RootRecord(device: device, header: header)
        record.counter = counter
        record.sum = sum.bytes
        record.rows = rows
        record.nextInode = nextInode
        record.lamport = lamport
        record.lastOperation = lastOperation
        record.droppedOperations = droppedOperations
        (record.segmented, record.heard) = (segmented, heard)
        (record.isReplicated, record.isIncomplete) = (isReplicated, isIncomplete)
        return record
    }

    /// Whether the root row has to be written although no other row was.
    func differs(from other: RootState) -> Bool {
        (nextInode, lamport, device, header) != (other.nextInode, other.lamport, other.device, other.header)
            || (segmented, heard, isReplicated) != (other.segmented, other.heard, other.isReplicated)
            || (counter, rows, lastOperation) != (other.counter, other.rows, other.lastOperation) || sum != other.sum
            || (isIncomplete, droppedOperations) != (other.isIncomplete, other.droppedOperations)
    }

    mutating func add(_ key: MultisetKey, _ table: Table, _ slot: Int64, _ seal: Seal) {
        sum.add(key, table: table.rawValue, slot: slot, seal: seal)
        rows &+= 1
    }

    mutating func remove(_ key: MultisetKey, _ table: Table, _ slot: Int64, _ seal: Seal) {
        sum.remove(key, table: table.rawValue, slot: slot, seal: seal)
        rows &-= 1
    }
}
