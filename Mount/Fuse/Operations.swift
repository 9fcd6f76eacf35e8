internal import CFuse
internal import Glibc
internal import SystemPackage

/// The table of callbacks. Each wraps the request, calls the file system and answers; C function pointers
/// capture nothing.
enum Operations {
    static func table() -> fuse_lowlevel_ops {
        var table = fuse_lowlevel_ops()
        unsafe table.`init` = { _, connection in unsafe Connection.negotiate(connection) }
        addNames(&table)
        addAttributes(&table)
        addFiles(&table)
        addDirectories(&table)
        addExtendedAttributes(&table)
        return table
    }

    private static func addNames(_ table: inout fuse_lowlevel_ops) {
        unsafe table.lookup = { request, parent, name in
            unsafe Request(request).entry { (fs, _) throws(Errno) in unsafe try fs.lookup(name.span, in: NodeID(parent)) }
        }
        unsafe table.forget = { request, node, count in
            let request = unsafe Request(request)
            request.fileSystem.forget(NodeID(node), count: count)
            request.replyNothing()
        }
        unsafe table.forget_multi = { request, count, list in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            for unsafe item in unsafe UnsafeBufferPointer(start: list, count: count) {
                fileSystem.forget(NodeID(item.ino), count: item.nlookup)
            }
            request.replyNothing()
        }
        unsafe table.mknod = { request, parent, name, mode, device in
            unsafe Request(request).entry { (fs, caller) throws(Errno) in
                unsafe try fs.makeNode(name.span, in: NodeID(parent), mode: mode, device: UInt64(device), by: caller)
            }
        }
        unsafe table.mkdir = { request, parent, name, mode in
            unsafe Request(request).entry { (fs, caller) throws(Errno) in
                unsafe try fs.makeDirectory(name.span, in: NodeID(parent), mode: mode, by: caller)
            }
        }
        unsafe table.symlink = { request, target, parent, name in
            unsafe Request(request).entry { (fs, caller) throws(Errno) in
                unsafe try fs.makeSymbolicLink(name.span, in: NodeID(parent), target: target.span, by: caller)
            }
        }
        unsafe table.link = { request, node, parent, name in
            unsafe Request(request).entry { (fs, _) throws(Errno) in
                unsafe try fs.link(NodeID(node), name.span, in: NodeID(parent))
            }
        }
        unsafe table.unlink = { request, parent, name in
            unsafe Request(request).run { (fs) throws(Errno) in unsafe try fs.unlink(name.span, in: NodeID(parent)) }
        }
        unsafe table.rmdir = { request, parent, name in
            unsafe Request(request).run { (fs) throws(Errno) in unsafe try fs.removeDirectory(name.span, in: NodeID(parent)) }
        }
        unsafe table.rename = { request, parent, name, newParent, newName, flags in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.rename(
                    name.span, in: NodeID(parent), to: newName.span, in: NodeID(newParent), flags: flags)
            }
        }
    }

    private static func addAttributes(_ table: inout fuse_lowlevel_ops) {
        unsafe table.getattr = { request, node, info in
            unsafe Request(request).attributes { (fs) throws(Errno) in
                unsafe try fs.attributes(of: NodeID(node), handle: info.handle)
            }
        }
        unsafe table.setattr = { request, node, native, bits, info in
            let changes = unsafe SetAttributes(native?.pointee ?? stat(), bits)
            unsafe Request(request).attributes { (fs) throws(Errno) in
                unsafe try fs.setAttributes(of: NodeID(node), handle: info.handle, changes)
            }
        }
        unsafe table.readlink = { request, node in
            unsafe Request(request).bytes(as: .link) { (fs, body) throws(Errno) in
                try fs.readLink(NodeID(node), body)
            }
        }
        unsafe table.statfs = { request, _ in
            let request = unsafe Request(request)
            do throws(Errno) {
                let statistics = try request.fileSystem.statistics()
                request.reply(statistics)
            } catch {
                request.reply(error: error.rawValue)
            }
        }
    }

    private static func addFiles(_ table: inout fuse_lowlevel_ops) {
        unsafe table.open = { request, node, info in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            do throws(Errno) {
                let open = try unsafe fileSystem.open(NodeID(node), flags: info.flags)
                unsafe request.reply(open, info) { fileSystem.release(NodeID(node), handle: open.handle) }
            } catch {
                request.reply(error: error.rawValue)
            }
        }
        unsafe table.create = { request, parent, name, mode, info in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            do throws(Errno) {
                let (entry, open) = try unsafe fileSystem.create(
                    name.span, in: NodeID(parent), mode: mode, flags: info.flags, by: request.caller)
                unsafe request.reply(entry, open, info) {
                    fileSystem.release(entry.node, handle: open.handle)
                    fileSystem.forget(entry.node, count: 1)
                }
            } catch {
                request.reply(error: error.rawValue)
            }
        }
        unsafe table.read = { request, node, size, offset, info in
            unsafe Request(request).bytes { (fs, body) throws(Errno) in
                unsafe try fs.read(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(offset), count: size, body)
            }
        }
        unsafe table.write = { request, node, buffer, size, offset, info in
            let request = unsafe Request(request)
            do throws(Errno) {
                let bytes = unsafe UnsafeRawBufferPointer(start: buffer, count: size).bytes
                let count = try unsafe request.fileSystem.write(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(offset), bytes)
                request.reply(written: count)
            } catch {
                request.reply(error: error.rawValue)
            }
        }
        unsafe table.flush = { request, node, info in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.flush(NodeID(node), handle: info.fileHandle)
            }
        }
        unsafe table.release = { request, node, info in
            unsafe Request(request).run { fs in unsafe fs.release(NodeID(node), handle: info.fileHandle) }
        }
        unsafe table.fsync = { request, node, dataOnly, info in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.synchronize(NodeID(node), handle: info.fileHandle, dataOnly: dataOnly != 0)
            }
        }
        unsafe table.fallocate = { request, node, mode, offset, length, info in
            unsafe Request(request).run { (fs) throws(Errno) in
                guard offset >= 0, length > 0 else { throw .invalidArgument }
                unsafe try fs.allocate(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(offset),
                    length: UInt64(length), mode: mode)
            }
        }
        unsafe table.copy_file_range = { request, node, offset, info, target, targetOffset, targetInfo, size, _ in
            let request = unsafe Request(request)
            do throws(Errno) {
                let count = try unsafe request.fileSystem.copyRange(
                    from: (NodeID(node), info.fileHandle, UInt64(offset)),
                    to: (NodeID(target), targetInfo.fileHandle, UInt64(targetOffset)), count: size)
                request.reply(written: count)
            } catch {
                request.reply(error: error.rawValue)
            }
        }
        unsafe table.lseek = { request, node, offset, whence, info in
            let request = unsafe Request(request)
            do throws(Errno) {
                guard offset >= 0 else { throw Errno(rawValue: ENXIO) }
                let found = try unsafe request.fileSystem.seek(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(offset), whence: whence)
                request.reply(offset: found)
            } catch {
                request.reply(error: error.rawValue)
            }
        }
    }

    private static func addDirectories(_ table: inout fuse_lowlevel_ops) {
        unsafe table.opendir = { request, node, info in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            do throws(Errno) {
                let open = try fileSystem.openDirectory(NodeID(node))
                unsafe request.reply(open, info) { fileSystem.releaseDirectory(NodeID(node), handle: open.handle) }
            } catch {
                request.reply(error: error.rawValue)
            }
        }
        unsafe table.readdir = { request, node, size, offset, info in
            unsafe Request(request).directory(size: size, isPlus: false) { (fs, filler) throws(Errno) in
                unsafe try fs.readDirectory(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(offset), into: filler)
            }
        }
        unsafe table.readdirplus = { request, node, size, offset, info in
            unsafe Request(request).directory(size: size, isPlus: true) { (fs, filler) throws(Errno) in
                unsafe try fs.readDirectory(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(offset), into: filler)
            }
        }
        unsafe table.releasedir = { request, node, info in
            unsafe Request(request).run { fs in
                unsafe fs.releaseDirectory(NodeID(node), handle: info.fileHandle)
            }
        }
        unsafe table.fsyncdir = { request, node, _, info in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.synchronizeDirectory(NodeID(node), handle: info.fileHandle)
            }
        }
    }

    private static func addExtendedAttributes(_ table: inout fuse_lowlevel_ops) {
        unsafe table.getxattr = { request, node, name, size in
            unsafe Request(request).bytes(as: .sized(size)) { (fs, body) throws(Errno) in
                unsafe try fs.extendedAttribute(name.span, of: NodeID(node), body)
            }
        }
        unsafe table.listxattr = { request, node, size in
            unsafe Request(request).bytes(as: .sized(size)) { (fs, body) throws(Errno) in
                try fs.extendedAttributeNames(of: NodeID(node), body)
            }
        }
        unsafe table.setxattr = { request, node, name, value, size, flags in
            unsafe Request(request).run { (fs) throws(Errno) in
                let value = unsafe UnsafeRawBufferPointer(start: value, count: size).bytes
                unsafe try fs.setExtendedAttribute(name.span, to: value, of: NodeID(node), flags: flags)
            }
        }
        unsafe table.removexattr = { request, node, name in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.removeExtendedAttribute(name.span, of: NodeID(node))
            }
        }
    }
}

