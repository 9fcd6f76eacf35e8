internal import Glibc
public import SystemPackage

extension Backup {
    /// Where the vault is, and how its files are kept as they are while they are copied.
    public enum Source {
        /// No process has it open: it is locked meanwhile.
        case closed(FilePath)
        /// Another process has it open, and keeps its files as long as `isHeld` says so.
        case held(FilePath, isHeld: () -> Bool)

        var path: FilePath {
            switch self {
            case .closed(let path), .held(let path, _): path
            }
        }
    }

    /// Takes a backup: checks the vault's structure, copies it, reads the copy back and compares it, and gives it its name
    /// only then. Needs no key.
    ///
    /// - Parameter replaces: a backup that has the name already goes, once the new one is whole; nothing else ever does.
    /// - Returns: what was taken.
    @discardableResult
    public static func create(
        of source: Source, at path: FilePath, replaces: Bool = false, progress: @escaping Progress
    ) throws(BackupError) -> Summary {
        try checkTarget(path, replaces: replaces, of: source.path)
        let files: BackupSource
        do throws(VaultError) {
            switch source {
            case .closed(let path): files = try BackupSource(closed: path)
            case .held(let path, _): files = try BackupSource(held: path)
            }
        } catch {
            throw .vault(error)
        }
        let summary = Summary(vault: files.vault, seconds: Int64(time(nil)), bytes: files.size)
        if replaces { try checkReplaced(path, by: summary) }
        let temporary = FilePath("\(path.string).\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp")
        let file = try open(temporary)
        defer {
            try? file.close()
            _ = unsafe unlink(temporary.string)
        }
        var writer = try BackupWriter(file, summary, progress: progress)
        try files.copy(into: &writer)
        try writer.finish()
        if case .held(_, let isHeld) = source, !isHeld() { throw .cutOff }
        // From the disk, where it can be.
        _ = posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_DONTNEED)
        try check(temporary) { done, all in progress(all + done, 2 * all) }
        try publish(temporary, as: path, replaces)
        return summary
    }

    private static func open(_ path: FilePath) throws(BackupError) -> FileDescriptor {
        do {
            return try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
        } catch {
            throw .io(error as? Errno ?? .ioError, "writing the backup")
        }
    }

    private static func publish(_ temporary: FilePath, as path: FilePath, _ replaces: Bool) throws(BackupError) {
        do throws(Errno) {
            if replaces {
                guard unsafe rename(temporary.string, path.string) == 0 else { throw Errno(rawValue: errno) }
            } else {
                try Companions.move(temporary, to: path)
            }
            try Durability.synchronizeNames(beside: path)
        } catch .fileExists {
            throw .exists
        } catch {
            throw .io(error, "writing the backup")
        }
    }

    // MARK: Where it goes

    /// Nothing is written over but an older backup of the same vault, and no file gets a name that belongs to a vault.
    private static func checkTarget(
        _ path: FilePath, replaces: Bool, of vault: FilePath
    ) throws(BackupError) {
        guard !belongs(path, to: vault) else { throw .withinVault }
        var status = stat()
        guard unsafe lstat(path.string, &status) == 0 else { return }
        guard replaces, status.st_mode & S_IFMT == S_IFREG else { throw .exists }
    }

    private static func belongs(_ path: FilePath, to vault: FilePath) -> Bool {
        var (folder, other) = (stat(), stat())
        let parents = [path, vault].map { path in
            let parent = path.removingLastComponent()
            return parent.isEmpty ? "." : parent.string
        }
        guard unsafe stat(parents[0], &folder) == 0, unsafe stat(parents[1], &other) == 0,
            (folder.st_dev, folder.st_ino) == (other.st_dev, other.st_ino),
            let name = path.lastComponent?.string, let file = vault.lastComponent?.string
        else { return false }
        return name == file || name.hasPrefix("\(file)-") || name == "\(file).new"
    }

    private static func checkReplaced(_ path: FilePath, by summary: Summary) throws(BackupError) {
        let reader: BackupReader
        do throws(BackupError) { reader = try BackupReader(path) } catch {
            guard case .missing = error else { throw .exists }
            return
        }
        guard reader.summary.vault == summary.vault else { throw .exists }
    }
}
