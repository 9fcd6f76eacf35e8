internal import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

extension Vault {
    /// Removes a name. The file goes to the trash with its last one; programs that have it open keep
    /// it.
    ///
    /// - Throws: ENOENT, EISDIR, ENOTDIR, EROFS, ENOSPC, EIO.
    public func unlink(_ name: RawSpan, in parent: Node) throws(Errno) {
        try remove(name, in: parent) { (inode, _) throws(Errno) in
            guard !inode.isDirectory else { throw .isDirectory }
        }
    }

    /// Removes an empty directory.
    ///
    /// - Throws: ENOTEMPTY, ENOTDIR, and what ``unlink(_:in:)`` throws.
    public func removeDirectory(_ name: RawSpan, in parent: Node) throws(Errno) {
        try remove(name, in: parent) { (inode, isEmpty) throws(Errno) in
            guard inode.isDirectory else { throw .notDirectory }
            guard isEmpty else { throw .directoryNotEmpty }
        }
    }

    private func remove(
        _ name: RawSpan, in parent: Node, check: (Inode, Bool) throws(Errno) -> Void
    ) throws(Errno) {
        if isReadOnly { throw .readOnlyFileSystem }
        try Vault.check(name)
        let node = try committer.withLock { (committer) throws(Errno) in
            committer.removes = true
            defer { committer.removes = false }
            let (index, directory, target) = try tree.withLock { (tree) throws(Errno) in
                let directory = try tree.inode(parent)
                guard directory.isDirectory else { throw .notDirectory }
                guard let index = tree.find(name, in: parent) else { throw .noSuchFileOrDirectory }
                let node = Node(index: Int(tree.dentry(at: index).node))
                let inode = tree.inode(at: UInt32(truncatingIfNeeded: node.index))
                try check(inode, inode.isDirectory ? tree.isEmpty(node) : true)
                return (index, directory, node)
            }
            try removeFound(index, node: target, name, in: parent, directory, committer)
            return target
        }
        reapIfUnused(node)
    }

    private func removeFound(
        _ index: UInt32, node: Node, _ name: RawSpan, in parent: Node, _ directory: Inode, _ committer: Committer
    ) throws(Errno) {
        let (dentry, inode) = tree.withLock { tree in
            (tree.dentry(at: index), tree.inode(at: UInt32(truncatingIfNeeded: node.index)))
        }
        let touched = Vault.touched(directory, links: inode.isDirectory ? -1 : 0)
        guard dentry.slot != 0 else {
            tree.withLock { tree in
                tree.dropName(index, of: node, changed: touched.changed)
                tree.update(parent) { $0.take(touched) }
            }
            return
        }
        if let heir = heir(of: inode, named: dentry, committer) {
            let handed = try commit(committer) { () throws(Errno) in
                let handed = try handOver(dentry, inode, to: heir, now: touched.changed, in: committer)
                try storeAttributes(of: touched, in: committer)
                return handed
            } apply: { tree, handed in
                tree.dropName(index, of: node, changed: touched.changed)
                tree.take(handed, at: heir)
                tree.update(node) { $0.isDoomed = true }
                tree.update(parent) { $0.take(touched) }
            }
            noteTrashed(handed, at: heir, touched.changed.seconds)
            return
        }
        let fate = try commit(committer) { () throws(Errno) in
            let fate = try removeEntry(dentry, inode, now: touched.changed, in: committer)
            try storeAttributes(of: touched, in: committer)
            return fate
        } apply: { tree, fate in
            tree.dropName(index, of: node, changed: touched.changed)
            tree.update(parent) { $0.take(touched) }
            if fate == .doomed { tree.update(node) { $0.isDoomed = true } }
        }
        if fate == .trashed { noteTrashed(dentry, inode, name, in: directory, at: touched.changed.seconds) }
        if fate == .named { noteLoss(of: name, in: directory, by: inode, committer) }
    }

    func noteTrashed(_ dentry: Dentry, _ inode: Inode, _ name: RawSpan, in directory: Inode, at time: Int64) {
        let (hash, lineage) = tree.withLock { tree in
            (
                tree.nameHash(name, in: directory.identifier),
                tree.node(of: inode.identifier).map { tree.lineage(of: $0) } ?? inode.identifier
            )
        }
        trash.withLock {
            $0.add(
                Trash.Item(
                    entry: dentry.identifier, entrySlot: dentry.slot, file: inode.identifier, lineage: lineage,
                    fileSlot: inode.slot, removed: time, nameHash: hash))
        }
    }

    /// What becomes of a file whose entry goes.
    enum Fate {
        /// It has other names.
        case named
        /// Entry and file wait in the trash.
        case trashed
        /// The file waits in the trash under another entry.
        case kept
        /// The rows are gone, or go with the last reference.
        case doomed
    }

