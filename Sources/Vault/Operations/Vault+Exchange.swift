internal import Format
internal import Synchronization
internal import SystemPackage

extension Vault {
    /// RENAME_EXCHANGE: each name keeps its entry and gets the other's file.
    func exchange(_ move: Move, _ committer: Committer) throws(Errno) {
        guard let target = move.target, let other = move.targetInode, let otherNode = move.targetNode else { return }
        guard move.source.slot != 0, target.slot != 0 else { throw .invalidArgument }
        let isSave = move.inode.isRegular && other.isRegular
        let isAcross = move.parent != move.newParent
        guard !committer.root.isReplicated || isLeaving(move.source) == isLeaving(target) else { throw .improperLink }
        let change = (other.isDirectory ? 1 : 0) - (move.inode.isDirectory ? 1 : 0)
        let touchedOld = Vault.touched(move.directory, links: isAcross ? change : 0)
        let touchedNew = Vault.touched(move.newDirectory, links: isAcross ? -change : 0)
        try commit(committer) { () throws(Errno) in
            for (slot, file, rival) in [(move.source.slot, other, move.node), (target.slot, move.inode, otherNode)] {
                var (entry, seal) = try committer.loadEntry(slot)
                entry.file = file.identifier
                entry.stamp = committer.nextStamp()
                try committer.putEntry(entry, slot: slot, previous: seal)
                committer.operations.append(Operation(kind: .entry, subject: entry.identifier, parent: entry.parent))
                var file = file
                file.changed = touchedOld.changed
                // What goes to a backup name becomes a version of the other when that name goes.
                let successor = isSave && entry.isLocal ? tree.withLock { $0.lineage(of: rival) } : .none
                try storeAttributes(of: file, in: committer) { record in
                    if move.source.isLocal != target.isLocal { record.successor = successor }
                }
            }
            try storeAttributes(of: touchedOld, in: committer)
            if isAcross { try storeAttributes(of: touchedNew, in: committer) }
        } apply: { tree, _ in
            tree.point(move.sourceIndex, to: otherNode)
            tree.point(move.targetIndex, to: move.node)
            for node in [move.node, otherNode] { tree.update(node) { $0.changed = touchedOld.changed } }
            tree.update(move.parent) { $0.take(touchedOld) }
            if isAcross { tree.update(move.newParent) { $0.take(touchedNew) } }
        }
    }
}
