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
        unsafe pointer.initialize(
            to: coffer_fuse_device(
                file_system: box, session: nil, wanted: wanted, offered: 0, agreed: 0, init: 0, polled: -1,
                turn: sem_t(), memory: 0))
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
