internal import CFuse
internal import Dispatch
internal import Glibc
internal import Synchronization
public import SystemPackage

/// One mounted file system: libfuse's session, its threads, and messages to the kernel.
///
///     let session = try Session(fileSystem: fileSystem, options: ["subtype=coffer"])
///     try session.mount(at: directory)
///     session.run()      // until it is unmounted, by us or somebody else, or exit() is called
///     session.unmount()
///
/// `@unchecked Sendable`: libfuse's session may be used from any thread; what is ours stands in a lock or is
/// set once.
@safe
public final class Session: @unchecked Sendable {
    /// The threads that answer.
    public struct Workers: Sendable {
        /// How many there are at most; they start when all others are at work, and stay.
        public var maximum: UInt32 = 10
        /// Each has a queue to the kernel of its own for what it has begun (FUSE_DEV_IOC_CLONE).
        public var ownChannels = false

        public init() {}
    }

    private let box: FileSystemBox
    private let device: Device
    let session: OpaquePointer
    private let workers: Workers
    private let state = Mutex(State())

    private struct State {
        /// Where it is mounted, until ``unmount()``.
        var directory: String?
        var isRunning = false
        /// The thread in ``run()``.
        var runner = pthread_t()
        /// Unmounted while it ran: the loop closes the device behind itself.
        var isDetached = false
        /// Takes the mount away in this process's place.
        var unmounter: (@Sendable () -> Void)?
    }

    /// - Parameters:
    ///   - options: for `-o`: mount options, `fsname=` and `subtype=`.
    ///   - debug: libfuse prints every request to standard error, with no contents but with the names.
    /// - Throws: EINVAL where libfuse does not take an option; it has said so on standard error.
    public init(
        fileSystem: any FileSystem, options: [String], debug: Bool = false, workers: Workers = Workers()
    ) throws(Errno) {
        box = FileSystemBox(fileSystem)
        device = Device(calling: box, wanted: Connection.wantedBits)
        self.workers = workers
        let options = options.flatMap { ["-o", $0] } + (debug ? ["-d"] : [])
        var words = unsafe (["coffer"] + options).map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        var table = Operations.table()
        let userData = unsafe device.userData
        let made = unsafe words.withUnsafeMutableBufferPointer { buffer in
            var arguments = unsafe fuse_args(
                argc: Int32(buffer.count - 1), argv: buffer.baseAddress, allocated: 0)
            defer { unsafe fuse_opt_free_args(&arguments) }
            return unsafe fuse_session_new(
                &arguments, &table, MemoryLayout<fuse_lowlevel_ops>.size, userData)
        }
        guard let made = unsafe made else {
            device.deallocate()
            throw .invalidArgument
        }
        unsafe session = unsafe made
    }

    deinit {
        unmount()
        unsafe fuse_session_destroy(session)
        device.deallocate()
    }

    /// What was agreed with the kernel; empty before it has begun to talk.
    public var agreed: ConnectionFlags { device.agreed }

    /// Mounts on `directory`; for other users than root through the set-user-id helper fusermount3.
    ///
    /// - Throws: what realpath(3) says of the directory, else EPERM; libfuse has said why on standard error.
    public func mount(at directory: FilePath) throws(Errno) {
        // Absolute, because a daemon changes its working directory, and unmounts later.
        guard let resolved = unsafe realpath(directory.string, nil) else {
            throw Errno(rawValue: errno)
        }
        defer { unsafe free(resolved) }
        guard unsafe fuse_session_mount(session, resolved) == 0 else { throw .notPermitted }
        let path = unsafe String(cString: resolved)
        state.withLock { $0.directory = path }
        guard unsafe device.attach(to: session) else { throw .noMemory }
    }

