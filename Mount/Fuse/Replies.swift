internal import CFuse
internal import Glibc

/// How long the kernel keeps what it was told, in seconds. We are the only writer, and tell of each change
/// that does not come through the mount.
public enum Timeouts {
    public static let attributes: Double = 86400
    public static let entries: Double = 86400
}

/// A name that was found or made: what the kernel keeps of it, and for how long.
public struct Entry: Sendable {
    public var node: NodeID
    /// Tells apart two inodes that had the same node at different times.
    public var generation: UInt64
    public var attributes: FileStatus
    /// How long the kernel may keep the name without asking again, in seconds; its attributes are kept no
    /// longer.
    public var timeout: Double

    public init(node: NodeID, generation: UInt64, attributes: FileStatus, timeout: Double) {
        (self.node, self.generation, self.attributes, self.timeout) = (
            node, generation, attributes, timeout
        )
    }

    var native: fuse_entry_param {
        var native = fuse_entry_param()
        native.ino = node.rawValue
        native.generation = generation
        native.attr = attributes.native
        native.attr_timeout = min(timeout, attributes.timeout)
        native.entry_timeout = timeout
        return native
    }
}

/// What `open` tells the kernel.
public struct OpenReply: Sendable {
    public var handle: Handle
    /// Pages that the kernel has stay valid.
    public var keepsCache = false
    /// Nothing is kept in the page cache.
    public var isDirect = false
    /// Writes go past the page cache, where the kernel keeps what others read true (``Connection/dropsPagesBehindWrites``).
    /// For descriptors that cannot read: it saves the kernel's question for `security.capability` before the first write, a
    /// round trip.
    public var writesDirectly = false
    /// Nothing has to be flushed when a descriptor is closed (since Linux 5.16; before, `flush` comes).
    public var needsNoFlush = false
    /// The kernel may keep the listing of a directory; without ``keepsCache`` until it is opened again.
    public var cachesDirectory = false
    /// lseek(2) makes no sense here.
    public var isUnseekable = false

    public init(handle: Handle) { self.handle = handle }

    @safe func write(to info: UnsafeMutablePointer<fuse_file_info>?) {
        let isDirect = isDirect || writesDirectly && Connection.dropsPagesBehindWrites
        unsafe info?.pointee.fh = handle.rawValue
        unsafe info?.pointee.keep_cache = keepsCache ? 1 : 0
        unsafe info?.pointee.direct_io = isDirect ? 1 : 0
        unsafe info?.pointee.noflush = needsNoFlush ? 1 : 0
        unsafe info?.pointee.cache_readdir = cachesDirectory ? 1 : 0
        unsafe info?.pointee.nonseekable = isUnseekable ? 1 : 0
    }
}

/// What statfs(2) tells.
public struct Statistics: Sendable {
    /// In bytes; the unit of the blocks.
    public var blockSize: UInt64
    public var blocks: UInt64
    public var freeBlocks: UInt64
    public var files: UInt64
    public var freeFiles: UInt64
    /// The longest name, in bytes.
    public var nameLength: UInt64

    public init(
        blockSize: UInt64, blocks: UInt64, freeBlocks: UInt64, files: UInt64, freeFiles: UInt64,
        nameLength: UInt64
    ) {
        (self.blockSize, self.blocks, self.freeBlocks) = (blockSize, blocks, freeBlocks)
        (self.files, self.freeFiles, self.nameLength) = (files, freeFiles, nameLength)
    }

    var native: statvfs {
        var native = statvfs()
        native.f_bsize = UInt(blockSize)
        native.f_frsize = UInt(blockSize)
        native.f_blocks = UInt(blocks)
        native.f_bfree = UInt(freeBlocks)
        native.f_bavail = UInt(freeBlocks)
        native.f_files = UInt(files)
        native.f_ffree = UInt(freeFiles)
        native.f_favail = UInt(freeFiles)
        native.f_namemax = UInt(nameLength)
        return native
    }
}
