internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Makes committed transactions survive a power cut: fdatasync(2) on SQLite's write-ahead log.
///
/// SQLite runs with synchronous=NORMAL, where a commit writes the log and does not wait for the disk;
/// the log is what recovery reads, so syncing it is all that synchronous=FULL would do with each
/// commit. Done here, outside of the committer's lock, several callers share one sync: whoever comes
/// while one is running waits for the next, which covers them all.
final class Durability: Sendable {
    private let log: FileDescriptor?
    private let turn = Mutex(())
    private let committed = Atomic<UInt64>(0)
    private let durable = Atomic<UInt64>(0)

    /// Opens the log beside the vault, which is there once the first connection has written.
    init(vault: FilePath) {
        log = try? FileDescriptor.open(FilePath(vault.string + "-wal"), .readWrite, options: [.closeOnExec])
        // The log's own directory entry has to survive, too.
        if let directory = try? FileDescriptor.open(
            vault.removingLastComponent().isEmpty ? "." : vault.removingLastComponent(), .readOnly)
        {
            _ = fsync(directory.rawValue)
            try? directory.close()
        }
    }

    deinit { try? log?.close() }

    func noteCommit(_ number: UInt64) {
        committed.store(number, ordering: .releasing)
    }

    var isBehind: Bool { durable.load(ordering: .acquiring) < committed.load(ordering: .acquiring) }

    /// Returns when every transaction that was committed before the call is on the disk.
    func makeDurable() throws(Errno) {
        let wanted = committed.load(ordering: .acquiring)
        guard durable.load(ordering: .acquiring) < wanted else { return }
        guard let log else { throw .ioError }
        let failed = turn.withLock { _ -> Bool in
            if durable.load(ordering: .acquiring) >= wanted { return false }
            let covered = committed.load(ordering: .acquiring)
            guard fdatasync(log.rawValue) == 0 else { return true }
            durable.store(covered, ordering: .releasing)
            return false
        }
        // After a failed sync the kernel may have dropped the pages (fsync(2)): never report success.
        if failed { throw .ioError }
    }

    /// The length of the log in bytes.
    var logSize: Int64 {
        guard let log else { return 0 }
        return (try? log.seek(offset: 0, from: .end)) ?? 0
    }
}
