internal import CFuse
internal import Glibc

/// The user data of a session, which every callback finds: what is called, and what was agreed.
///
/// Lives as long as its ``Session``, which outlives the loop that calls back.
@safe
struct Device {
    private let pointer: UnsafeMutablePointer<coffer_fuse_device>

    /// - Parameter userData: what ``pointer`` was given to libfuse as.
    init(userData: UnsafeMutableRawPointer) {
        unsafe pointer = userData.assumingMemoryBound(to: coffer_fuse_device.self)
    }

    init(calling fileSystem: FileSystemBox, wanted: UInt64) {
        unsafe pointer = .allocate(capacity: 1)
        let box = unsafe Unmanaged.passUnretained(fileSystem).toOpaque()
        var device = unsafe coffer_fuse_device()
        unsafe (device.file_system, device.wanted, device.polled) = (box, wanted, -1)
        unsafe pointer.initialize(to: device)
    }

    func deallocate() {
        closePolled()
        unsafe pointer.deallocate()
    }

    var userData: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(pointer) }

    /// Nothing is retained or copied to a heap on the way: this is asked with every request.
    var box: FileSystemBox {
        unsafe Unmanaged<FileSystemBox>.fromOpaque(pointer.pointee.file_system).takeUnretainedValue()
    }

    /// Empty before the kernel has begun to talk.
    var agreed: ConnectionFlags { unsafe ConnectionFlags(rawValue: pointer.pointee.agreed) }

    /// Reads and writes in libfuse's place (device.h).
    ///
    /// - Returns: whether libfuse has agreed.
    func attach(to session: OpaquePointer) -> Bool {
        unsafe pointer.pointee.session = session
        var calls = fuse_custom_io()
        unsafe calls.read = coffer_fuse_read
        unsafe calls.writev = coffer_fuse_writev
        guard unsafe coffer_fuse_begin(pointer, fuse_session_fd(session)) == 0 else { return false }
        return unsafe fuse_session_custom_io(session, &calls, fuse_session_fd(session)) == 0
    }

    /// The calling thread is about to wait: another one reads the next request.
    func passTurn() { unsafe coffer_fuse_pass_turn(pointer) }

    /// Starts the thread that occupies the other one of two processors while a program asks without a pause
    /// (placement.h).
    ///
    /// - Returns: the thread, to be ended; nil where there are not two.
    func startOccupying() -> pthread_t? {
        var both: (Int32, Int32) = (0, 0)
        let isTwo = unsafe withUnsafeMutableBytes(of: &both) {
            unsafe coffer_fuse_two_processors($0.baseAddress?.assumingMemoryBound(to: Int32.self)) != 0
        }
        guard isTwo else { return nil }
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { data in
                let device = unsafe data?.assumingMemoryBound(to: coffer_fuse_device.self)
                if let device = unsafe device { unsafe coffer_fuse_occupy(&device.pointee.placement) }
                return nil
            }, userData)
        return status == 0 ? thread : nil
    }

    func endOccupying(_ thread: pthread_t) {
        unsafe coffer_fuse_end_occupying(&pointer.pointee.placement)
        pthread_join(thread, nil)
    }

    /// Lets go of the second descriptor. No thread reads any more.
    func closePolled() {
        guard unsafe pointer.pointee.polled >= 0 else { return }
        unsafe close(pointer.pointee.polled)
        unsafe pointer.pointee.polled = -1
    }

    /// The kernel asks for the attributes again before it uses them.
    func invalidateAttributes(of node: NodeID) {
        _ = unsafe fuse_lowlevel_notify_inval_inode(pointer.pointee.session, node.rawValue, -1, 0)
    }
}

/// What ``Device`` points at: a class, so that one pointer finds it.
final class FileSystemBox: Sendable {
    let fileSystem: any FileSystem
    let fillers = FillerPool()

    init(_ fileSystem: any FileSystem) { self.fileSystem = fileSystem }
}
