internal import Format
internal import Glibc
internal import SystemPackage

/// What is copied into a backup: the vault's file, which stays as it is meanwhile, the cells that its rows name, and the
/// redo journal of a killed process.
final class BackupSource {
    let vault: Identifier
    private let database: FileDescriptor
    private let databaseSize: UInt64
    private let cellFile: FileDescriptor?
    /// Neighbours together, at most what one piece has.
    private let cells: [Range<Int64>]
    private let journal: [UInt8]
    /// Contents that a lock could not save.
    private let reserve: [UInt8]
    /// Keeps other processes out.
    private let lock: VaultFile?

    /// A vault that no process has open: it is locked until the backup is taken.
    ///
    /// What stands in SQLite's log of a killed process moves into the file first. The redo journal only the key could put
    /// there: it is copied.
    convenience init(closed path: FilePath) throws(VaultError) {
        let file = try VaultFile(path: path, stateDirectory: nil)
        try file.checkHeader()
        let companions = Companions(of: path)
        guard companions.missing.isEmpty else { throw .incomplete(companions.missing) }
        if companions.foreign.isEmpty, Surroundings.haveLog(path) {
            guard !Surroundings.areUnwritable(path) else { throw .unwritableFolder(isBehind: true) }
            try VaultError.translating("moving the log into the vault's file") { () throws(DatabaseFailure) in
                let connection = try Connection(path: path, readOnly: false, cacheKiB: 256)
                defer { connection.close() }
                try connection.emptyLog()
            }
        }
        let isWhole = SessionMark.read(inFile: path).map { !$0.isOpen } ?? false
        let hasJournal = companions.foreign.isEmpty && !isWhole
        try self.init(
            path, journal: hasJournal ? BackupSource.bytes(of: Journal.path(of: path)) : [],
            reserve: BackupSource.reserve(beside: path), lock: file)
    }

    /// A vault whose file its process keeps as it is (``Vault/holdForBackup()``).
    convenience init(held path: FilePath) throws(VaultError) {
        try self.init(path, journal: [], reserve: [], lock: nil)
    }

