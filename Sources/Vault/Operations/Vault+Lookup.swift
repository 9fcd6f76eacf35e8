internal import Format
internal import Glibc
public import Sealing
internal import Synchronization
public import SystemPackage

extension Vault {
    /// Finds an entry by its name.
    ///
    /// - Parameter remember: count a reference that the kernel holds from now on; ``forget(_:count:)``
    ///   gives it back.
    /// - Throws: ENOENT, ENOTDIR, ENAMETOOLONG, ESTALE.
    public func lookup(_ name: RawSpan, in parent: Node, remember: Bool) throws(Errno) -> (Node, Attributes) {
        try Vault.check(name)
        return try tree.withLock { (tree) throws(Errno) in
            let directory = try tree.inode(parent)
            guard directory.isDirectory else { throw .notDirectory }
            guard let dentry = tree.find(name, in: parent) else { throw .noSuchFileOrDirectory }
            let node = Node(index: Int(tree.dentry(at: dentry).node))
            if remember { tree.update(node) { $0.lookups += 1 } }
            return (node, tree.inode(at: UInt32(truncatingIfNeeded: node.index)).attributes)
        }
    }

    /// How often the place of `node` in the table of inodes was used before: part of what the kernel
    /// knows a file by.
    public func generation(of node: Node) -> UInt64 {
        tree.withLock { tree in
            guard let inode = try? tree.inode(node) else { return 0 }
            return UInt64(inode.generation)
        }
    }

    /// Gives back references of the kernel; a file without a name goes with the last.
    public func forget(_ node: Node, count: UInt64) {
        let isLast = tree.withLock { tree in
            guard (try? tree.inode(node)) != nil else { return false }
            return tree.update(node) { inode in
                inode.lookups -= min(count, inode.lookups)
                return inode.lookups == 0 && inode.links == 0
            }
        }
        if isLast { reapIfUnused(node) }
    }

    /// The node at the end of these names, from the top directory on; no name is the top itself. Symbolic links are not
    /// followed.
    public func node(at names: [[UInt8]]) throws(Errno) -> Node {
        var node = Node.root
        for name in names { node = unsafe try lookup(name.span.bytes, in: node, remember: false).0 }
        return node
    }

    /// The files that programs have open.
    public func openNodes() -> [Node] {
        tree.withLock { tree in
            tree.inodes.indices.filter { tree.inodes[$0].opens > 0 }.map { Node(index: $0) }
        }
    }

    /// What the kernel knows: every node that it holds, with the names in it that it may hold.
    public func rememberedNodes() -> [(Node, [[UInt8]])] {
        tree.withLock { tree in
            tree.inodes.indices.compactMap { index in
                let inode = tree.inodes[index]
                guard inode.isLive, inode.lookups > 0 || index == Node.root.index else { return nil }
                guard inode.directory >= 0 else { return (Node(index: index), []) }
                let children = tree.directories[Int(inode.directory)].children.filter { child in
                    child.dentry != 0 && tree.inode(at: tree.dentry(at: child.dentry).node).lookups > 0
                }
                return (Node(index: index), children.map { tree.name(of: $0.dentry) })
            }
        }
    }

    /// What stat(2) tells.
    public func attributes(of node: Node) throws(Errno) -> Attributes {
        try tree.withLock { (tree) throws(Errno) in try tree.inode(node).attributes }
    }

    /// The directory above `directory`; the root's is the root.
    public func parent(of directory: Node) -> Node {
        tree.withLock { tree in (try? tree.inode(directory)) == nil ? .root : tree.parent(of: directory) }
    }

    /// Where a listing begins that takes in what is in the directory now.
    public func beginningOfListing(_ node: Node) throws(Errno) -> ListingPosition {
        try tree.withLock { (tree) throws(Errno) in
            ListingPosition(cookie: 0, last: try tree.directory(node).lastCookie)
        }
    }

    /// Hands the entries behind `offset` to `body`, in the order in which they came, until it returns
    /// false. `.` and `..` are the caller's; the first offset is 0, the others are those that `body` was given.
    ///
    /// - Parameter remember: count a reference to each entry that `body` took.
    public func readDirectory(
        _ node: Node, after offset: UInt64, remember: Bool,
        _ body: (_ name: RawSpan, Node, Attributes, _ generation: UInt64, _ offset: UInt64) -> Bool
    ) throws(Errno) {
        try tree.withLock { (tree) throws(Errno) in
            let inode = try tree.inode(node)
            guard inode.directory >= 0 else { throw .notDirectory }
            let children = tree.directories[Int(inode.directory)].children
            var place = ListingPosition(offset: offset)
            if place.last == 0 { place.last = tree.directories[Int(inode.directory)].lastCookie }
            var position = tree.directories[Int(inode.directory)].firstPosition(after: place.cookie)
            while position < children.count {
                let child = children[position]
                guard child.cookie <= place.last else { return }
                position += 1
                guard child.dentry != 0 else { continue }
                place.cookie = child.cookie
                let target = Node(index: Int(tree.dentry(at: child.dentry).node))
                let inode = tree.inode(at: UInt32(truncatingIfNeeded: target.index))
                let taken = tree.withName(of: child.dentry) {
                    body($0, target, inode.attributes, UInt64(inode.generation), place.offset)
                }
                guard taken else { return }
                if remember { tree.update(target) { $0.lookups += 1 } }
            }
        }
    }

    /// The target of a symbolic link.
    public func symbolicLinkTarget(of node: Node) throws(Errno) -> PlainBuffer {
        let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
        guard inode.mode & FileType.mask == FileType.symbolicLink else { throw .invalidArgument }
        var target = PlainBuffer(capacity: 0)
        try withReader { (reader) throws(Errno) in
            try unsafe reader.file(inode.slot) { (record, sealed) throws(Errno) in
                try unsafe reader.openContent(sealed, record.content, into: &target)
                target.resize(to: min(target.count, Int(record.content.size)))
            }
        }
        return target
    }

    /// How much there is, for `df` and `status`.
    public struct Statistics: Sendable {
        public var entries: Int
        public var files: Int
        public var trash: Int
        /// Of the file system that the vault's file is on, in bytes.
        public var totalBytes: UInt64
        public var availableBytes: UInt64
        /// What the vault's file and its chunks take, in bytes.
        public var fileBytes: UInt64
        /// Of that, what would give way to new contents.
        public var yieldingBytes: UInt64
    }

    public func statistics() -> Statistics {
        let (entries, files) = tree.withLock { ($0.entryCount, $0.inodeCount) }
        var space = statvfs()
        var status = stat()
        _ = unsafe path.withPlatformString { name in
            unsafe statvfs(name, &space) + stat(name, &status)
        }
        let unit = UInt64(space.f_frsize)
        return Statistics(
            entries: entries, files: files, trash: trash.withLock { $0.count },
            totalBytes: UInt64(space.f_blocks) &* unit, availableBytes: UInt64(space.f_bavail) &* unit,
            fileBytes: UInt64(clamping: status.st_size) &+ chunks.size, yieldingBytes: keptBytes().yielding)
    }
}
