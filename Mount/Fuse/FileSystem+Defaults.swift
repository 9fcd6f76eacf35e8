public import SystemPackage

/// What a file system may leave out. ENOSYS tells the kernel never to ask again: it does by itself what it
/// can (fs/fuse in the kernel's source), and says EOPNOTSUPP to the program where it cannot.
extension FileSystem {
    public func didOpen(_ node: NodeID, handle: Handle) {}

    public func didRead(_ node: NodeID, handle: Handle, offset: UInt64, count: Int) {}

    /// The kernel then says EOPNOTSUPP; posix_fallocate(3) writes instead.
    public func allocate(
        _ node: NodeID, handle: Handle, offset: UInt64, length: UInt64, mode: Int32
    ) throws(Errno) {
        throw .noFunction
    }

    /// The kernel then reads and writes.
    public func copyRange(
        from source: (node: NodeID, handle: Handle, offset: UInt64),
        to target: (node: NodeID, handle: Handle, offset: UInt64), count: Int
    ) throws(Errno) -> Int {
        throw .noFunction
    }

    /// The kernel then takes the whole file for data.
    public func seek(_ node: NodeID, handle: Handle, offset: UInt64, whence: Int32) throws(Errno)
        -> UInt64
    {
        throw .noFunction
    }

    /// The kernel then says EOPNOTSUPP.
    public func extendedAttribute(_ name: RawSpan, of node: NodeID, _ body: (RawSpan) -> Void)
        throws(Errno)
    {
        throw .noFunction
    }

    /// The kernel then says EOPNOTSUPP.
    public func extendedAttributeNames(of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno) {
        throw .noFunction
    }

    /// The kernel then says EOPNOTSUPP.
    public func setExtendedAttribute(
        _ name: RawSpan, to value: RawSpan, of node: NodeID, flags: Int32, by caller: Caller
    ) throws(Errno) {
        throw .noFunction
    }

    /// The kernel then says EOPNOTSUPP.
    public func removeExtendedAttribute(_ name: RawSpan, of node: NodeID) throws(Errno) {
        throw .noFunction
    }
}