    /// Answers requests on several threads until the file system is unmounted or ``exit()`` is called.
    ///
    /// - Returns: what went wrong with the device, if something did.
    @discardableResult
    public func run() -> Errno? {
        Interruption.prepare()
        state.withLock { state in
            state.isRunning = true
            state.runner = pthread_self()
        }
        let config = unsafe fuse_loop_cfg_create()
        unsafe fuse_loop_cfg_set_clone_fd(config, workers.ownChannels ? 1 : 0)
        unsafe fuse_loop_cfg_set_max_threads(config, workers.maximum)
        unsafe fuse_loop_cfg_set_idle_threads(config, workers.maximum)
        let occupying = device.startOccupying()
        let status = unsafe coffer_fuse_session_loop_mt(session, config)
        if let occupying { device.endOccupying(occupying) }
        unsafe fuse_loop_cfg_destroy(config)
        let isDetached = state.withLock { state in
            state.isRunning = false
            return state.isDetached
        }
        if isDetached { closeDevice() }
        return status < 0 ? Errno(rawValue: -status) : nil
    }

    /// A queue of its own has a thread of its own: the global ones can be full of work that waits.
    private let interrupting = DispatchQueue(label: "coffer.fuse.interrupt")

    /// Ends ``run()``, from any thread: threads that are at work finish, those that wait are woken.
    ///
    /// libfuse's own function only sets a flag. The thread in ``run()`` looks at it when a signal interrupts its
    /// sem_wait(3), and then cancels the others. The signal may come just before it waits, so it is sent until the
    /// thread has gone on. A request of our own could wake a thread too, but there is none that nobody has to wait
    /// for: FUSE_NOTIFY_RETRIEVE of the root directory is EINVAL on Linux 6.18 (seen).
    public func exit() {
        unsafe fuse_session_exit(session)
        interrupt()
    }

    private func interrupt() {
        let isRunning = state.withLock { state in
            if state.isRunning { pthread_kill(state.runner, Interruption.signal) }
            return state.isRunning
        }
        guard isRunning else { return }
        interrupting.asyncAfter(deadline: .now() + .milliseconds(10)) { [self] in interrupt() }
    }

    /// Called by whoever answers a request, before it waits or works for long: other requests are read meanwhile. On
    /// other threads, and the second time, it does nothing.
    public func passTurn() { device.passTurn() }

    /// From now on ``unmount()`` has somebody else take the mount away: this process may not any more.
    ///
    /// - Parameter unmounter: takes it away as ``Detaching`` does, or leaves it: programs that are in it get errors in any
    ///   case, once it returns.
    public func leaveUnmounting(to unmounter: @escaping @Sendable () -> Void) {
        state.withLock { $0.unmounter = unmounter }
    }

    /// Takes the mount away, lazily: programs that are in it get errors. Ends ``run()`` too.
    public func unmount() {
        let (directory, isRunning, unmounter) = state.withLock { state in
            defer { state.directory = nil }
            if state.directory != nil { state.isDetached = state.isRunning }
            return (state.directory, state.isRunning, state.unmounter)
        }
        guard let directory else { return }
        if isRunning {
            // libfuse's function closes the device first, under the hands of the threads that read from it.
            if let unmounter { unmounter() } else { Detaching.detach(directory) }
            exit()
        } else if let unmounter {
            // Where the kernel has taken it away already, another one may be there.
            let isMounted = isConnected
            closeDevice()
            if isMounted { unmounter() }
        } else {
            // libfuse closes its own descriptor only: with another one open, a program that is inside would wait for
            // an answer that nobody gives.
            device.closePolled()
            unsafe fuse_session_unmount(session)
        }
    }

    /// Whether the kernel still has the mount.
    private var isConnected: Bool {
        var device = unsafe pollfd(fd: fuse_session_fd(session), events: 0, revents: 0)
        return unsafe poll(&device, 1, 0) == 0
    }

    /// Nobody reads requests any more: a descriptor that a program still has gets ENOTCONN instead of waiting.
    /// The number of ours stays taken, since libfuse closes it.
    private func closeDevice() {
        device.closePolled()
        let null = unsafe Glibc.open("/dev/null", O_RDWR | O_CLOEXEC)
        guard null >= 0 else { return }
        dup2(null, unsafe fuse_session_fd(session))
        close(null)
    }
}

/// A signal that does nothing but interrupt a system call.
private enum Interruption {
    static let signal = SIGUSR1

    /// For the calling thread, which has the mask of whoever started it, or the process: anything may be blocked.
    static func prepare() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        // Without SA_RESTART.
        unsafe sigaction(signal, &action, nil)
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, signal)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}
