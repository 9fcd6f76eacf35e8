internal import CFuse
internal import Glibc
internal import SystemPackage

/// One question of the kernel, to be answered once: replying consumes it, so that a second reply does not
/// compile, and a forgotten one becomes EIO instead of a program that hangs.
@safe
struct Request: ~Copyable {
    private let handle: fuse_req_t

    init(_ handle: fuse_req_t?) {
        // libfuse never calls back without a request.
        guard let handle = unsafe handle else { preconditionFailure("no request") }
        unsafe self.handle = handle
    }

    deinit {
        unsafe fuse_reply_err(handle, EIO)
    }

    var fileSystem: any FileSystem {
        // Set by Session, which outlives its loop.
        unsafe Unmanaged<FileSystemBox>.fromOpaque(fuse_req_userdata(handle)).takeUnretainedValue().fileSystem
    }

    var caller: Caller {
        let context = unsafe fuse_req_ctx(handle).pointee
        return Caller(user: context.uid, group: context.gid, process: context.pid)
    }

    // MARK: Replies

    /// 0, or the errno.
    consuming func reply(error: Int32) {
        unsafe fuse_reply_err(handle, error)
        discard self
    }

    /// FORGET has no answer.
    consuming func replyNothing() {
        unsafe fuse_reply_none(handle)
        discard self
    }

    consuming func reply(_ entry: Entry) {
        var native = entry.native
        unsafe fuse_reply_entry(handle, &native)
        discard self
    }

    consuming func reply(_ attributes: FileStatus, timeout: Double) {
        var native = attributes.native
        unsafe fuse_reply_attr(handle, &native, timeout)
        discard self
    }

    consuming func reply(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { buffer in
            _ = unsafe fuse_reply_buf(handle, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        discard self
    }

    /// A symbolic link's target: the NUL at its end is ours.
    consuming func reply(link: [UInt8]) {
        unsafe (link + [0]).withUnsafeBytes { buffer in
            if let base = buffer.baseAddress {
                _ = unsafe fuse_reply_readlink(handle, base.assumingMemoryBound(to: CChar.self))
            }
        }
        discard self
    }

    consuming func reply(written count: Int) {
        unsafe fuse_reply_write(handle, count)
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

    /// Where the program has gone meanwhile, nobody will release what was opened: `undo` does.
    consuming func reply(_ open: OpenReply, _ info: UnsafeMutablePointer<fuse_file_info>?, undo: () -> Void) {
        unsafe info?.take(open)
        if unsafe fuse_reply_open(handle, info) == -ENOENT { undo() }
        discard self
    }

    consuming func reply(
        _ entry: Entry, _ open: OpenReply, _ info: UnsafeMutablePointer<fuse_file_info>?, undo: () -> Void
    ) {
        unsafe info?.take(open)
        var native = entry.native
        if unsafe fuse_reply_create(handle, &native, info) == -ENOENT { undo() }
        discard self
    }

    consuming func reply(_ statistics: Statistics) {
        var native = statvfs()
        native.f_bsize = UInt(statistics.blockSize)
        native.f_frsize = UInt(statistics.blockSize)
        native.f_blocks = UInt(statistics.blocks)
        native.f_bfree = UInt(statistics.freeBlocks)
        native.f_bavail = UInt(statistics.freeBlocks)
        native.f_files = UInt(statistics.files)
        native.f_ffree = UInt(statistics.freeFiles)
        native.f_favail = UInt(statistics.freeFiles)
        native.f_namemax = UInt(statistics.nameLength)
        unsafe fuse_reply_statfs(handle, &native)
        discard self
    }

    // MARK: Calling

    /// Calls the file system and answers 0 or the errno.
    consuming func run(_ body: (any FileSystem) throws(Errno) -> Void) {
        do throws(Errno) {
            try body(fileSystem)
            reply(error: 0)
        } catch {
            reply(error: error.rawValue)
        }
    }

    consuming func entry(_ body: (any FileSystem, Caller) throws(Errno) -> Entry) {
        do throws(Errno) { reply(try body(fileSystem, caller)) } catch { reply(error: error.rawValue) }
    }

    consuming func attributes(_ body: (any FileSystem) throws(Errno) -> FileStatus) {
        do throws(Errno) {
            reply(try body(fileSystem), timeout: Timeouts.attributes)
        } catch {
            reply(error: error.rawValue)
        }
    }

    /// How bytes are to be answered.
    enum ByteReply {
        case data
        case link
        /// For a caller with so much room, who asks for the length with 0.
        case sized(Int)
    }

    private consuming func reply(_ bytes: RawSpan, as form: ByteReply) {
        switch form {
        case .data: reply(bytes)
        case .link: reply(link: bytes.array)
        case .sized(0): reply(size: bytes.byteCount)
        case .sized(let room): if bytes.byteCount > room { reply(error: ERANGE) } else { reply(bytes) }
        }
    }

    /// For an operation that hands out bytes: the first ones are the reply.
    consuming func bytes(
        as form: ByteReply = .data,
        _ body: (any FileSystem, (RawSpan) -> Void) throws(Errno) -> Void
    ) {
        let fileSystem = fileSystem
        var pending: Request? = self
        do throws(Errno) {
            try body(fileSystem) { bytes in
                if let request = pending.take() { request.reply(bytes, as: form) }
            }
            if let request = pending.take() { request.reply(RawSpan(), as: form) }
        } catch {
            if let request = pending.take() { request.reply(error: error.rawValue) }
        }
    }

    /// For readdir: a filler of the size that the kernel asked for.
    consuming func directory(
        size: Int, isPlus: Bool, _ body: (any FileSystem, DirectoryFiller) throws(Errno) -> Void
    ) {
        let filler = unsafe DirectoryFiller(request: handle, size: size, isPlus: isPlus)
        do throws(Errno) {
            try body(fileSystem, filler)
            unsafe fuse_reply_buf(handle, filler.buffer, filler.used)
            discard self
        } catch {
            reply(error: error.rawValue)
        }
    }
}

/// How long the kernel keeps what it was told, in seconds. We are the only writer, and tell of each change
/// that does not come through the mount.
public enum Timeouts {
    public static let attributes: Double = 86400
    public static let entries: Double = 86400
}

/// What the session's user data points at.
final class FileSystemBox: Sendable {
    let fileSystem: any FileSystem
    init(_ fileSystem: any FileSystem) { self.fileSystem = fileSystem }
}

extension UnsafeMutablePointer<fuse_file_info> {
    fileprivate func take(_ reply: OpenReply) {
        unsafe pointee.fh = reply.handle.rawValue
        unsafe pointee.keep_cache = reply.keepsCache ? 1 : 0
        unsafe pointee.direct_io = reply.isDirect ? 1 : 0
        unsafe pointee.noflush = reply.needsNoFlush ? 1 : 0
        unsafe pointee.cache_readdir = reply.cachesDirectory ? 1 : 0
    }
}
