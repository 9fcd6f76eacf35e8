internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

extension Vault {
    /// A file that lived in memory only gets a lasting name: it is stored first, with its content.
    func settle(_ name: RawSpan, in parent: Node) throws(Errno) {
        let found = tree.withLock { tree -> (UInt32, Node)? in
            guard let index = tree.find(name, in: parent), tree.dentry(at: index).slot == 0 else { return nil }
            return (index, Node(index: Int(tree.dentry(at: index).node)))
        }
        guard let (index, node) = found else { return }
        try openContent(node).withLock { (state) throws(Errno) in
            guard state.slot == 0 else { return }
            state.slot = try committer.withLock { (committer) throws(Errno) in
                try settle(index, node, name, in: parent, committer)
            }
            state.isDirty = state.size > 0
            state.stored = nil
            try commit(&state)
        }
    }

    private func settle(
        _ index: UInt32, _ node: Node, _ name: RawSpan, in parent: Node, _ committer: Committer
    ) throws(Errno) -> Int64 {
        let (dentry, inode, directory) = try tree.withLock { (tree) throws(Errno) in
            (tree.dentry(at: index), try tree.inode(node), try tree.inode(parent))
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
                stamp: committer.nextStamp(), isLocal: true, name: name.array)
            try committer.putEntry(entry, slot: entrySlot, previous: nil)
        } apply: { tree, _ in
            tree.update(node) { $0.slot = slot }
            tree.updateDentry(index) { $0.slot = entrySlot }
        }
        return slot
    }
}
