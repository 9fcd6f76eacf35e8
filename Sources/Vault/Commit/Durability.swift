internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Makes what was written to a file survive a power loss: fdatasync(2), shared by all who wait.
///
/// For the journal's file, and for SQLite's write-ahead log: SQLite runs with synchronous=NORMAL, where a commit
/// writes the log and does not wait for the disk; the log is what recovery reads, so syncing it is all that
/// synchronous=FULL would do with each commit. Whoever comes while a sync is running waits for the next, which
/// covers them all.
final class Durability: Sendable {
    private let file: FileDescriptor?
    /// The file under its name; nil where nobody asked for that.
    let named: NamedFile?
    private let turn = Mutex(())
    private let written = Atomic<UInt64>(0)
    private let durable = Atomic<UInt64>(0)
    /// After a failed sync the kernel may have dropped the pages, and the next one says that all is well (fsync(2);
    /// Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020): never believe it again.
    private let hasFailed = Atomic<Bool>(false)

    /// Takes the descriptor over.
    ///
    /// - Parameter path: the file's name, where it has to stay under it.
    init(_ file: FileDescriptor?, at path: FilePath? = nil) {
        self.file = file
        named = file.flatMap { file in path.flatMap { NamedFile($0, file) } }
    }

    /// For the log beside the vault, which is there once the first connection has written.
    ///
    /// - Throws: where a later sync could not keep its promise.
    convenience init(vault: FilePath, isReadOnly: Bool = false) throws(DatabaseFailure) {
        do throws(Errno) { try Durability.synchronizeNames(beside: vault) } catch { if !isReadOnly { throw .io } }
        let log = FilePath(vault.string + "-wal")
        self.init(try? FileDescriptor.open(log, .readWrite, options: [.closeOnExec]), at: log)
    }

    /// Makes the names of new files beside `path` survive, too: a sync of a file is none of its name (fsync(2)).
    static func synchronizeNames(beside path: FilePath) throws(Errno) {
        guard let opened = unsafe try? FileDescriptor.open(Surroundings.folder(of: path), .readOnly) else {
            throw .ioError
        }
        defer { try? opened.close() }
        guard fsync(opened.rawValue) == 0 else { throw .ioError }
    }

    deinit { try? file?.close() }

    /// Something was written. Callers hold the lock under which they wrote.
    func noteCommit() {
        written.wrappingAdd(1, ordering: .releasing)
    }

    /// Returns when everything that was written before the call is on the disk.
    func makeDurable() throws(Errno) {
        let wanted = written.load(ordering: .acquiring)
        guard durable.load(ordering: .acquiring) < wanted else { return }
        guard let file else { throw .ioError }
        turn.withLock { _ in
            guard durable.load(ordering: .acquiring) < wanted, !hasFailed.load(ordering: .acquiring) else { return }
            let covered = written.load(ordering: .acquiring)
            if fdatasync(file.rawValue) == 0 {
                durable.store(covered, ordering: .releasing)
            } else {
                hasFailed.store(true, ordering: .releasing)
            }
        }
        guard durable.load(ordering: .acquiring) >= wanted else { throw .ioError }
    }

    /// The length of the file in bytes.
    var size: Int64 {
        guard let file else { return 0 }
        return (try? file.seek(offset: 0, from: .end)) ?? 0
    }
}
