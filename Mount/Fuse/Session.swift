internal import CFuse
internal import Glibc
internal import Synchronization
public import SystemPackage

/// One mounted file system: libfuse's session, its threads, and messages to the kernel.
///
/// `@unchecked Sendable`: libfuse's session may be used from any thread; what is ours is set once.
@safe
public final class Session: @unchecked Sendable {
    private let box: FileSystemBox
    private let session: OpaquePointer
    private let isMounted = Mutex(false)

    /// - Parameters:
    ///   - options: for `-o`: mount options, `fsname=` and `subtype=`.
    ///   - debug: libfuse prints every request to standard error.
    /// - Throws: EINVAL where libfuse does not take an option.
    public init(fileSystem: any FileSystem, options: [String], debug: Bool = false) throws(Errno) {
        box = FileSystemBox(fileSystem)
        var words = ["coffer"] + options.flatMap { ["-o", $0] } + (debug ? ["-d"] : [])
        words.append("-o")
        words.append("max_read=1048576")
        var arguments = unsafe words.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        defer { for unsafe argument in unsafe arguments { unsafe free(argument) } }
        var operations = Operations.table()
        let userData = unsafe Unmanaged.passUnretained(box).toOpaque()
        let made = unsafe arguments.withUnsafeMutableBufferPointer { buffer in
            var list = unsafe fuse_args(argc: Int32(words.count), argv: buffer.baseAddress, allocated: 0)
            defer { unsafe fuse_opt_free_args(&list) }
            return unsafe fuse_session_new(&list, &operations, MemoryLayout<fuse_lowlevel_ops>.size, userData)
        }
        guard let made = unsafe made else { throw .invalidArgument }
        unsafe session = made
    }

    deinit {
        unmount()
        unsafe fuse_session_destroy(session)
    }

    /// Mounts on `directory`; for other users than root through the set-user-id helper fusermount3.
    public func mount(at directory: FilePath) throws(Errno) {
        guard unsafe fuse_session_mount(session, directory.string) == 0 else { throw .notPermitted }
        isMounted.withLock { $0 = true }
    }

    /// Answers requests on several threads until the file system is unmounted.
    public func run() {
        let config = unsafe fuse_loop_cfg_create()
        unsafe fuse_loop_cfg_set_clone_fd(config, 0)
        unsafe fuse_loop_cfg_set_max_threads(config, 10)
        unsafe fuse_loop_cfg_set_idle_threads(config, 10)
        _ = unsafe coffer_fuse_session_loop_mt(session, config)
        unsafe fuse_loop_cfg_destroy(config)
    }

    /// Ends ``run()``; the threads that wait for the kernel return when the file system is unmounted.
    public func exit() {
        unsafe fuse_session_exit(session)
    }

    /// Takes the mount away, lazily: programs that are in it get errors.
    public func unmount() {
        let wasMounted = isMounted.withLock { mounted in
            defer { mounted = false }
            return mounted
        }
        if wasMounted { unsafe fuse_session_unmount(session) }
    }

    // MARK: Messages to the kernel, from one thread that holds no lock

    /// The kernel drops the attributes of a node and its pages from `offset` on; an offset below 0 drops
    /// attributes only, a length of 0 means to the end.
    public func invalidate(_ node: NodeID, offset: Int64 = 0, length: Int64 = 0) {
        _ = unsafe fuse_lowlevel_notify_inval_inode(session, node.rawValue, off_t(offset), off_t(length))
    }

    /// The kernel forgets a name.
    public func invalidate(_ name: [UInt8], in parent: NodeID) {
        unsafe name.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress {
                _ = unsafe fuse_lowlevel_notify_inval_entry(
                    session, parent.rawValue, base.assumingMemoryBound(to: CChar.self), bytes.count)
            }
        }
    }
}
