internal import GRDB
internal import GRDBSQLite
internal import Sealing
internal import SystemPackage

/// Why the database did not do what it was asked, in the terms that the layers above act on.
enum DatabaseFailure: Error, Equatable {
    /// No space left on the device.
    case full
    /// Reading or writing the file failed.
    case io
    /// The file's own structure is damaged.
    case corrupt
    /// Another process holds the file.
    case busy
    /// The file cannot be written.
    case readOnly
    /// The file is no database.
    case notADatabase
    /// There is not enough memory.
    case noMemory
    /// No more files can be opened, by this process or on this machine.
    case noDescriptors
    /// Anything else, with SQLite's number.
    case other(Int32)

    /// SQLite's primary result codes: <https://www.sqlite.org/rescode.html>.
    init(code: Int32) {
        switch code & 0xFF {
        case SQLITE_FULL: self = .full
        case SQLITE_NOMEM: self = .noMemory
        case SQLITE_IOERR where code == SQLITE_IOERR | 12 << 8: self = .noMemory
        case SQLITE_CANTOPEN where DatabaseFailure.canOpenNothing: self = .noDescriptors
        case SQLITE_IOERR, SQLITE_CANTOPEN: self = .io
        case SQLITE_CORRUPT, SQLITE_MISMATCH: self = .corrupt
        case SQLITE_BUSY, SQLITE_LOCKED: self = .busy
        case SQLITE_READONLY, SQLITE_PERM: self = .readOnly
        case SQLITE_NOTADB: self = .notADatabase
        default: self = .other(code)
        }
    }

    /// What is short is no fault of the file; nil for anything else.
    init?(shortage errno: Errno?) {
        switch errno {
        case .noMemory: self = .noMemory
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem: self = .noDescriptors
        default: return nil
        }
    }

    /// Whether this process, and not the file, is why something did not work.
    var isShortage: Bool { self == .noMemory || self == .noDescriptors }

    /// SQLite says only that a file cannot be opened, so another one is tried.
    private static var canOpenNothing: Bool {
        do { try unsafe FileDescriptor.open("/dev/null", .readOnly, options: [.closeOnExec]).close() } catch {
            return DatabaseFailure(shortage: error as? Errno) != nil
        }
        return false
    }

    /// What a program that called into the mount is told.
    var errno: Errno {
        switch self {
        case .full: .noSpace
        case .readOnly: .readOnlyFileSystem
        case .busy: .resourceBusy
        case .noMemory: .noMemory
        case .noDescriptors: .tooManyOpenFiles
        case .io, .corrupt, .notADatabase, .other: .ioError
        }
    }
}

/// A prepared statement, used with the C interface: GRDB's own rows and values allocate for each
/// column, and unlocking reads several rows an entry within 5 microseconds. GRDB opens and closes the
/// connection and prepares; this file is the only one that steps.
///
/// Not `Sendable`: it belongs to the lock that owns its connection.
final class PreparedStatement {
    private var statement: Statement?
    /// Null once it is finalized, which SQLite answers with SQLITE_MISUSE, but for sqlite3_clear_bindings().
    private var handle: OpaquePointer? { unsafe statement?.sqliteStatement }

    init(_ sql: String, in database: Database) throws {
        statement = try database.makeStatement(sql: sql)
    }

    /// Before its connection closes.
    func finalize() {
        statement = nil
    }

    @discardableResult
    func bind(_ index: Int32, _ value: Int64) -> PreparedStatement {
        _ = unsafe sqlite3_bind_int64(handle, index, value)
        return self
    }

    /// The bytes must stay in place until ``run()`` or ``reset()``: SQLite makes no copy of them.
    @discardableResult
    func bind(_ index: Int32, _ bytes: UnsafeRawBufferPointer) -> PreparedStatement {
        if let base = bytes.baseAddress, bytes.count > 0 {
            _ = unsafe sqlite3_bind_blob64(handle, index, base, UInt64(bytes.count), nil)
        } else {
            _ = unsafe sqlite3_bind_zeroblob(handle, index, 0)
        }
        return self
    }

    @discardableResult
    func bindNull(_ index: Int32) -> PreparedStatement {
        _ = unsafe sqlite3_bind_null(handle, index)
        return self
    }

    /// The next row is there (`true`) or the statement is done (`false`).
    func step() throws(DatabaseFailure) -> Bool {
        let code = unsafe sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        reset()
        throw DatabaseFailure(code: code)
    }

    /// Runs a statement that gives no rows, and makes it ready for the next time.
    func run() throws(DatabaseFailure) {
        _ = try step()
        reset()
    }

    /// Gives back the row and forgets the pointers that were bound.
    func reset() {
        guard let handle = unsafe handle else { return }
        unsafe sqlite3_reset(handle)
        unsafe sqlite3_clear_bindings(handle)
    }

    func integer(_ column: Int32) -> Int64 {
        unsafe sqlite3_column_int64(handle, column)
    }

    func isNull(_ column: Int32) -> Bool {
        unsafe sqlite3_column_type(handle, column) == SQLITE_NULL
    }

    /// The bytes of a column, valid until the next ``step()`` or ``reset()``.
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let base = unsafe sqlite3_column_blob(handle, column)
        return unsafe UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(handle, column)))
    }
}

extension PreparedStatement {
    /// Binds bytes as the last parameter and runs.
    func bind(_ index: Int32, _ bytes: [UInt8]) throws(DatabaseFailure) {
        var buffer = PlainBuffer(capacity: bytes.count)
        buffer.append(bytes: bytes)
        try unsafe buffer.withUnsafeBytes { (bytes) throws(DatabaseFailure) in try unsafe bind(index, bytes).run() }
    }

    /// Binds a text for as long as `body` runs.
    func bindText<R>(_ index: Int32, _ text: String, _ body: () throws(DatabaseFailure) -> R) throws(DatabaseFailure)
        -> R
    {
        let bytes = Array(text.utf8)
        return try unsafe bytes.withUnsafeBufferPointer { (buffer) throws(DatabaseFailure) in
            _ = unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
                unsafe sqlite3_bind_text(handle, index, characters.baseAddress, Int32(characters.count), nil)
            }
            return try body()
        }
    }
}