extension RawSpan {
    var array: [UInt8] { unsafe withUnsafeBytes { unsafe [UInt8]($0) } }
}

extension Optional where Wrapped == UnsafePointer<CChar> {
    /// The bytes of a C string, without its NUL; none for a null pointer.
    var span: RawSpan {
        @_lifetime(borrow self)
        get {
            guard let base = self else { return RawSpan() }
            let span = unsafe UnsafeRawBufferPointer(start: base, count: strlen(base)).bytes
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

extension Optional where Wrapped == UnsafeMutablePointer<fuse_file_info> {
    /// The handle of an operation on an open file; libfuse always gives it.
    var fileHandle: Handle { Handle(self?.pointee.fh ?? 0) }

    /// The flags of open(2).
    var flags: Int32 { self?.pointee.flags ?? 0 }

    /// The handle that an operation came through, where it came through one.
    var handle: Handle? { unsafe map { unsafe Handle($0.pointee.fh) } }
}

extension SetAttributes {
    fileprivate init(_ native: stat, _ bits: Int32) {
        self.init()
        if bits & FUSE_SET_ATTR_MODE != 0 { mode = native.st_mode }
        if bits & FUSE_SET_ATTR_UID != 0 { owner = native.st_uid }
        if bits & FUSE_SET_ATTR_GID != 0 { group = native.st_gid }
        if bits & FUSE_SET_ATTR_SIZE != 0 { size = UInt64(clamping: native.st_size) }
        if bits & FUSE_SET_ATTR_ATIME != 0 { accessed = .at(Time(native.st_atim)) }
        if bits & FUSE_SET_ATTR_ATIME_NOW != 0 { accessed = .now }
        if bits & FUSE_SET_ATTR_MTIME != 0 { modified = .at(Time(native.st_mtim)) }
        if bits & FUSE_SET_ATTR_MTIME_NOW != 0 { modified = .now }
        if bits & FUSE_SET_ATTR_CTIME != 0 { changed = Time(native.st_ctim) }
        // FUSE_SET_ATTR_KILL_SUID and KILL_SGID
        clearsSetIDs = bits & (1 << 11 | 1 << 12) != 0
    }
}

extension Time {
    init(_ native: timespec) {
        self.init(seconds: Int64(native.tv_sec), nanoseconds: UInt32(clamping: native.tv_nsec))
    }
}

/// What is agreed with the kernel when the session starts.
enum Connection {
    static func negotiate(_ connection: UnsafeMutablePointer<fuse_conn_info>?) {
        guard let connection = unsafe connection else { return }
        // We invalidate exactly what changed: pages need not go because a time or a length did.
        let wanted =
            FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS | FUSE_CAP_ATOMIC_O_TRUNC
            | FUSE_CAP_ASYNC_DIO | FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_CACHE_SYMLINKS
        // Set-id bits are cleared by the kernel, which alone knows who writes (CAP_FSETID).
        // Never the write-back cache: what a program wrote would stay in the kernel when the vault is locked.
        let refused =
            FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ
            | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_POSIX_ACL | FUSE_CAP_EXPORT_SUPPORT
        unsafe connection.pointee.want |= connection.pointee.capable & UInt32(wanted)
        unsafe connection.pointee.want &= ~UInt32(refused)
        unsafe connection.pointee.max_write = 1 << 20
        // libfuse insists that this repeats the mount option.
        unsafe connection.pointee.max_read = 1 << 20
        unsafe connection.pointee.max_readahead = 1 << 20
        unsafe connection.pointee.max_background = 64
    }
}
