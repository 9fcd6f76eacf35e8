public import Format

/// A file as the mounted tree holds it, an inode: the number by which the kernel calls it. Valid from
/// the moment it is handed out until it is forgotten; inode numbers that users see are
/// ``Attributes/inode``.
public struct Node: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The vault's top directory.
    public static let root = Node(rawValue: 1)

    /// The place in the tree's table of inodes. Out-of-range numbers from outside become one that is
    /// never in use.
    var index: Int { rawValue <= UInt64(UInt32.max) ? Int(rawValue) : 0 }

    init(index: Int) {
        rawValue = UInt64(index)
    }
}

/// File types of stat(2), the upper bits of a mode.
public enum FileType {
    public static let mask: UInt32 = 0o170000
    public static let socket: UInt32 = 0o140000
    public static let symbolicLink: UInt32 = 0o120000
    public static let regular: UInt32 = 0o100000
    public static let block: UInt32 = 0o060000
    public static let directory: UInt32 = 0o040000
    public static let character: UInt32 = 0o020000
    public static let fifo: UInt32 = 0o010000
}

/// What stat(2) tells of a file.
public struct Attributes: Sendable, Equatable {
    /// The inode number: 64 bits, never given to another file.
    public var inode: UInt64
    /// Type and permissions.
    public var mode: UInt32
    public var owner: UInt32
    public var group: UInt32
    public var links: UInt32
    /// The device number of a device node.
    public var device: UInt32
    /// In bytes.
    public var size: UInt64
    /// In units of 512 bytes, as `du` counts: the size rounded up to whole 4 KiB, without the holes.
    public var blocks: UInt64
    public var accessed: Timestamp
    public var modified: Timestamp
    public var changed: Timestamp
}

/// The attributes that setattr is to change; `nil` leaves one as it is.
public struct AttributeChanges: Sendable, Equatable {
    public var mode: UInt32?
    public var owner: UInt32?
    public var group: UInt32?
    /// The new length in bytes: truncates, or makes longer with zeroes.
    public var size: UInt64?
    public var accessed: Timestamp?
    public var modified: Timestamp?
    /// The time of the change itself; now where it is nil.
    public var changed: Timestamp?
    /// Clear the set-user-id and set-group-id bits, as after a write by somebody else.
    public var clearSetIDs = false

    public init() {}
}
