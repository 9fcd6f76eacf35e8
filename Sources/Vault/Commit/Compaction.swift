internal import Format
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The vault's files become as small as what is in them.
///
/// Pages and cells that are free are used again, and the blocks of free cells have gone back to the disk already. What is
/// left to do is the end of both files. A database that an earlier version has made has no `auto_vacuum`; it is written
/// anew once, by `VACUUM` (<https://www.sqlite.org/lang_vacuum.html>).
extension Vault {
    /// What ``compact()`` did, in bytes.
    public struct Compaction: Sendable, Equatable {
        public var before: UInt64
        public var after: UInt64
        /// So many bytes have to be free for the rest; 0 where nothing is left to do.
        public var missing: UInt64 = 0
    }

    /// What is kept too much or too long goes, and both files shrink to what is in use. Others wait for the writer meanwhile.
    ///
    /// - Throws: `inUse` while a backup is taken, and `io`.
    public func compact() throws(VaultError) -> Compaction {
        guard !isReadOnly else { throw .io(.readOnlyFileSystem, "compacting") }
        guard !isHeldForBackup else { throw .inUse }
        let before = storedSize
        do throws(Errno) {
            try synchronizeAll()
            var last = UInt64.max
            // In rounds of a bounded number of items.
            while true {
                keepBounds(waits: true)
                let state = keptBytes()
                guard state.kept > state.budget, state.kept < last else { break }
                last = state.kept
            }
            settleFreed()
            let missing = try rewrite()
            chunks.cutEnd()
            return Compaction(before: before, after: storedSize, missing: missing)
        } catch {
            throw .io(error, "compacting")
        }
    }

    private var storedSize: UInt64 {
        [path, chunks.path, FilePath(path.string + "-wal")].reduce(0) { sum, path in
            var status = stat()
            guard unsafe path.withPlatformString({ unsafe stat($0, &status) }) == 0 else { return sum }
            return sum &+ UInt64(clamping: status.st_blocks) &* 512
        }
    }

    /// - Returns: how many bytes are missing for a whole one.
    private func rewrite() throws(Errno) -> UInt64 {
        try committer.withLock { (committer) throws(Errno) in
            try committer.drain()
            return try applier.writer.withLock { (writer) throws(Errno) in
                do throws(DatabaseFailure) {
                    let connection = writer.connection
                    let size = try connection.size
                    // The new file and the log that carries it into the old one.
                    let needed = 2 * size + (16 << 20)
                    let free = keptBytes().free
                    let missing: UInt64
                    if free >= needed {
                        try connection.rewrite()
                        missing = 0
                    } else {
                        try connection.execute("PRAGMA incremental_vacuum")
                        missing = try connection.shrinksInSteps ? 0 : needed - free
                    }
                    try? connection.checkpoint(truncate: true)
                    applier.durability.noteCommit()
                    return missing
                } catch { throw error.errno }
            }
        }
    }

    /// Gives free pages at the end of the store back to the disk.
    func shrink(pages: Int) {
        applier.writer.withLock { writer in
            try? writer.connection.execute("PRAGMA incremental_vacuum(\(pages))")
            try? writer.connection.checkpoint()
        }
    }

    /// A part of ``keepBounds()``: where a quarter of the store is free, and 4 MiB at least, it shrinks by so many pages
    /// that nobody waits for long. One that cannot is rewritten, where that is quick and there is room.
    func shrinkInBackground() {
        guard !isHeldForBackup else { return }
        let isWorth = checkpointer.withLock { connection -> Bool in
            guard let connection, let pages = try? connection.integer("PRAGMA page_count"),
                let free = try? connection.integer("PRAGMA freelist_count")
            else { return false }
            return free > 1024 && free > pages / 4
        }
        guard isWorth else { return }
        let free = keptBytes().free
        applier.writer.withLock { writer in
            let connection = writer.connection
            guard let size = try? connection.size, let shrinks = try? connection.shrinksInSteps else { return }
            if shrinks {
                try? connection.execute("PRAGMA incremental_vacuum(512)")
            } else if size <= Vault.quickRewrite, free / 4 > size {
                try? connection.rewrite()
            } else {
                return
            }
            applier.durability.noteCommit()
        }
    }

    /// A store of so many bytes is rewritten in a moment.
    private static let quickRewrite: UInt64 = 64 << 20
}

extension Connection {
    /// Of the file with all that stands in the log, in bytes.
    fileprivate var size: UInt64 {
        get throws(DatabaseFailure) {
            UInt64(clamping: try integer("PRAGMA page_count")) &* UInt64(clamping: try integer("PRAGMA page_size"))
        }
    }

    /// Free pages at the end can be given back.
    fileprivate var shrinksInSteps: Bool {
        get throws(DatabaseFailure) { try integer("PRAGMA auto_vacuum") == 2 }
    }

    /// Writes the whole database anew, in order and without free pages. The copy stands in memory where it is small, and
    /// else in a temporary file without a name: ciphertext, as the database itself.
    fileprivate func rewrite() throws(DatabaseFailure) {
        let isLarge = try size > 64 << 20
        try execute("PRAGMA auto_vacuum = INCREMENTAL")
        if isLarge { try execute("PRAGMA temp_store = FILE") }
        defer { if isLarge { try? execute("PRAGMA temp_store = MEMORY") } }
        try execute("VACUUM")
    }
}