    private init(_ path: FilePath, journal: [UInt8], reserve: [UInt8], lock: VaultFile?) throws(VaultError) {
        let found = try BackupSource.survey(path)
        (vault, cells, self.journal, self.reserve, self.lock) = (found.vault, found.cells, journal, reserve, lock)
        let cellPath = FilePath(path.string + "-chunks")
        cellFile = try? FileDescriptor.open(cellPath, .readOnly, options: [.closeOnExec, .noFollow])
        do {
            database = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow])
            databaseSize = UInt64(clamping: try database.seek(offset: 0, from: .end))
        } catch {
            throw .io(error as? Errno ?? .ioError, "opening \(path)")
        }
        let cellEnd = ((try? cellFile?.seek(offset: 0, from: .end)) ?? 0) / Int64(Limits.chunkSize)
        guard found.end <= cellEnd else {
            throw .damaged([Damage("whole chunks of large files are missing: \(cellPath)")])
        }
    }

    deinit {
        try? database.close()
        try? cellFile?.close()
        lock?.unlock()
    }

    /// In bytes.
    var size: UInt64 {
        databaseSize + UInt64(journal.count) + UInt64(reserve.count)
            + cells.reduce(0) { $0 + UInt64($1.count) * UInt64(Limits.chunkSize) }
    }

    // MARK: Checking

    /// Whose vault it is, and which cells its rows name. The structure is checked on the way, and that each row has a seal.
    private static func survey(
        _ path: FilePath
    ) throws(VaultError) -> (vault: Identifier, cells: [Range<Int64>], end: Int64) {
        var isSound = false
        let found = try VaultError.translating("reading the vault's file") { () throws(DatabaseFailure) in
            let connection = try Connection(path: path, readOnly: true, cacheKiB: 4096, asItIs: true)
            defer { connection.close() }
            isSound = try connection.isSound()
            for table in RowStatements.tableNames.dropFirst() + ["root"] {
                let without = try connection.integer("SELECT count(*) FROM \(table) WHERE length(seal) IS NOT 40")
                if without > 0 { isSound = false }
            }
            if try connection.integer("SELECT count(*) FROM root") != 1 { isSound = false }
            let header = try Header.read(connection)
            return (header: header, cells: try cells(connection))
        }
        guard isSound else { throw .damaged([Damage("the file's own structure (SQLite) is damaged")]) }
        guard let vault = Identifier(bytes: found.header[Header.identifier]) else {
            throw .damaged([Damage("the vault's identifier is missing from the header")])
        }
        return (vault, found.cells.ranges, found.cells.end)
    }

    private static func cells(
        _ connection: Connection
    ) throws(DatabaseFailure) -> (ranges: [Range<Int64>], end: Int64) {
        let together = BackupPiece.limit / Limits.chunkSize
        let statement = try connection.prepare("SELECT cell FROM chunk WHERE cell IS NOT NULL ORDER BY cell")
        var ranges: [Range<Int64>] = []
        while try statement.step() {
            let cell = statement.integer(0)
            guard cell >= ranges.last?.upperBound ?? 0, cell < ChunkFile.limit else { throw .corrupt }
            if let last = ranges.last, last.upperBound == cell, last.count < together {
                ranges[ranges.count - 1] = last.lowerBound..<cell + 1
            } else {
                ranges.append(cell..<cell + 1)
            }
        }
        return (ranges, ranges.last?.upperBound ?? 0)
    }

    /// The most that is taken of a journal or a reserve, which have 4 MiB each.
    static let smallLimit = 4 << 20

    /// All of a file; nothing where it is not there.
    private static func bytes(of path: FilePath) throws(VaultError) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: [.noFollow, .closeOnExec])
            defer { try? file.close() }
            var bytes = [UInt8](repeating: 0, count: smallLimit)
            let count = try unsafe bytes.withUnsafeMutableBytes {
                unsafe try file.read(fromAbsoluteOffset: 0, into: $0)
            }
            return Array(bytes[..<count])
        } catch Errno.noSuchFileOrDirectory {
            return []
        } catch {
            throw .io(error as? Errno ?? .ioError, "reading \(path)")
        }
    }

    /// All of a reserve that has something.
    private static func reserve(beside path: FilePath) throws(VaultError) -> [UInt8] {
        let bytes = try bytes(of: FilePath(path.string + "-reserve"))
        return Reserve.isFilled(bytes) ? bytes : []
    }

    // MARK: Copying

    /// Copies all of it.
    func copy(into writer: inout BackupWriter) throws(BackupError) {
        var offset: UInt64 = 0
        while offset < databaseSize {
            let count = Int(min(UInt64(BackupPiece.limit), databaseSize - offset))
            try add(.database, from: database, at: offset, count, to: &writer)
            offset += UInt64(count)
        }
        try add(.journal, journal, to: &writer)
        try add(.reserve, reserve, to: &writer)
        guard let cellFile else { return }
        let cellSize = UInt64(Limits.chunkSize)
        for range in cells {
            try add(
                .chunks, from: cellFile, at: UInt64(range.lowerBound) * cellSize, range.count * Limits.chunkSize,
                to: &writer)
        }
    }

    private func add(_ kind: BackupPiece.Kind, _ bytes: [UInt8], to writer: inout BackupWriter) throws(BackupError) {
        for start in stride(from: 0, to: bytes.count, by: BackupPiece.limit) {
            let part = bytes[start..<min(start + BackupPiece.limit, bytes.count)]
            try unsafe writer.add(kind, at: UInt64(start), count: part.count) { target throws(BackupError) in
                unsafe target.copyBytes(from: part)
            }
        }
    }

    private func add(
        _ kind: BackupPiece.Kind, from file: FileDescriptor, at offset: UInt64, _ count: Int,
        to writer: inout BackupWriter
    ) throws(BackupError) {
        try unsafe writer.add(kind, at: offset, count: count) { target throws(BackupError) in
            var done = 0
            while done < count {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[done...])
                let read: Int
                do {
                    read = try unsafe file.read(fromAbsoluteOffset: Int64(offset) + Int64(done), into: rest)
                } catch {
                    throw .io(error as? Errno ?? .ioError, "reading the vault")
                }
                // It has become shorter than it was.
                guard read > 0 else { throw .cutOff }
                done += read
            }
        }
    }
}
