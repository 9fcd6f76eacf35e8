internal import Format
internal import Synchronization
internal import SystemPackage

extension Vault {
    /// RENAME_EXCHANGE. Both entries move, each to the other's name, as two renames would: so what other devices write into
    /// the files meanwhile goes with them. Between a name that other devices know and one that never leaves this device
    /// each name keeps its entry, and gets the other's file.
    func exchange(_ move: Move, _ committer: Committer) throws(Errno) {
        guard let target = move.target, let other = move.targetInode, let otherNode = move.targetNode else { return }
        guard move.source.slot != 0, target.slot != 0 else { throw .invalidArgument }
        let isAcross = move.parent != move.newParent
        guard !committer.root.isReplicated || isLeaving(move.source) == isLeaving(target) else { throw .improperLink }
        let change = (other.isDirectory ? 1 : 0) - (move.inode.isDirectory ? 1 : 0)
        let touched = (
            old: Vault.touched(move.directory, links: isAcross ? change : 0),
            new: Vault.touched(move.newDirectory, links: isAcross ? -change : 0)
        )
        if move.source.isLocal == target.isLocal {
            try swap(move, target, other, touched, committer)
        } else {
            try exchangeFiles(move, target, other, otherNode, touched, committer)
        }
        for (dentry, directory, was, gets) in [
            (move.source, move.directory, move.inode, other), (target, move.newDirectory, other, move.inode),
        ] {
            let name = tree.withLock { $0.name(dentry) }
            unsafe noteLoss(of: name.span.bytes, in: directory, by: was, committer)
            unsafe noteGain(of: name.span.bytes, in: directory, by: gets)
        }
    }

    private typealias Touched = (old: Inode, new: Inode)

    private func swap(
        _ move: Move, _ target: Dentry, _ other: Inode, _ touched: Touched, _ committer: Committer
    ) throws(Errno) {
        try commit(committer) { () throws(Errno) in
            let (source, sourceSeal) = try committer.loadEntry(move.source.slot)
            let (standing, standingSeal) = try committer.loadEntry(target.slot)
            for (entry, slot, seal, place, file) in [
                (source, move.source.slot, sourceSeal, standing, move.inode),
                (standing, target.slot, standingSeal, source, other),
            ] {
                var entry = entry
                (entry.parent, entry.name, entry.stamp) = (place.parent, place.name, committer.nextStamp())
                try committer.putEntry(entry, slot: slot, previous: seal)
                try committer.dropRegister(of: entry.identifier)
                committer.operations.append(Operation(kind: .entry, subject: entry.identifier, parent: entry.parent))
                var file = file
                file.changed = touched.old.changed
                try storeAttributes(of: file, in: committer)
            }
            try storeAttributes(of: touched.old, in: committer)
            if move.parent != move.newParent { try storeAttributes(of: touched.new, in: committer) }
        } apply: { tree, _ in
            tree.swapEntries(move.sourceIndex, move.targetIndex)
            for node in [move.source.node, target.node] {
                tree.update(Node(index: Int(node))) { $0.changed = touched.old.changed }
            }
            tree.update(move.parent) { $0.take(touched.old) }
            if move.parent != move.newParent { tree.update(move.newParent) { $0.take(touched.new) } }
        }
    }

    private func exchangeFiles(
        _ move: Move, _ target: Dentry, _ other: Inode, _ otherNode: Node, _ touched: Touched, _ committer: Committer
    ) throws(Errno) {
        let halves = [
            ExchangedName(dentry: move.source, gets: other, was: move.inode, other: target),
            ExchangedName(dentry: target, gets: move.inode, was: other, other: move.source),
        ]
        // What was left behind when a file got its local name was not removed after all.
        let returning = trash.withLock { trash in
            halves.filter(\.becomesShared).flatMap { trash.take(allOfFile: $0.gets.slot) }
        }
        var left: [(dentry: Dentry, half: ExchangedName)] = []
        do throws(Errno) {
            try commit(committer) { () throws(Errno) in
                for item in returning {
                    try committer.deleteEntry(item.entrySlot, committer.loadEntry(item.entrySlot).1)
                }
                for half in halves {
                    if let dentry = try exchange(half, at: touched.old.changed, committer) {
                        left.append((dentry, half))
                    }
                }
                try storeAttributes(of: touched.old, in: committer)
                if move.parent != move.newParent { try storeAttributes(of: touched.new, in: committer) }
            } apply: { tree, _ in
                tree.point(move.sourceIndex, to: otherNode)
                tree.point(move.targetIndex, to: move.node)
                for node in [move.node, otherNode] { tree.update(node) { $0.changed = touched.old.changed } }
                tree.update(move.parent) { $0.take(touched.old) }
                if move.parent != move.newParent { tree.update(move.newParent) { $0.take(touched.new) } }
            }
        } catch {
            trash.withLock { trash in for item in returning { trash.putBack(item) } }
            throw error
        }
        for (dentry, half) in left { noteTrashed(dentry, half, at: touched.old.changed.seconds) }
    }

    /// Inside the transaction: one of the two names gets the other's file.
    ///
    /// - Returns: an entry of the trash for a file that has no shared name any more, and does not become a version of the
    ///   one that took its place.
    private func exchange(
        _ half: ExchangedName, at now: Timestamp, _ committer: Committer
    ) throws(Errno) -> Dentry? {
        var (entry, seal) = try committer.loadEntry(half.dentry.slot)
        var left: Dentry?
        if half.losesLastShared, !half.isSave {
            var removed = entry
            (removed.identifier, removed.made) = (.fresh(), committer.root.lamport)
            var dentry = half.dentry
            (dentry.identifier, dentry.slot) = (removed.identifier, committer.freshSlot())
            try committer.putInTrash(removed, dentry.slot, nil, now: now)
            left = dentry
        }
        entry.file = half.gets.identifier
        entry.stamp = committer.nextStamp()
        try committer.putEntry(entry, slot: half.dentry.slot, previous: seal)
        committer.operations.append(Operation(kind: .entry, subject: entry.identifier, parent: entry.parent))
        committer.noteFurtherName(of: half.gets.identifier)
        var file = half.gets
        file.changed = now
        let rival = half.was.identifier
        // What goes to a backup name becomes a version of the other when that name goes.
        let successor =
            half.isSave && entry.isLocal
            ? tree.withLock { tree in tree.node(of: rival).map { tree.lineage(of: $0) } ?? .none } : .none
        try storeAttributes(of: file, in: committer) { record in
            if half.isBetweenClasses { record.successor = successor }
        }
        return left
    }

    private func noteTrashed(_ dentry: Dentry, _ half: ExchangedName, at time: Int64) {
        let (name, directory) = tree.withLock { tree in
            (tree.name(half.dentry), tree.inode(at: half.dentry.parent))
        }
        unsafe noteTrashed(dentry, half.was, name.span.bytes, in: directory, at: time)
    }
}

/// One of two names that are exchanged.
private struct ExchangedName {
    let dentry: Dentry
    /// The file that it gets, and the one that it had.
    let gets: Inode
    let was: Inode
    /// The other name.
    let other: Dentry

    var isBetweenClasses: Bool { dentry.isLocal != other.isLocal }
    /// A program that saves this way: the new content comes to the shared name.
    var isSave: Bool { isBetweenClasses && gets.isRegular && was.isRegular }
    var becomesShared: Bool { isBetweenClasses && !dentry.isLocal }
    /// The file that it had is left with local names only.
    var losesLastShared: Bool {
        becomesShared && (was.isRegular || was.isSymbolicLink) && was.links == was.localNames + 1
    }
}
