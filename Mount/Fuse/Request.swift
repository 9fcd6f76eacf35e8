internal import CFuse
internal import Glibc
internal import SystemPackage

/// One question of the kernel, to be answered once: replying consumes it, so that a second reply does not
/// compile, and a forgotten one becomes EIO instead of a program that hangs.
@safe
struct Request: ~Copyable {
    private let handle: fuse_req_t
    let device: Device

    /// - Parameter handle: libfuse never calls back without one.
    init(_ handle: fuse_req_t!) {
        unsafe self.handle = handle
        device = unsafe Device(userData: fuse_req_userdata(handle))
    }

    deinit {
        unsafe fuse_reply_err(handle, EIO)
    }

    var fileSystem: any FileSystem { device.box.fileSystem }

    var caller: Caller {
        let context = unsafe fuse_req_ctx(handle).pointee
        return Caller(user: context.uid, group: context.gid, process: context.pid, umask: context.umask)
    }

    // MARK: Replies

    consuming func succeed() {
        unsafe fuse_reply_err(handle, 0)
        discard self
    }

    /// The kernel takes 1 to 511; with another number it would leave the program waiting
    /// (fuse_dev_do_write in fs/fuse/dev.c).
    consuming func fail(_ error: Errno) {
        let number = error.rawValue
        unsafe fuse_reply_err(handle, (1..<512).contains(number) ? number : EIO)
        discard self
    }

    /// FORGET has no answer.
    consuming func replyNothing() {
        unsafe fuse_reply_none(handle)
        discard self
    }

    /// Where the kernel does not take it, the reference does not count.
    consuming func reply(_ entry: Entry) {
        var native = entry.native
        if unsafe fuse_reply_entry(handle, &native) != 0 { fileSystem.forget(entry.node, count: 1) }
        discard self
    }

    consuming func reply(_ attributes: FileStatus) {
        var native = attributes.native
        unsafe fuse_reply_attr(handle, &native, attributes.timeout)
        discard self
    }

    /// Straight from where they lie to the kernel.
    consuming func reply(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { buffer in
            _ = unsafe fuse_reply_buf(
                handle, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        discard self
    }

    consuming func reply(_ filler: DirectoryFiller) {
        unsafe fuse_reply_buf(handle, filler.buffer, filler.used)
        discard self
    }

    consuming func reply(written count: Int) {
        unsafe fuse_reply_write(handle, max(0, count))
        discard self
    }

    consuming func reply(size: Int) {
        unsafe fuse_reply_xattr(handle, size)
        discard self
    }

    consuming func reply(offset: UInt64) {
        unsafe fuse_reply_lseek(handle, off_t(clamping: offset))
        discard self
    }

    consuming func reply(_ statistics: Statistics) {
        var native = statistics.native
        unsafe fuse_reply_statfs(handle, &native)
        discard self
    }

    /// Where the kernel does not take it, nobody will release what was opened: `undo` does.
    consuming func reply(
        _ open: OpenReply, _ info: UnsafeMutablePointer<fuse_file_info>?, undo: () -> Void
    ) {
        open.write(to: info)
        if unsafe fuse_reply_open(handle, info) != 0 { undo() }
        discard self
    }

    consuming func reply(
        _ entry: Entry, _ open: OpenReply, _ info: UnsafeMutablePointer<fuse_file_info>?,
        undo: () -> Void
    ) {
        open.write(to: info)
        var native = entry.native
        if unsafe fuse_reply_create(handle, &native, info) != 0 { undo() }
        discard self
    }
}
