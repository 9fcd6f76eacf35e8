internal import CFuse
internal import Glibc

/// What setattr is to change: every bit of FUSE_SET_ATTR.
public struct SetAttributes: Sendable {
    /// The permissions; the type that stands in it too is that of the node.
    public var mode: UInt32?
    public var owner: UInt32?
    public var group: UInt32?
    /// truncate(2).
    public var size: UInt64?
    public var accessed: TimeChange?
    public var modified: TimeChange?
    /// Comes only from a kernel that keeps the times itself, which ours is not asked to; nil is now.
    public var changed: Time?
    /// The set-id bits are to go, and `security.capability`: ``mode`` says so already, where they were set.
    public var clearsSetIDs = false

    /// utimensat(2) knows a time and UTIME_NOW; UTIME_OMIT is no change.
    public enum TimeChange: Sendable, Equatable {
        case now
        case at(Time)
    }

    /// Changes nothing.
    public init() {}

    init(_ native: stat, _ bits: Int32) {
        if bits & FUSE_SET_ATTR_MODE != 0 { mode = native.st_mode }
        if bits & FUSE_SET_ATTR_UID != 0 { owner = native.st_uid }
        if bits & FUSE_SET_ATTR_GID != 0 { group = native.st_gid }
        if bits & FUSE_SET_ATTR_SIZE != 0 { size = UInt64(clamping: native.st_size) }
        // The kernel sets the plain bit beside NOW.
        if bits & FUSE_SET_ATTR_ATIME != 0 { accessed = .at(Time(native.st_atim)) }
        if bits & FUSE_SET_ATTR_ATIME_NOW != 0 { accessed = .now }
        if bits & FUSE_SET_ATTR_MTIME != 0 { modified = .at(Time(native.st_mtim)) }
        if bits & FUSE_SET_ATTR_MTIME_NOW != 0 { modified = .now }
        if bits & FUSE_SET_ATTR_CTIME != 0 { changed = Time(native.st_ctim) }
        // FUSE_SET_ATTR_KILL_SUID and _KILL_SGID; the kernel has one bit for both, the first one.
        clearsSetIDs = bits & (1 << 11 | 1 << 12) != 0
    }
}
