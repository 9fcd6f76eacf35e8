internal import Format
internal import SystemPackage

extension Vault {
    /// A name of a memory-only file that a rename replaces.
    struct VolatileTarget {
        let index: UInt32
        let node: Node
    }

    /// One rename with all that it concerns, checked.
    struct Move {
        var sourceIndex: UInt32
        var source: Dentry
        var node: Node
        var inode: Inode
        var parent: Node
        var directory: Inode
        var newParent: Node
        var newDirectory: Inode
        var targetIndex: UInt32 = 0
        var target: Dentry?
        var targetNode: Node?
        var targetInode: Inode?

        /// nil where nothing is to be done: both names are the same file.
        init?(
            _ name: RawSpan, in parent: Node, to newName: RawSpan, in newParent: Node, flags: RenameFlags,
            _ tree: Tree
        ) throws(Errno) {
            directory = try tree.inode(parent)
            guard directory.isDirectory else { throw .notDirectory }
            newDirectory = try Vault.liveDirectory(newParent, tree)
            guard let index = tree.find(name, in: parent) else { throw .noSuchFileOrDirectory }
            (sourceIndex, source, self.parent, self.newParent) = (index, tree.dentry(at: index), parent, newParent)
            node = Node(index: Int(source.node))
            inode = tree.inode(at: source.node)
            if inode.isDirectory, tree.isDescendant(newParent, of: node) { throw .invalidArgument }
            guard let found = tree.find(newName, in: newParent) else {
                if flags.contains(.exchange) { throw .noSuchFileOrDirectory }
                return
            }
            if flags.contains(.noReplace) { throw .fileExists }
            let foundDentry = tree.dentry(at: found)
            let foundNode = Node(index: Int(foundDentry.node))
            let foundInode = tree.inode(at: foundDentry.node)
            (targetIndex, target, targetNode, targetInode) = (found, foundDentry, foundNode, foundInode)
            if foundNode == node { return nil }
            if flags.contains(.exchange) {
                if foundInode.isDirectory, tree.isDescendant(parent, of: foundNode) { throw .invalidArgument }
                return
            }
            if inode.isDirectory {
                guard foundInode.isDirectory else { throw .notDirectory }
                guard tree.isEmpty(foundNode) else { throw .directoryNotEmpty }
            } else if foundInode.isDirectory {
                throw .isDirectory
            }
        }

        /// A memory-only file at the new name just goes, once the rename is in the store, which knows nothing of it.
        mutating func takeVolatileTarget() -> VolatileTarget? {
            guard let target, target.slot == 0, let targetNode else { return nil }
            defer { (self.target, self.targetNode, targetInode, targetIndex) = (nil, nil, nil, 0) }
            return VolatileTarget(index: targetIndex, node: targetNode)
        }

        /// The two directories after the change; the same value twice where it is one.
        func touchedDirectories() -> (old: Inode, new: Inode) {
            let loses = inode.isDirectory ? -1 : 0
            let gains = inode.isDirectory && targetInode == nil ? 1 : 0
            if parent == newParent {
                let both = Vault.touched(directory, links: loses + gains)
                return (both, both)
            }
            return (Vault.touched(directory, links: loses), Vault.touched(newDirectory, links: gains))
        }
    }
}
