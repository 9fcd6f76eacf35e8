/// The number by which the kernel calls an inode; 1 is the root, 0 is none.
public struct NodeID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static let root = NodeID(1)
}

/// The number that ``FileSystem/open(_:flags:)`` or ``FileSystem/openDirectory(_:)`` gave.
public struct Handle: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Who asks.
public struct Caller: Sendable {
    /// The user id of the file system (setfsuid(2)); 0 is not always allowed everything.
    public var user: UInt32
    /// The group id of the file system; the other groups of the process are the kernel's to check.
    public var group: UInt32
    /// The thread that asks; 0 where it lives in a name space that ours does not see, or the kernel asks by itself.
    public var process: Int32
    /// The bits that the kernel has taken from a mode already.
    public var umask: UInt32
}
