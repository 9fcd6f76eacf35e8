internal import CFuse
internal import Glibc

/// The number by which the kernel calls an inode; 1 is the root.
public struct NodeID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static let root = NodeID(1)
}

/// The number that ``FileSystem/open(_:flags:)`` gave.
public struct Handle: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// A moment, as stat(2) has it.
public struct Time: Sendable, Equatable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// What stat(2) tells.
public struct FileStatus: Sendable {
    public var inode: UInt64
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

    public init(
        inode: UInt64, mode: UInt32, links: UInt32, owner: UInt32, group: UInt32, device: UInt64, size: UInt64,
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
        native.st_atim = timespec(tv_sec: Int(accessed.seconds), tv_nsec: Int(accessed.nanoseconds))
        native.st_mtim = timespec(tv_sec: Int(modified.seconds), tv_nsec: Int(modified.nanoseconds))
        native.st_ctim = timespec(tv_sec: Int(changed.seconds), tv_nsec: Int(changed.nanoseconds))
        return native
    }
}

/// A name that was found or made: what the kernel keeps of it, and for how long.
public struct Entry: Sendable {
    public var node: NodeID
    public var generation: UInt64
    public var attributes: FileStatus
    /// In seconds; we are the only writer and tell the kernel of each change, so that a day does.
    public var timeout: Double

    public init(node: NodeID, generation: UInt64, attributes: FileStatus, timeout: Double) {
        (self.node, self.generation, self.attributes, self.timeout) = (node, generation, attributes, timeout)
    }

    var native: fuse_entry_param {
        var native = fuse_entry_param()
        native.ino = node.rawValue
        native.generation = generation
        native.attr = attributes.native
        native.attr_timeout = timeout
        native.entry_timeout = timeout
        return native
    }
}

/// Who asks.
public struct Caller: Sendable {
    public var user: UInt32
    public var group: UInt32
    public var process: Int32
}

/// What `open` tells the kernel.
public struct OpenReply: Sendable {
    public var handle: Handle
    /// Pages that the kernel has stay valid.
    public var keepsCache = false
    /// Nothing is kept in the page cache.
    public var isDirect = false
    /// Nothing has to be flushed when a descriptor is closed.
    public var needsNoFlush = false
    /// The kernel may keep the listing.
    public var cachesDirectory = false

    public init(handle: Handle) { self.handle = handle }
}

/// What setattr is to change.
public struct SetAttributes: Sendable {
    public var mode: UInt32?
    public var owner: UInt32?
    public var group: UInt32?
    public var size: UInt64?
    public var accessed: TimeChange?
    public var modified: TimeChange?
    public var changed: Time?
    /// The set-id bits are to go.
    public var clearsSetIDs = false

    public enum TimeChange: Sendable {
        case now
        case at(Time)
    }
}

/// What statfs(2) tells.
public struct Statistics: Sendable {
    public var blockSize: UInt64
    public var blocks: UInt64
    public var freeBlocks: UInt64
    public var files: UInt64
    public var freeFiles: UInt64
    public var nameLength: UInt64

    public init(
        blockSize: UInt64, blocks: UInt64, freeBlocks: UInt64, files: UInt64, freeFiles: UInt64, nameLength: UInt64
    ) {
        (self.blockSize, self.blocks, self.freeBlocks) = (blockSize, blocks, freeBlocks)
        (self.files, self.freeFiles, self.nameLength) = (files, freeFiles, nameLength)
    }
}
