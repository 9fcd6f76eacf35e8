internal import Format
internal import Glibc
public import SystemPackage

extension Backup {
    /// What ``restore(_:to:stateDirectory:progress:)`` has done.
    public struct Restored: Sendable {
        public var summary: Summary
        /// The vault's file that was there before, by its new name; nil where there was none.
        public var earlier: FilePath?
        /// All files that were there before, by their new names.
        public var setAside: [FilePath] = []
    }

    /// Brings a vault back as it was when the backup was taken. Needs no key.
    ///
    /// Nothing is changed before all of the backup was read and is whole. What is there of the same vault gets other names.
    /// The counter against older copies is told: it raises no alarm for this state.
    ///
    /// - Throws: `otherVault` where there is something else, `vault(.inUse)` where a process has the vault open, and what
    ///   reading throws.
    public static func restore(
        _ backup: FilePath, to path: FilePath, stateDirectory: FilePath, progress: Progress
    ) throws(BackupError) -> Restored {
        let summary = try BackupReader(backup).summary
        let parent = path.removingLastComponent()
        let present: VaultFile?
        do throws(VaultError) {
            try VaultFile.checkLength(of: path, more: 10)
            Ownership.makeDirectories(parent.isEmpty ? "." : parent)
            present = try lock(path, summary.vault)
        } catch {
            guard case .notAVault = error else { throw .vault(error) }
            throw .otherVault
        }
        defer { present?.unlock() }
        let unpacked = try UnpackedBackup(backup, to: FilePath("\(path.string).restored"), progress: progress)
        do throws(VaultError) {
            try VaultFile.noteRestoring(unpacked.rootSeal, of: summary.vault, at: path, stateDirectory)
        } catch {
            throw .vault(error)
        }
        var restored = Restored(summary: summary)
        (restored.earlier, restored.setAside) = try setAside(path)
        try unpacked.move(to: path)
        return restored
    }

    /// The vault that is there, locked; nil where there is none.
    ///
    /// - Throws: `notAVault` also for another vault.
    private static func lock(_ path: FilePath, _ vault: Identifier) throws(VaultError) -> VaultFile? {
        let file: VaultFile
        do throws(VaultError) { file = try VaultFile(path: path, stateDirectory: nil) } catch {
            if case .notFound = error { return nil }
            if case .io(.tooManySymbolicLinkLevels, _) = error { throw .notAVault }
            throw error
        }
        let found = try? Connection(path: path, readOnly: true, cacheKiB: 64, asItIs: true)
        defer { found?.close() }
        let header = found.flatMap { try? Header.read($0) }
        guard header?[Header.identifier] == vault.bytes else {
            file.unlock()
            throw .notAVault
        }
        return file
    }

    /// Gives the vault that is there another name, with all that lies beside it: it can be opened there. The vault's file
    /// goes first, so that no mixture is ever under the old name.
    private static func setAside(_ path: FilePath) throws(BackupError) -> (earlier: FilePath?, [FilePath]) {
        func isThere(_ path: String) -> Bool {
            var status = stat()
            return unsafe lstat(path, &status) == 0
        }
        let suffixes = Vault.fileSuffixes.reversed().filter { isThere(path.string + $0) }
        guard !suffixes.isEmpty else { return (nil, []) }
        let taken = suffixes.contains("") ? Vault.fileSuffixes : suffixes
        for number in 1..<1000 {
            let base = "\(path.string).old\(number == 1 ? "" : "\(number)")"
            guard !taken.contains(where: { isThere(base + $0) }) else { continue }
            do throws(Errno) {
                for suffix in suffixes {
                    try Companions.move(FilePath(path.string + suffix), to: FilePath(base + suffix))
                }
                try Durability.synchronizeNames(beside: path)
            } catch {
                throw .io(error, "setting \(path) aside")
            }
            return (suffixes.contains("") ? FilePath(base) : nil, suffixes.map { FilePath(base + $0) })
        }
        throw .io(.fileExists, "setting \(path) aside")
    }
}

extension Backup {
    /// Writes a backup's files, ciphertext as they are, into an empty folder, to be opened there.
    ///
    /// - Returns: the vault's file.
    public static func unpack(_ backup: FilePath, into folder: FilePath, progress: Progress) throws(BackupError)
        -> FilePath
    {
        let path = folder.appending("vault.coffer")
        let unpacked = try UnpackedBackup(backup, to: FilePath("\(path.string).restored"), progress: progress)
        try unpacked.move(to: path)
        return path
    }
}
