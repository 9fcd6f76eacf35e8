internal import CLinux
internal import Glibc
public import SystemPackage

/// The folder that a vault is mounted on, below the mount.
///
/// While its vault is locked, a program that still has an entry open would write it into this folder, in plaintext. So
/// nobody may write there, from the first mount on and whether the vault is mounted or not: a killed process leaves it
/// so. The right is taken away through a descriptor from before the mount, which leads below it. For root, whom
/// modes do not bind, the folder gets the immutable flag, too.
///
/// An ordinary user's mount goes through fusermount3, which asks whether the user may write to the folder
/// (check_perm() in libfuse's util/fusermount.c): for that moment the owner may. What appears in it is looked for afterwards.
public final class MountPoint: Sendable {
    let path: FilePath
    let descriptor: Int32
    private let original: OriginalMode
    private let isRoot = geteuid() == 0

    /// Who can write to the folder.
    enum Protection: Sendable { case nobody, root, everybody }

    private init(_ path: FilePath, _ descriptor: Int32, state: FilePath) {
        (self.path, self.descriptor) = (path, descriptor)
        original = OriginalMode(descriptor, path: path, state: state)
    }

    deinit { close(descriptor) }

    /// - Parameters:
    ///   - path: with links resolved.
    ///   - state: `$XDG_STATE_HOME`.
    static func open(_ path: FilePath, state: FilePath) throws(MountError) -> MountPoint {
        let descriptor = unsafe Glibc.open(path.string, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            switch errno {
            case ENOTDIR, ELOOP: throw .notADirectory(path)
            case EACCES, EPERM: throw .notYours(path)
            default: throw .missing(path)
            }
        }
        let point = MountPoint(path, descriptor, state: state)
        guard let status = point.status, status.st_uid == geteuid() || point.isRoot else { throw .notYours(path) }
        return point
    }

    private var status: stat? {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? status : nil
    }

    private var mode: mode_t { (status?.st_mode ?? 0) & 0o7777 }

    /// What stands in the folder, below a mount too.
    func names() throws(MountError) -> [[UInt8]] {
        do throws(Errno) { return try FolderNames.list(descriptor) } catch { throw .notYours(path) }
    }

    /// Whether a vault can be mounted here, as far as that is known beforehand.
    func check(adopts: Bool) throws(MountError) {
        if isImmutable == true, !isRoot { throw .protectedByRoot(path) }
        guard !adopts else { return }
        let names = try names()
        guard names.isEmpty else {
            throw .notEmpty(path, names.map { String(decoding: $0, as: UTF8.self) }, isProtected: mode & 0o200 == 0)
        }
    }

    // MARK: Mounting

    /// Calls `body`, which mounts, and leaves the folder with nobody to write to it. Where `body` throws, the folder
    /// is as it was.
    func mount(_ body: () throws(MountError) -> Void) throws(MountError) -> Protection {
        let wasProtected = original.read() != nil
        do throws(MountError) {
            // mount(2) does not ask: for root, nothing can appear at any time.
            let protection = isRoot ? protect() : .everybody
            if !isRoot { allowMounting() }
            try body()
            return isRoot ? protection : protect()
        } catch {
            if wasProtected { _ = protect() } else { _ = try? release() }
            throw error
        }
    }

    /// A mode without the right to write.
    private static func covered(_ mode: mode_t) -> mode_t { mode & 0o7555 }

    /// The owner alone may write.
    private func allowMounting() {
        let before = mode
        let mayKeep = before & 0o200 != 0
        if mayKeep { keep(before) }
        _ = fchmod(descriptor, Self.covered(before) | 0o300)
        // An attribute is set by whoever may write.
        if !mayKeep { keep(before) }
    }

