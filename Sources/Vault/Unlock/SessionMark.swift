internal import Format
internal import Glibc
internal import Sealing
internal import SystemPackage

/// A row of the header that says whether the vault's file is whole by itself.
///
/// While a process has the vault open for writing, the latest changes stand in files beside it: a copy of the file
/// alone lacks them. The redo journal carries the same identifier, and SQLite's log goes with the journal. So a file
/// that is put in another one's place does not take in the log of that one.
///
/// A file without the row was last written by a version that did not know it. A row that was torn or changed counts as
/// none: it decides about no secret, and the root still tells which rows there have to be.
struct SessionMark: Equatable {
    /// A process had the vault open, and has not closed it.
    var isOpen: Bool
    /// That process had a redo journal.
    var hasJournal: Bool
    /// Of the time from one opening to its close.
    let identifier: Identifier

    static let name = "session"
    private static let format: UInt8 = 1
    /// format u8, flags u8, identifier 16, BLAKE2b-128 of these 18.
    private static let size = 34

    init(isOpen: Bool, hasJournal: Bool = false, identifier: Identifier) {
        (self.isOpen, self.hasJournal, self.identifier) = (isOpen, hasJournal, identifier)
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == SessionMark.size, bytes[0] == SessionMark.format, bytes[1] <= 3,
            let identifier = Identifier(bytes: Array(bytes[2..<18]))
        else { return nil }
        self.init(isOpen: bytes[1] & 1 != 0, hasJournal: bytes[1] & 2 != 0, identifier: identifier)
        guard encoded == bytes else { return nil }
    }

    var encoded: [UInt8] {
        var bytes = [SessionMark.format, (isOpen ? 1 : 0) | (hasJournal ? 2 : 0)] + identifier.bytes
        let digest = unsafe Digest.blake2b128(bytes.span.bytes)
        bytes += Identifier(low: digest.0, high: digest.1).bytes
        return bytes
    }

    /// The same session at its end.
    var ended: SessionMark { SessionMark(isOpen: false, identifier: identifier) }

    /// As the connection sees it; nil where there is none.
    static func read(_ connection: Connection) -> SessionMark? {
        let found = try? Header.read(connection)
        return found.flatMap { SessionMark($0[name]) }
    }

    /// As the file itself has it, without SQLite's log.
    static func read(inFile path: FilePath) -> SessionMark? {
        guard let connection = try? Connection(path: path, readOnly: true, cacheKiB: 64, asItIs: true) else {
            return nil
        }
        defer { connection.close() }
        return read(connection)
    }
}

extension Connection {
    /// Writes the mark into the file itself, durably, behind all that stands in the log.
    ///
    /// The log is emptied first and again afterwards: nothing but the mark is under way while the mark changes, so that
    /// no loss of power leaves a file that calls itself whole and is not.
    func note(_ mark: SessionMark) throws(DatabaseFailure) {
        try emptyLog()
        try execute("BEGIN IMMEDIATE")
        do throws(DatabaseFailure) {
            try Header.write(SessionMark.name, mark.encoded, in: self)
            try execute("COMMIT")
        } catch {
            try? execute("ROLLBACK")
            throw error
        }
        try emptyLog()
        keepLog(mark.isOpen)
        // Or a loss of power brings back the log that was emptied, as one that no file knows.
        let log = try? FileDescriptor.open(FilePath(path.string + "-wal"), .readWrite, options: [.closeOnExec])
        defer { try? log?.close() }
        guard let log, fsync(log.rawValue) == 0 else { throw .io }
    }
}
