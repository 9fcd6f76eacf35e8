internal import Format
internal import Synchronization
internal import SystemPackage

extension Vault {
    /// Whether something that a program wrote into a file waits to be committed, because that failed or because
    /// its time has not come. Swap files, which never are, do not count.
    public var hasUncommittedContent: Bool {
        contents.withLock { Array($0.values) }.contains { content in
            // Somebody is at work with what cannot be locked.
            content.withLockIfAvailable { $0.isDirty && $0.slot != 0 } ?? true
        }
    }

    /// What could not be saved so far, without another try.
    public func unsaved() -> Unsaved {
        var unsaved = Unsaved()
        for content in contents.withLock({ Array($0.values) }) {
            let found = content.withLockIfAvailable { state in
                state.isDirty && state.slot != 0 ? state.failure.map { (state.node, $0) } : nil
            }
            guard case .some(.some((let node, let reason))) = found, let path = path(of: node) else { continue }
            unsaved.add(path, reason)
        }
        unsaved.strayed = strayed()
        return unsaved
    }

    /// Saves everything that programs have written, and returns when it is on the disk.
    ///
    /// - Returns: what could not be saved; it stays in memory, and is tried again.
    public func save() -> Unsaved {
        guard !isReadOnly else { return Unsaved() }
        let strayed = strayed()
        let lost = strayed.filter { $0 == path || $0 == chunks.path }
        // Where only logs are gone, the vault's file still takes what they have.
        committer.withLock { $0.noteStrayed(!lost.isEmpty) }
        do throws(Errno) { try commitAll() } catch {
            var unsaved = unsaved()
            unsaved.strayed = lost
            // Of a file without a name nobody would miss the content.
            if unsaved.count > 0 || !lost.isEmpty { return unsaved }
        }
        var unsaved = Unsaved()
        unsaved.strayed = lost
        guard lost.isEmpty else { return unsaved }
        do throws(Errno) { try secureLogs(areInPlace: strayed.isEmpty) } catch { unsaved.reason = error }
        return unsaved
    }

    /// Makes durable what the logs have; where they are gone, or the disk failed to sync one, it is moved into the store.
    private func secureLogs(areInPlace: Bool) throws(Errno) {
        if areInPlace, (try? synchronizeLogs()) != nil { return }
        try committer.withLock { (committer) throws(Errno) in
            try committer.drain()
            try applier.durability.makeDurable()
            guard !areInPlace else { return }
            try applier.writer.withLock { (writer) throws(Errno) in
                do throws(DatabaseFailure) { try writer.connection.checkpoint(truncate: true) } catch {
                    throw error.errno
                }
            }
        }
    }

    // MARK: Files under their names

    private var namedFiles: [NamedFile] {
        [named, applier.durability.named, journal.named, chunks.named].compactMap { $0 }
    }

    /// Files of the vault that were replaced, moved or deleted while it was open.
    func strayed() -> [FilePath] { namedFiles.filter { !$0.isInPlace }.map(\.path) }

    /// - Throws: ESTALE where one of the vault's files was replaced, moved or deleted.
    func checkFiles() throws(Errno) {
        guard namedFiles.allSatisfy(\.isInPlace) else { throw .staleNFSFileHandle }
    }

    /// A path that leads to a file; nil where none does any more.
    func path(of node: Node) -> String? {
        tree.withLock { tree in
            guard (try? tree.inode(node)) != nil else { return nil }
            let index = tree.dentries.firstIndex { $0.slot != 0 && $0.node == UInt32(truncatingIfNeeded: node.index) }
            return index.map { tree.path(ofDentry: UInt32(truncatingIfNeeded: $0)) }
        }
    }
}