    /// Remembers a mode, unless it is one that was set here.
    ///
    /// - Returns: whether the folder's mode is kept.
    @discardableResult
    private func keep(_ mode: mode_t) -> Bool {
        let rights = mode & 0o777
        if let kept = original.read().map({ Self.covered($0) & 0o777 }), rights == kept || rights == kept | 0o300 {
            return true
        }
        return original.keep(mode)
    }

    /// Takes away the right to write.
    private func protect() -> Protection {
        // Also where somebody else has set it: nothing can be changed, and nothing written.
        if isImmutable == true { return .nobody }
        let isKept = keep(mode)
        if fchmod(descriptor, Self.covered(mode)) != 0, errno == EROFS {
            original.forget()
            return .nobody
        }
        if isRoot, isKept, setImmutable(true) { return .nobody }
        // A file system without modes of its own may take the call, and change nothing.
        guard mode & 0o222 != 0 else { return isRoot ? .root : .nobody }
        original.forget()
        return .everybody
    }

    /// Lets `body` remove what is in the folder.
    func removing(_ body: () -> Void) -> Protection {
        if isImmutable == true { _ = setImmutable(false) }
        _ = fchmod(descriptor, Self.covered(mode) | 0o300)
        body()
        return protect()
    }

    /// Gives the folder back.
    ///
    /// - Returns: false where nothing was taken from it.
    func release() throws(MountError) -> Bool {
        guard let mode = original.read() else { return false }
        if isImmutable == true, !setImmutable(false) { throw .protectedByRoot(path) }
        guard fchmod(descriptor, mode) == 0 else { throw .notYours(path) }
        original.forget()
        return true
    }

    // MARK: The immutable flag

    /// nil where the file system has no flags.
    private var isImmutable: Bool? {
        var flags: Int32 = 0
        return unsafe coffer_inode_flags(descriptor, &flags) == 0 ? flags & coffer_immutable != 0 : nil
    }

    private func setImmutable(_ isImmutable: Bool) -> Bool {
        var flags: Int32 = 0
        guard unsafe coffer_inode_flags(descriptor, &flags) == 0 else { return false }
        flags = isImmutable ? flags | coffer_immutable : flags & ~coffer_immutable
        return unsafe coffer_set_inode_flags(descriptor, &flags) == 0 && self.isImmutable == isImmutable
    }

    // MARK: Several processes

    /// Calls `body` while no other process of Coffer mounts here: two vaults may have the same mount point, one at a
    /// time. Whoever else holds a lock of the folder (flock(2)) is waited for, but not for ever.
    func alone<R>(_ body: () throws(MountError) -> R) throws(MountError) -> R {
        for _ in 0..<2000 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { break }
            // flock(2) cannot wait for a bounded time.
            _ = poll(nil, 0, 5)
        }
        defer { _ = flock(descriptor, LOCK_UN) }
        return try body()
    }
}

extension MountPoint {
    /// Gives a folder that is no mount point any more its mode back, and root its right to remove it.
    ///
    /// - Parameters:
    ///   - path: with links resolved.
    ///   - state: `$XDG_STATE_HOME`.
    /// - Returns: false where nothing was taken from it.
    public static func release(_ path: FilePath, state: FilePath) throws(MountError) -> Bool {
        guard !MountTable.mounts().contains(where: { $0.directory == path }) else { throw .alreadyMounted(path) }
        return try open(path, state: state).release()
    }
}

/// Names in a folder.
enum FolderNames {
    /// All but `.` and `..`, sorted by their bytes. Through the descriptor, so that no mount on the folder is seen.
    static func list(_ descriptor: Int32) throws(Errno) -> [[UInt8]] {
        let listed = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard listed >= 0 else { throw Errno(rawValue: errno) }
        guard let stream = unsafe fdopendir(listed) else {
            close(listed)
            throw .noMemory
        }
        defer { unsafe _ = closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                let bytes = unsafe UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
                return unsafe Array(UnsafeBufferPointer(start: bytes, count: strlen(pointer)))
            }
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
        }
        if errno != 0 { throw Errno(rawValue: errno) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
