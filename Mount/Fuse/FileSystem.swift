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
/// **Errors** are errnos; what is thrown is what the program sees. An errno that the kernel would not take
/// (it knows 1 to 511) becomes EIO, and so does an operation that never answers.
///
/// **Permissions** are the kernel's where `default_permissions` is among the mount's options, and then
/// `access` never comes, for which there is no method here. Neither is there one for locks (flock, POSIX):
/// without one the kernel keeps them itself.
///
/// **Set-id bits** go when somebody else writes. Where the kernel is 5.11 or later we agree to do it
/// (``ConnectionFlags/handlesSetIDs``), since a kernel that does it itself asks for the extended attribute
/// `security.capability` before every write, a second round trip each time. The rules that we take over are
/// kept in this module: it calls ``setAttributes(of:handle:_:)`` with a mode before what changes contents, and gives it a
/// mode where an owner or a size changes. One rule stays with a file
/// system that stores `security.capability`: `open` with O_TRUNC has to remove it.
///
/// This module knows no vault.
public protocol FileSystem: AnyObject, Sendable {
    func lookup(_ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry
    func forget(_ node: NodeID, count: UInt64)
    func attributes(of node: NodeID, handle: Handle?) throws(Errno) -> FileStatus
    func setAttributes(of node: NodeID, handle: Handle?, _ changes: SetAttributes) throws(Errno)
        -> FileStatus
    /// Hands the target of a symbolic link to `body`, once.
    func readLink(_ node: NodeID, _ body: (RawSpan) -> Void) throws(Errno)
    func makeNode(_ name: RawSpan, in parent: NodeID, mode: UInt32, device: UInt64, by caller: Caller)
        throws(Errno) -> Entry
    func makeDirectory(_ name: RawSpan, in parent: NodeID, mode: UInt32, by caller: Caller)
        throws(Errno) -> Entry
    func makeSymbolicLink(_ name: RawSpan, in parent: NodeID, target: RawSpan, by caller: Caller)
        throws(Errno) -> Entry
    func link(_ node: NodeID, _ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry
    func unlink(_ name: RawSpan, in parent: NodeID) throws(Errno)
    func removeDirectory(_ name: RawSpan, in parent: NodeID) throws(Errno)
    /// - Parameter flags: those of renameat2(2).
    func rename(
        _ name: RawSpan, in parent: NodeID, to newName: RawSpan, in newParent: NodeID, flags: UInt32)
        throws(Errno)

    /// - Parameter flags: those of open(2); O_TRUNC is for the file system to do, O_CREAT and O_EXCL never come.
    func open(_ node: NodeID, flags: Int32) throws(Errno) -> OpenReply
    /// Nobody waits: the answer to ``open(_:flags:)`` has gone, and whoever opened the file is about to use it.
    func didOpen(_ node: NodeID, handle: Handle)
    func create(_ name: RawSpan, in parent: NodeID, mode: UInt32, flags: Int32, by caller: Caller)
        throws(Errno) -> (Entry, OpenReply)
    /// Hands up to `count` bytes to `body`, once; fewer only at the end of the file.
    func read(
        _ node: NodeID, handle: Handle, offset: UInt64, count: Int, _ body: (RawSpan) -> Void)
        throws(Errno)
    /// Nobody waits: the answer to a ``read(_:handle:offset:count:_:)`` has gone.
    func didRead(_ node: NodeID, handle: Handle, offset: UInt64, count: Int)
    /// - Returns: how many bytes were taken.
    func write(_ node: NodeID, handle: Handle, offset: UInt64, _ bytes: RawSpan) throws(Errno)
        -> Int
    /// A descriptor of the handle was closed; may come several times.
    func flush(_ node: NodeID, handle: Handle) throws(Errno)
    /// The last descriptor of the handle is gone; nobody waits for this one.
    func release(_ node: NodeID, handle: Handle)
    func synchronize(_ node: NodeID, handle: Handle, dataOnly: Bool) throws(Errno)
    /// - Parameter mode: that of fallocate(2).
    func allocate(_ node: NodeID, handle: Handle, offset: UInt64, length: UInt64, mode: Int32)
        throws(Errno)
    /// - Returns: how many bytes were copied.
    func copyRange(
        from source: (node: NodeID, handle: Handle, offset: UInt64),
        to target: (node: NodeID, handle: Handle, offset: UInt64), count: Int
    ) throws(Errno) -> Int
    /// SEEK_DATA and SEEK_HOLE; the kernel does the others.
    func seek(_ node: NodeID, handle: Handle, offset: UInt64, whence: Int32) throws(Errno)
        -> UInt64

    /// ENOSYS tells the kernel never to ask again, and to keep listings.
    func openDirectory(_ node: NodeID) throws(Errno) -> OpenReply
    /// Adds entries behind `offset` until `filler` is full. `.` and `..` are entries too, of node 0.
    func readDirectory(
        _ node: NodeID, handle: Handle, offset: UInt64, into filler: DirectoryFiller)
        throws(Errno)
    func releaseDirectory(_ node: NodeID, handle: Handle)
    func synchronizeDirectory(_ node: NodeID, handle: Handle) throws(Errno)

    func statistics() throws(Errno) -> Statistics
    /// Hands the value to `body`, once.
    func extendedAttribute(_ name: RawSpan, of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno)
    /// Hands the names, each with a NUL behind it, to `body`, once.
    func extendedAttributeNames(of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno)
    /// - Parameter flags: those of setxattr(2).
    func setExtendedAttribute(
        _ name: RawSpan, to value: RawSpan, of node: NodeID, flags: Int32, by caller: Caller) throws(Errno)
    func removeExtendedAttribute(_ name: RawSpan, of node: NodeID) throws(Errno)
}
