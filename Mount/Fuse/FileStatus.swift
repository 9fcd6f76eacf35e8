internal import CFuse
internal import Glibc

/// A moment, as stat(2) has it.
public struct Time: Sendable, Equatable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    init(_ native: timespec) {
        self.init(seconds: Int64(native.tv_sec), nanoseconds: UInt32(clamping: native.tv_nsec))
    }

    var native: timespec { timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)) }
}

/// What stat(2) tells.
public struct FileStatus: Sendable {
    public var inode: UInt64
    /// The type and the permissions, as in stat(2).
    public var mode: UInt32
    public var links: UInt32
    public var owner: UInt32
    public var group: UInt32
    public var device: UInt64
    public var size: UInt64
    /// In units of 512 bytes.
    public var blocks: UInt64
    public var accessed: Time
    public var modified: Time
    public var changed: Time
    /// How long the kernel may keep them without asking again, in seconds.
    public var timeout = Timeouts.attributes

    public init(
        inode: UInt64, mode: UInt32, links: UInt32, owner: UInt32, group: UInt32, device: UInt64,
        size: UInt64,
        blocks: UInt64, accessed: Time, modified: Time, changed: Time
    ) {
        (self.inode, self.mode, self.links, self.owner, self.group) = (inode, mode, links, owner, group)
        (self.device, self.size, self.blocks) = (device, size, blocks)
        (self.accessed, self.modified, self.changed) = (accessed, modified, changed)
    }

    var native: stat {
        var native = stat()
        native.st_ino = ino_t(inode)
        native.st_mode = mode
        native.st_nlink = nlink_t(links)
        native.st_uid = owner
        native.st_gid = group
        native.st_rdev = dev_t(device)
        native.st_size = off_t(clamping: size)
        native.st_blocks = blkcnt_t(clamping: blocks)
        native.st_blksize = 4096
        native.st_atim = accessed.native
        native.st_mtim = modified.native
        native.st_ctim = changed.native
        return native
    }
}
