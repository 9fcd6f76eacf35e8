public import SystemPackage

/// What a mounted file system answers: one method an operation of FUSE's low-level protocol.
///
/// **Vocabulary** is FUSE's own: a *node* is the number by which the kernel calls an inode, a *handle* the
/// one that `open` gave, a *reply* goes to the kernel once for each request. See
/// <https://libfuse.github.io/doxygen/structfuse__lowlevel__ops.html>.
///
/// **Threads**: every method may be called on any thread, many at once. **Forgetting**: each ``Entry`` that
/// goes to the kernel counts one reference; ``forget(_:count:)`` gives references back.
///
/// This module knows no vault. Errors are errnos; what is thrown is what the program sees.
public protocol FileSystem: Sendable {
    func lookup(_ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry
    func forget(_ node: NodeID, count: UInt64)
    func attributes(of node: NodeID, handle: Handle?) throws(Errno) -> FileStatus
    func setAttributes(of node: NodeID, handle: Handle?, _ changes: SetAttributes) throws(Errno) -> FileStatus
    /// Hands the target of a symbolic link to `body`.
    func readLink(_ node: NodeID, _ body: (RawSpan) -> Void) throws(Errno)
    func makeNode(_ name: RawSpan, in parent: NodeID, mode: UInt32, device: UInt64, by caller: Caller)
        throws(Errno) -> Entry
    func makeDirectory(_ name: RawSpan, in parent: NodeID, mode: UInt32, by caller: Caller) throws(Errno) -> Entry
    func makeSymbolicLink(_ name: RawSpan, in parent: NodeID, target: RawSpan, by caller: Caller)
        throws(Errno) -> Entry
    func link(_ node: NodeID, _ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry
    func unlink(_ name: RawSpan, in parent: NodeID) throws(Errno)
    func removeDirectory(_ name: RawSpan, in parent: NodeID) throws(Errno)
    func rename(_ name: RawSpan, in parent: NodeID, to newName: RawSpan, in newParent: NodeID, flags: UInt32)
        throws(Errno)

    func open(_ node: NodeID, flags: Int32) throws(Errno) -> OpenReply
    func create(_ name: RawSpan, in parent: NodeID, mode: UInt32, flags: Int32, by caller: Caller)
        throws(Errno) -> (Entry, OpenReply)
    /// Hands up to `count` bytes to `body`, once; fewer only at the end of the file.
    func read(_ node: NodeID, handle: Handle, offset: UInt64, count: Int, _ body: (RawSpan) -> Void)
        throws(Errno)
    /// - Returns: how many bytes were taken.
    func write(_ node: NodeID, handle: Handle, offset: UInt64, _ bytes: RawSpan) throws(Errno) -> Int
    /// A descriptor of the handle was closed; may come several times.
    func flush(_ node: NodeID, handle: Handle) throws(Errno)
    /// The last descriptor of the handle is gone; nobody waits for this one.
    func release(_ node: NodeID, handle: Handle)
    func synchronize(_ node: NodeID, handle: Handle, dataOnly: Bool) throws(Errno)
    func allocate(_ node: NodeID, handle: Handle, offset: UInt64, length: UInt64, mode: Int32) throws(Errno)
    /// - Returns: how many bytes were copied.
    func copyRange(
        from source: (node: NodeID, handle: Handle, offset: UInt64),
        to target: (node: NodeID, handle: Handle, offset: UInt64), count: Int
    ) throws(Errno) -> Int
    /// SEEK_DATA and SEEK_HOLE.
    func seek(_ node: NodeID, handle: Handle, offset: UInt64, whence: Int32) throws(Errno) -> UInt64

    func openDirectory(_ node: NodeID) throws(Errno) -> OpenReply
    /// Adds entries behind `offset` until `filler` is full.
    func readDirectory(_ node: NodeID, handle: Handle, offset: UInt64, into filler: DirectoryFiller)
        throws(Errno)
    func releaseDirectory(_ node: NodeID, handle: Handle)
    func synchronizeDirectory(_ node: NodeID, handle: Handle) throws(Errno)

    func statistics() throws(Errno) -> Statistics
    /// Hands the value to `body`, once.
    func extendedAttribute(_ name: RawSpan, of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno)
    /// Hands the names, each with a NUL behind it, to `body`, once.
    func extendedAttributeNames(of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno)
    func setExtendedAttribute(_ name: RawSpan, to value: RawSpan, of node: NodeID, flags: Int32) throws(Errno)
    func removeExtendedAttribute(_ name: RawSpan, of node: NodeID) throws(Errno)
}
