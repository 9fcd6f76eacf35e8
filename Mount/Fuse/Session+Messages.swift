internal import CFuse
internal import Glibc
public import SystemPackage

/// Telling the kernel what changed without it. From one thread that holds no lock which a callback may wait
/// for, and not from a callback: the kernel waits in here for locks that it holds while it asks
/// (fuse_lowlevel_notify_inval_entry in fuse_lowlevel.h).
///
/// Each returns what the kernel said, except ENOENT: what it does not know it need not forget.
extension Session {
    /// The kernel drops the attributes of a node and its pages from `offset` on; an offset below 0 drops
    /// attributes only, a length of 0 means to the end. Pages that a mapping has written to are written back
    /// first.
    @discardableResult
    public func invalidate(_ node: NodeID, offset: Int64 = 0, length: Int64 = 0) -> Errno? {
        Session.error(unsafe fuse_lowlevel_notify_inval_inode(session, node.rawValue, off_t(offset), off_t(length)))
    }

    /// The kernel forgets a name, and looks it up when it is used again.
    @discardableResult
    public func invalidate(_ name: [UInt8], in parent: NodeID) -> Errno? {
        unsafe withName(name) { pointer, length in
            unsafe fuse_lowlevel_notify_inval_entry(session, parent.rawValue, pointer, length)
        }
    }

    /// The name `name` of `node` is gone: the kernel tells those who watch (inotify(7)), which it does not
    /// where a name is only invalidated.
    @discardableResult
    public func announceRemoval(of name: [UInt8], in parent: NodeID, node: NodeID) -> Errno? {
        unsafe withName(name) { pointer, length in
            unsafe fuse_lowlevel_notify_delete(session, parent.rawValue, node.rawValue, pointer, length)
        }
    }

    /// libfuse sends the NUL behind the name too.
    private func withName(_ name: [UInt8], _ body: (UnsafePointer<CChar>, Int) -> Int32) -> Errno? {
        let terminated = name.map { CChar(bitPattern: $0) } + [0]
        return unsafe terminated.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return nil }
            return unsafe Session.error(body(base, name.count))
        }
    }

    private static func error(_ status: Int32) -> Errno? {
        let error = Errno(rawValue: status < 0 ? -status : 0)
        return status == 0 || error == .noSuchFileOrDirectory ? nil : error
    }
}
