internal import Format
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The files of a backup under names of their own, whole and on the disk, or gone again.
final class UnpackedBackup {
    let path: FilePath
    let summary: Backup.Summary
    /// The seal of the root: tells this state from every other.
    let rootSeal: [UInt8]
    /// Locks the file against others that would take it for a left one.
    private let file: FileDescriptor
    private var isMoved = false

    /// Writes the files beside each other: `path`, and with the suffixes of a vault.
    init(
        _ backup: FilePath, to path: FilePath, progress: Backup.Progress
    ) throws(BackupError) {
        let reader = try BackupReader(backup)
        let claimed = try UnpackedBackup.claim(path)
        do throws(BackupError) {
            try UnpackedBackup.write(reader, claimed, path, progress)
            rootSeal = try UnpackedBackup.settle(path, reader.summary)
        } catch {
            UnpackedBackup.remove(path)
            UnpackedBackup.close(claimed)
            throw error
        }
        (self.path, summary, file) = (path, reader.summary, claimed)
    }

    deinit {
        if !isMoved { UnpackedBackup.remove(path) }
        UnpackedBackup.close(file)
    }

    /// Gives the files the names of a vault, its own last: there is a whole vault or none.
    func move(to target: FilePath) throws(BackupError) {
        do throws(Errno) {
            for suffix in Vault.fileSuffixes {
                let part = FilePath(path.string + suffix)
                var status = stat()
                guard unsafe lstat(part.string, &status) == 0 else { continue }
                if suffix.isEmpty { try Durability.synchronizeNames(beside: target) }
                try Companions.move(part, to: FilePath(target.string + suffix))
            }
            isMoved = true
            try Durability.synchronizeNames(beside: target)
        } catch .fileExists {
            throw .exists
        } catch {
            throw .io(error, "restoring \(target)")
        }
    }

    // MARK: Writing

    /// What an interrupted process has left goes.
    private static func claim(_ path: FilePath) throws(BackupError) -> FileDescriptor {
        for _ in 0..<2 {
            do {
                let file = try FileDescriptor.open(
                    path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
                    permissions: .ownerReadWrite)
                guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
                    try? file.close()
                    throw BackupError.vault(.inUse)
                }
                return file
            } catch Errno.fileExists {
                guard let left = try? FileDescriptor.open(path, .readOnly, options: [.noFollow, .closeOnExec]) else {
                    throw .exists
                }
                defer { close(left) }
                guard flock(left.rawValue, LOCK_EX | LOCK_NB) == 0 else { throw .vault(.inUse) }
                remove(path)
            } catch {
                throw (error as? BackupError) ?? .io(error as? Errno ?? .ioError, "writing \(path)")
            }
        }
        throw .vault(.inUse)
    }

    private static func write(
        _ reader: BackupReader, _ file: FileDescriptor, _ path: FilePath, _ progress: Backup.Progress
    ) throws(BackupError) {
        var files: [BackupPiece.Kind: FileDescriptor] = [.database: file]
        defer { for (kind, file) in files where kind != .database { try? file.close() } }
        do {
            try unsafe reader.readAll(progress: progress) { (piece, bytes) throws(BackupError) in
                do {
                    let target = try files[piece.kind] ?? create(FilePath(path.string + piece.kind.suffix))
                    files[piece.kind] = target
                    _ = try unsafe target.writeAll(toAbsoluteOffset: Int64(piece.offset), bytes)
                } catch {
                    throw .io(error as? Errno ?? .ioError, "writing \(path)")
                }
            }
            // The journal goes with a log, where that is empty, too.
            if files[.journal] != nil { try create(FilePath(path.string + "-wal")).close() }
            for file in files.values where fsync(file.rawValue) != 0 { throw Errno(rawValue: errno) }
        } catch {
            throw (error as? BackupError) ?? .io(error as? Errno ?? .ioError, "writing \(path)")
        }
    }

    private static func create(_ path: FilePath) throws -> FileDescriptor {
        try FileDescriptor.open(
            path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
    }

    private static func close(_ file: FileDescriptor) {
        _ = flock(file.rawValue, LOCK_UN)
        try? file.close()
    }

    private static func remove(_ path: FilePath) {
        for suffix in Vault.fileSuffixes { _ = unsafe unlink(path.string + suffix) }
    }

    // MARK: Checking

    /// What the digests cannot tell: that it is the vault that the backup says, and nothing is missing. A file that was
    /// copied whole says so.
    private static func settle(
        _ path: FilePath, _ summary: Backup.Summary
    ) throws(BackupError) -> [UInt8] {
        do throws(VaultError) {
            let file = try VaultFile.unlocked(path)
            try file.checkHeader()
            guard !file.isCutShort.load(ordering: .relaxed) else { throw .damaged([Damage("its end is missing")]) }
            let mark = SessionMark.read(inFile: path)
            let hasJournal = Journal.isLeft(beside: path)
            guard !hasJournal || Companions(of: path).missing.isEmpty else { throw .damaged([Damage("its journal")]) }
            let seal = try VaultError.translating("reading the backup") { () throws(DatabaseFailure) in
                let connection = try Connection(path: path, readOnly: false, cacheKiB: 256)
                defer { connection.close() }
                guard try Header.read(connection)[Header.identifier] == summary.vault.bytes else { throw .corrupt }
                if mark != nil, !hasJournal {
                    try connection.note(SessionMark(isOpen: false, identifier: .random()))
                }
                return try Unlocked.rootSeal(connection)
            }
            return seal
        } catch {
            switch error {
            case .newerFormat(let format): throw .newerFormat(format)
            case .io, .inUse: throw .vault(error)
            default: throw .damaged("what is in it is no whole vault")
            }
        }
    }
}
