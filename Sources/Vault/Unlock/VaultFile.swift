internal import Format
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// The vault's file as the kernel sees it: the lock that keeps a second process out, and the counter
/// beside it that tells an older copy of the file.
///
/// The lock is flock(2) on the file itself: it goes with the process however that ends, and does not
/// meet SQLite's own POSIX locks. The descriptor is closed last, because closing any descriptor of a
/// file gives up the process's POSIX locks on it (fcntl(2)).
final class VaultFile: Sendable {
    let path: FilePath
    /// What this machine knows of the vault's states; nil before its identifier is known.
    private let counter: CounterFile?
    /// Where a restored backup is noted; nil as long as the vault is not known.
    let restoredPath: FilePath?
    /// Pages are missing at the end of the file.
    let isCutShort = Atomic<Bool>(false)
    private let descriptor: Mutex<FileDescriptor?>
    private let isKept = Atomic<Bool>(false)

    /// Opens and locks the file. `inUse` where another process has it.
    init(path: FilePath, stateDirectory: FilePath?, vault: Identifier? = nil) throws(VaultError) {
        self.path = path
        (counter, restoredPath) = (nil, nil)
        let opened = try VaultFile.regular(path)
        descriptor = Mutex(opened)
        guard flock(opened.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            let busy = Errno(rawValue: Glibc.errno) == .wouldBlock
            try? opened.close()
            throw busy ? .inUse : .io(.ioError, "locking \(path)")
        }
    }

    /// Opens a regular file, and waits for nobody to write into a pipe.
    private static func regular(_ path: FilePath) throws(VaultError) -> FileDescriptor {
        try checkLength(of: path, more: 0)
        let opened: FileDescriptor
        do {
            opened = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow, .nonBlocking])
        } catch Errno.noSuchFileOrDirectory {
            throw .notFound
        } catch Errno.notDirectory {
            throw .notFound
        } catch {
            throw .io(error as? Errno ?? .ioError, "opening \(path)")
        }
        var status = stat()
        guard unsafe fstat(opened.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            try? opened.close()
            throw .notAVault
        }
        return opened
    }

    /// SQLite takes 504 bytes of path (MAX_PATHNAME in its os_unix.c, less the eight that it adds for a file beside it), a
    /// file system 255 of name, and SQLite calls any more an error of the disk.
    ///
    /// - Parameter more: bytes that the name will have besides.
    static func checkLength(of path: FilePath, more: Int) throws(VaultError) {
        // By its bytes, since `lastComponent` looks at every component of the path.
        let name = path.string.utf8.reversed().prefix { $0 != UInt8(ascii: "/") }.count
        guard path.string.utf8.count + more <= 504, name + more <= 247 else {
            throw .io(.fileNameTooLong, "opening \(path)")
        }
    }

    /// What can be told without the key. Not for a process that has the vault open.
    static func state(of path: FilePath) throws(VaultError) -> Vault.FileState {
        let opened = try regular(path)
        let file = VaultFile(path: path, counter: nil, descriptor: opened)
        try file.checkHeader()
        guard !file.isCutShort.load(ordering: .relaxed) else { throw .damaged([Damage("its end is missing")]) }
        guard flock(opened.rawValue, LOCK_SH | LOCK_NB) == 0 else { return .open(by: VaultHolder.process(of: opened)) }
        return .closed
    }

    /// Without a lock. Not for a process that has the vault open.
    static func unlocked(_ path: FilePath) throws(VaultError) -> VaultFile {
        VaultFile(path: path, counter: nil, descriptor: try regular(path))
    }

    private init(
        path: FilePath, counter: CounterFile?, restoredPath: FilePath? = nil, descriptor: FileDescriptor?
    ) {
        self.path = path
        (self.counter, self.restoredPath) = (counter, restoredPath)
        self.descriptor = Mutex(descriptor)
    }

    /// The same file once the vault's identifier is known, and with it where its counters are.
    func identified(as vault: Identifier, stateDirectory: FilePath) -> VaultFile {
        let taken = descriptor.withLock { descriptor in
            defer { descriptor = nil }
            return descriptor
        }
        let counter = CounterFile(of: vault, in: stateDirectory.appending("coffer"))
        let file = VaultFile(
            path: path, counter: counter, restoredPath: VaultFile.restoredPath(vault, stateDirectory),
            descriptor: taken)
        file.isCutShort.store(isCutShort.load(ordering: .relaxed), ordering: .relaxed)
        return file
    }

    /// The file under its name.
    var named: NamedFile? { descriptor.withLock { $0.flatMap { NamedFile(path, $0) } } }

    deinit { if !isKept.load(ordering: .relaxed) { unlock() } }

    /// From now on the lock goes with the process.
    func keepLock() { isKept.store(true, ordering: .relaxed) }

    func unlock() {
        descriptor.withLock { descriptor in
            // A child between fork and exec still has the descriptor, and with it the lock.
            if let descriptor { _ = flock(descriptor.rawValue, LOCK_UN) }
            try? descriptor?.close()
            descriptor = nil
        }
    }

    /// The first bytes of the file: SQLite's header, `application_id` at 68 and `user_version` at 60
    /// (<https://www.sqlite.org/fileformat.html>). Later versions of SQLite's own format, at 18, 19 and 44, are looked at
    /// here: it calls them errors of the disk.
    func checkHeader() throws(VaultError) {
        var header = [UInt8](repeating: 0, count: 100)
        let count: Int
        do {
            count =
                try descriptor.withLock { descriptor in
                    try unsafe header.withUnsafeMutableBytes {
                        unsafe try descriptor?.read(fromAbsoluteOffset: 0, into: $0)
                    }
                } ?? 0
        } catch {
            throw .io(error as? Errno ?? .ioError, "reading \(path)")
        }
        func word(_ offset: Int) -> UInt32 { header[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) } }
        guard count == 100, header.starts(with: Array("SQLite format 3\0".utf8)),
            Int64(word(68)) == Connection.applicationIdentifier
        else { throw .notAVault }
        guard Int64(word(60)) <= Schema.version else { throw .newerFormat(Int(word(60))) }
        guard max(header[18], header[19]) <= 2, word(44) <= 4 else {
            throw .unreadable
        }
        try checkLength(pages: UInt64(word(28)), pageSize: UInt64(word(16) >> 16))
    }

    /// A file that was cut short has fewer pages than its header says, unless the log still has them.
    private func checkLength(pages: UInt64, pageSize: UInt64) throws(VaultError) {
        var file = stat()
        guard !Surroundings.haveLog(path), unsafe stat(path.string, &file) == 0 else { return }
        let expected = pages &* (pageSize == 1 ? 65536 : pageSize)
        guard UInt64(clamping: file.st_size) < expected else { return }
        isCutShort.store(true, ordering: .relaxed)
    }

    // MARK: The counter

    /// The counter of the newest state of `root`'s device that was durable on this machine; 0 where none is known.
    func savedCounter(_ root: RootState) -> UInt64 { counter?.saved(root) ?? 0 }

    /// Notes that the state with `root`'s counter is on the disk. A failure costs only the alarm.
    func saveCounter(of root: RootState, readOnly: Bool) {
        if !readOnly { counter?.save(root) }
    }
}
