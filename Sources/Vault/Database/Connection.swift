internal import Foundation
internal import GRDB
internal import GRDBSQLite
internal import Glibc
internal import SystemPackage

/// One connection to the vault's file, opened and configured by GRDB.
///
/// Not `Sendable`: whoever owns it (the committer, a reader) is behind a lock of its own, and calls
/// come in one at a time.
@safe
final class Connection {
    fileprivate let queue: DatabaseQueue
    private let handle: OpaquePointer?
    let path: FilePath
    /// Opened as a file that nobody changes: SQLite reads a database in WAL mode where it can make no file beside it only
    /// in that way (<https://www.sqlite.org/wal.html#readonly>). Our lock keeps others of this program from changing it.
    let isImmutable: Bool
    private var prepared: [PreparedStatement] = []

    /// `application_id` of the file: "Coff". `file(1)` and we tell a vault by it.
    static let applicationIdentifier: Int64 = 0x436F_6666

    /// - Parameter asItIs: the file alone, without what stands in its log; nobody changes it meanwhile.
    init(path: FilePath, readOnly: Bool, cacheKiB: Int, asItIs: Bool = false) throws(DatabaseFailure) {
        self.path = path
        let isImmutable = asItIs || Surroundings.areUnwritable(path) && !Surroundings.haveLog(path)
        self.isImmutable = isImmutable
        let readOnly = readOnly || isImmutable
        var configuration = Configuration()
        // Not SQLITE_OPEN_READONLY: that would take other locks than the exclusive VFS does.
        configuration.readonly = false
        // Statements are used under our own locks, outside of GRDB's queue.
        configuration.allowsUnsafeTransactions = true
        // Connections of this process meet for moments, when one opens or recovers the log.
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { database in
            try Connection.configure(database, readOnly: readOnly, cacheKiB: cacheKiB)
        }
        do {
            queue = try DatabaseQueue(path: Connection.address(path, isImmutable), configuration: configuration)
            // GRDB sets synchronous=NORMAL itself after preparing: asserted, since durability rests on it.
            let level = try queue.unsafeReentrantRead { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
            guard level == 1 || readOnly else { throw DatabaseFailure.other(SQLITE_MISUSE) }
            // GRDB's observers expect every statement to come through GRDB.
            unsafe handle = queue.unsafeReentrantRead { unsafe $0.sqliteConnection }
            unsafe sqlite3_commit_hook(handle, nil, nil)
            unsafe sqlite3_rollback_hook(handle, nil, nil)
            unsafe sqlite3_update_hook(handle, nil, nil)
            if !isImmutable { try checkAccess() }
        } catch {
            throw Connection.failure(error)
        }
        guard !isImmutable else { return }
        // What cannot be read may say that the log is needed.
        let header = try? Header.read(self)
        keepLog(header.map { SessionMark($0[SessionMark.name])?.isOpen ?? false } ?? true)
    }

    /// SQLite opens a file for reading only when opening it for writing fails, for whatever reason: a disk that fails
    /// once is no file that may not be written, whose changes are refused from then on.
    private func checkAccess() throws(DatabaseFailure) {
        let isForReading = unsafe sqlite3_db_readonly(handle, "main") == 1
        guard isForReading, unsafe path.withPlatformString({ unsafe access($0, W_OK) }) == 0 else { return }
        throw .io
    }

    /// The file as a URI (<https://www.sqlite.org/uri.html>) that asks for SQLite's exclusive VFS: one process
    /// only, whose connections share the log's index on the heap. Nine fcntl(2) calls a transaction go, and no
    /// `-shm` file is left behind by a killed process.
    private static func address(_ path: FilePath, _ isImmutable: Bool) -> String {
        let plain = Set("/-._".utf8)
        let safe = path.string.utf8.map { byte -> String in
            let character = Character(UnicodeScalar(byte))
            if plain.contains(byte) || (byte < 0x80 && (character.isLetter || character.isNumber)) {
                return String(character)
            }
            return "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        return "file:\(safe.joined())?vfs=unix-excl" + (isImmutable ? "&immutable=1" : "")
    }

    private static func configure(_ database: Database, readOnly: Bool, cacheKiB: Int) throws {
        // A hostile file can hold views and triggers; no SQL in the schema may run functions.
        try database.execute(sql: "PRAGMA trusted_schema = OFF")
        try database.execute(sql: "PRAGMA cell_size_check = ON")
        try database.execute(sql: "PRAGMA cache_size = -\(cacheKiB)")
        try database.execute(sql: "PRAGMA temp_store = MEMORY")
        if readOnly {
            try database.execute(sql: "PRAGMA query_only = ON")
            return
        }
        // With it, free pages can be given back to the disk a few at a time. A file that has tables keeps what it has until
        // it is compacted (<https://www.sqlite.org/pragma.html#pragma_auto_vacuum>); there this would be a write.
        if try Int.fetchOne(database, sql: "PRAGMA page_count") == 0 {
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
        }
        try database.execute(sql: "PRAGMA journal_mode = WAL")
        try database.execute(sql: "PRAGMA synchronous = NORMAL")
        // Without it deleted bytes stay in the file.
        try database.execute(sql: "PRAGMA secure_delete = ON")
        // Checkpoints are run by the maintenance thread, never inside somebody's commit.
        try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
        try database.execute(sql: "PRAGMA foreign_keys = ON")
    }

    static func failure(_ error: any Error) -> DatabaseFailure {
        if let failure = error as? DatabaseFailure { return failure }
        if let error = error as? DatabaseError { return DatabaseFailure(code: error.resultCode.rawValue) }
        return .other(-1)
    }

    func prepare(_ sql: String) throws(DatabaseFailure) -> PreparedStatement {
        do {
            let statement = try queue.unsafeReentrantRead { try PreparedStatement(sql, in: $0) }
            prepared.append(statement)
            return statement
        } catch {
            throw Connection.failure(error)
        }
    }

    func execute(_ sql: String) throws(DatabaseFailure) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw DatabaseFailure(code: code) }
    }