    /// Inside a transaction: takes an entry away. The caller changes the tree and the directory.
    func removeEntry(_ dentry: Dentry, _ inode: Inode, now: Timestamp, in committer: Committer) throws(Errno) -> Fate {
        let (entry, entrySeal) = try committer.loadEntry(dentry.slot)
        var (record, seal) = try committer.loadFile(inode.slot)
        if isLeaving(dentry) {
            let isLast = !hasOtherSharedName(inode, besides: dentry, committer)
            try committer.noteRemoval(of: entry, record, isLast: isLast)
        }
        if !inode.isDirectory, inode.links > 1 {
            var inode = inode
            inode.changed = now
            try storeAttributes(of: inode, in: committer)
            // Only backups of it are left: what goes with the last of them is what this name had.
            guard dentry.isLocal || inode.links - 1 > inode.localNames else {
                try committer.putInTrash(entry, dentry.slot, entrySeal, now: now)
                return .trashed
            }
            try committer.deleteEntry(dentry.slot, entrySeal)
            return .named
        }
        let isHeld = isHeld(inode.slot)
        if dentry.isLocal, !isHeld, try handToSuccessor(record, seal, inode, in: committer) {
            try committer.deleteEntry(dentry.slot, entrySeal)
            return .doomed
        }
        // What other devices know may be edited or moved there: it has to be there to come back.
        let isKnown = committer.root.isReplicated && (!record.heads.isEmpty || entry.made <= committer.root.heard)
        let hasContent = record.content.size > 0 || isKnown || record.history != 0 || record.predecessor != 0
        // A backup whose file is gone for good, such as one that was empty: nothing else has its content.
        let isStranded = dentry.isLocal && !isHeld && record.successor != .none
        if (hasContent && (!dentry.isLocal || isStranded)) || inode.isDirectory {
            record.changed = now
            try committer.putInTrash(entry, dentry.slot, entrySeal, now: now)
            unsafe try committer.putFile(record, slot: inode.slot, previous: seal, content: .keep)
            return .trashed
        }
        try committer.deleteEntry(dentry.slot, entrySeal)
        // A backup name goes, and the entry that had the file before is in the trash.
        if isHeld { return .kept }
        if claim(inode.identifier, in: committer) { try eraseFile(inode.slot, in: committer) }
        return .doomed
    }

    /// Whether something in the trash is of the file with that row, which then stays as it is.
    func isHeld(_ slot: Int64) -> Bool { trash.withLock { $0.count(ofFile: slot) > 0 } }

    /// Whether other devices may know the entry.
    func isLeaving(_ dentry: Dentry) -> Bool {
        !dentry.isLocal && tree.withLock { !$0.isLocal(Node(index: Int(dentry.parent))) }
    }

    /// The backup of a file that was written anew goes: its content is a version of the new one.
    private func handToSuccessor(
        _ record: FileRecord, _ seal: Seal, _ inode: Inode, in committer: Committer
    ) throws(Errno) -> Bool {
        guard record.successor != .none, inode.isRegular,
            let heir = slot(ofSuccessor: record.successor, besides: inode.slot)
        else { return false }
        var (heirRecord, heirSeal) = try committer.loadFile(heir)
        let present = try chunkListInTransaction(.file, heir, heirRecord.content, committer)
        try supersede(
            record, slot: inode.slot, seal: seal, isOpen: !claim(inode.identifier, in: committer), by: &heirRecord,
            present: present, in: committer)
        unsafe try committer.putFile(heirRecord, slot: heir, previous: heirSeal, content: .keep)
        return true
    }

    /// The row of the file that a backup belongs to, also where that was saved again or removed since.
    ///
    /// - Parameter successor: its lineage, or, as programs of before 0.2 have written it, its identifier.
    private func slot(ofSuccessor successor: Identifier, besides backup: Int64) -> Int64? {
        func slot(_ node: Node?, _ tree: borrowing Tree) -> Int64? {
            node.map { tree.inode(at: UInt32(truncatingIfNeeded: $0.index)).slot }
        }
        let (alive, older) = tree.withLock { tree in
            (slot(tree.node(ofLineage: successor), tree), slot(tree.node(of: successor), tree))
        }
        let removed = trash.withLock { $0.item(lineage: successor)?.fileSlot }
        return [alive, removed, older].compactMap { $0 }.first { $0 != 0 && $0 != backup }
    }

    /// Forgets a file that has no name, no open descriptor and no reference of the kernel left; its row
    /// goes, too, unless the trash has it.
    func reapIfUnused(_ node: Node) {
        var file = Identifier.none
        let slot: Int64? = tree.withLock { tree in
            guard let inode = try? tree.inode(node), inode.links == 0 || (inode.isDirectory && inode.isDoomed) else {
                return nil
            }
            guard inode.opens == 0 else { return nil }
            file = inode.identifier
            // Erase the row as soon as nobody can read it; the place in the table stays until forgotten.
            let erased = inode.isDoomed ? inode.slot : 0
            tree.update(node) { $0.isDoomed = false }
            if inode.lookups == 0 { tree.removeInode(node) }
            return inode.slot == 0 || inode.lookups == 0 ? -erased - 1 : erased
        }
        guard let slot else { return }
        displaced.withLock { $0.remove(file) }
        if slot < 0 { forgetContent(node) }
        let row = slot < 0 ? -(slot + 1) : slot
        guard row > 0, !isReadOnly else { return }
        committer.withLock { committer in
            committer.removes = true
            defer { committer.removes = false }
            do throws(Errno) {
                guard try committer.has(.file, slot: row) else { return }
                try committer.transaction { () throws(Errno) in try eraseFile(row, in: committer) }
            } catch {
                // An orphan costs space only; the next unlock erases it.
                return
            }
        }
    }
}

extension Tree {
    /// Takes a name away and counts the links of what it named.
    mutating func dropName(_ index: UInt32, of node: Node, changed: Timestamp) {
        removeDentry(index)
        update(node) { inode in
            inode.links = inode.isDirectory ? 0 : inode.links - min(1, inode.links)
            inode.changed = changed
        }
    }
}
