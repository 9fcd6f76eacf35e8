internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

extension Vault {
    /// A file that lived in memory only gets a lasting name: it is stored first, with its content.
    func settle(_ name: RawSpan, in parent: Node) throws(Errno) {
        if let index = tree.withLock({ $0.find(name, in: parent) }) { try settle(index) }
    }

    private func settle(_ index: UInt32) throws(Errno) {
        let node = tree.withLock { tree in
            let dentry = tree.dentry(at: index)
            return dentry.slot == 0 ? Node(index: Int(dentry.node)) : nil
        }
        guard let node else { return }
        try openContent(node).withLock { (state) throws(Errno) in
            guard state.slot == 0 else { return }
            state.slot = try committer.withLock { (committer) throws(Errno) in
                try settle(index, node, committer)
            }
            state.isDirty = state.size > 0
            state.stored = nil
            try commit(&state)
        }
    }

    private func settle(_ index: UInt32, _ node: Node, _ committer: Committer) throws(Errno) -> Int64 {
        let (dentry, name, inode, directory) = try tree.withLock { (tree) throws(Errno) in
            let dentry = tree.dentry(at: index)
            // It may have been removed, and the place be another entry's.
            guard dentry.slot == 0, Int(dentry.node) == node.index else { throw .noSuchFileOrDirectory }
            return (dentry, tree.name(of: index), try tree.inode(node), tree.inode(at: dentry.parent))
        }
        let slot = committer.freshSlot()
        let entrySlot = committer.freshSlot()
        try commit(committer) { () throws(Errno) in
            var record = FileRecord(
                identifier: inode.identifier, inode: inode.number, mode: inode.mode,
                stamp: committer.nextStamp(), time: inode.changed)
            record.take(inode, mounter: mounter)
            unsafe try committer.putFile(record, slot: slot, previous: nil, content: .none)
            let entry = EntryRecord(
                identifier: dentry.identifier, parent: directory.identifier, file: inode.identifier,
                stamp: committer.nextStamp(), isLocal: true, name: name)
            try committer.putEntry(entry, slot: entrySlot, previous: nil)
        } apply: { tree, _ in
            tree.update(node) { $0.slot = slot }
            tree.updateDentry(index) { $0.slot = entrySlot }
        }
        return slot
    }
}