    func integer(_ sql: String) throws(DatabaseFailure) -> Int64 {
        do {
            return try queue.unsafeReentrantRead { try Int64.fetchOne($0, sql: sql) } ?? 0
        } catch {
            throw Connection.failure(error)
        }
    }

    /// Moves what stands in the write-ahead log into the file, without waiting for readers.
    func checkpoint(truncate: Bool = false) throws(DatabaseFailure) {
        try execute(truncate ? "PRAGMA wal_checkpoint(TRUNCATE)" : "PRAGMA wal_checkpoint(PASSIVE)")
    }

    /// Moves all of the log into the file, durably, and leaves it empty.
    ///
    /// - Throws: `busy` where somebody is still reading from it.
    func emptyLog() throws(DatabaseFailure) {
        // The first column of the answer (<https://www.sqlite.org/pragma.html#pragma_wal_checkpoint>).
        guard try integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0 else { throw .busy }
    }

    /// Whether SQLite leaves the log's file there when the last connection of this process closes: while a vault counts
    /// as open, a log that is not there is missing.
    func keepLog(_ isKept: Bool) {
        var value: Int32 = isKept ? 1 : 0
        _ = unsafe sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &value)
    }

    func close() {
        for statement in prepared { statement.finalize() }
        prepared = []
        try? queue.close()
    }
}

extension Connection {
    /// Less than 64 MiB are free where the file is, or that cannot be told.
    var isShortOfSpace: Bool {
        var space = statvfs()
        guard unsafe path.withPlatformString({ unsafe statvfs($0, &space) }) == 0 else { return true }
        return UInt64(space.f_bavail) &* UInt64(space.f_frsize) < 64 << 20
    }

    /// SQLite's own check of pages, cells and freelist.
    func isSound() throws(DatabaseFailure) -> Bool {
        do {
            return try queue.unsafeReentrantRead { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") } == "ok"
        } catch {
            throw Connection.failure(error)
        }
    }
}
