internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// The end of a save by a program that had moved the earlier content away.
extension Vault {
    /// The file that has taken the name of another one, whose last name goes now.
    struct Heir {
        let index: UInt32
        let dentry: Dentry
        let node: Node
        let inode: Inode
    }

    /// A file has lost a name to another one, or is about to.
    func noteLoss(of name: RawSpan, in directory: Inode, by file: Inode, _ committer: Committer) {
        guard file.isRegular, committer.root.isReplicated else { return }
        let hash = tree.withLock { $0.nameHash(name, in: directory.identifier) }
        departures.withLock { $0.note(file.identifier, left: hash) }
    }

    /// A file has got a name.
    func noteGain(of name: RawSpan, in directory: Inode, by file: Inode) {
        guard departures.withLock({ !$0.isEmpty }) else { return }
        let hash = tree.withLock { $0.nameHash(name, in: directory.identifier) }
        departures.withLock { $0.note(file.identifier, got: hash) }
    }

    /// nil unless the file has just lost that name to another one, and other devices may know both.
    func heir(of inode: Inode, named dentry: Dentry, _ committer: Committer) -> Heir? {
        guard committer.root.isReplicated, inode.isRegular, inode.links == 1, isLeaving(dentry), !isHeld(inode.slot),
            let found = departures.withLock({ $0.heir(of: inode.identifier) })
        else { return nil }
        let heir = tree.withLock { tree -> Heir? in
            tree.indexEntries()
            guard let node = tree.node(of: found.file), let index = tree.names(of: node).first else { return nil }
            let dentry = tree.dentry(at: index)
            let directory = tree.inode(at: dentry.parent).identifier
            let hash = tree.withName(of: index) { tree.nameHash($0, in: directory) }
            // One that goes on with a lineage is known by the name already.
            guard hash == found.nameHash, tree.lineage(of: node) == found.file else { return nil }
            return Heir(index: index, dentry: dentry, node: node, inode: tree.inode(at: dentry.node))
        }
        guard let heir, heir.inode.isRegular, heir.inode.links == 1, heir.inode.slot != 0, isLeaving(heir.dentry),
            !isHeld(heir.inode.slot)
        else { return nil }
        return heir
    }

    /// Inside a transaction: removes the last name of a file that another one has taken the name of. That one goes on with
    /// its lineage and its entry, and has its content as a version: what other devices write into the file meanwhile meets
    /// the new content, instead of coming back under the temporary name.
    ///
    /// - Returns: the entry that the heir's name has from now on.
    func handOver(
        _ dentry: Dentry, _ inode: Inode, to heir: Heir, now: Timestamp, in committer: Committer
    ) throws(Errno) -> HandedOver {
        let (leaving, leavingSeal) = try committer.loadEntry(dentry.slot)
        let (standing, standingSeal) = try committer.loadEntry(heir.dentry.slot)
        let (old, oldSeal) = try committer.loadFile(inode.slot)
        var (record, seal) = try committer.loadFile(heir.inode.slot)
        try committer.noteRemoval(of: standing, record)
        let left = try keepLineage(
            of: record, at: heir.inode.slot, under: standing, heir.dentry.slot, standingSeal, now: now,
            in: committer)
        if left == nil { try committer.deleteEntry(heir.dentry.slot, standingSeal) }
        (record.stamp, record.successor, record.lineage) = (committer.nextStamp(), .none, old.lineage)
        if !record.heads.isEmpty || !old.heads.isEmpty { committer.renewHeads(of: &record, replacing: old) }
        if old.content.size > 0 || old.history != 0 || old.predecessor != 0 {
            try supersede(
                old, slot: inode.slot, seal: oldSeal, isOpen: !claim(inode.identifier, in: committer), by: &record,
                in: committer)
        } else if claim(inode.identifier, in: committer) {
            try eraseFile(inode.slot, in: committer)
        }
        unsafe try committer.putFile(record, slot: heir.inode.slot, previous: seal, content: .keep)
        let entry = EntryRecord(
            identifier: leaving.identifier, parent: standing.parent, file: record.identifier,
            stamp: committer.nextStamp(), made: leaving.made, isLocal: false, name: standing.name)
        try committer.putEntry(entry, slot: dentry.slot, previous: leavingSeal)
        committer.operations += [
            Operation(kind: .attributes, subject: record.identifier),
            Operation(kind: .content, subject: record.identifier, version: record.content.version),
            Operation(kind: .entry, subject: entry.identifier, parent: entry.parent),
        ]
        return HandedOver(entry: entry.identifier, slot: dentry.slot, lineage: record.lineage, left: left)
    }

    /// Once that is in the store.
    func noteTrashed(_ handed: HandedOver, at heir: Heir, _ time: Int64) {
        guard let left = handed.left else { return }
        let (name, directory) = tree.withLock { tree in
            (tree.name(heir.dentry), tree.inode(at: heir.dentry.parent))
        }
        unsafe noteTrashed(left, name.span.bytes, in: directory, at: time)
    }

    /// The entry, its row and the lineage that the heir's name has from now on.
    struct HandedOver {
        let entry: Identifier
        let slot: Int64
        let lineage: Identifier
        /// What the trash gets of the heir's own.
        let left: KeptLineage?
    }
}

extension Tree {
    /// A name goes on as another entry, in its place in the directory.
    mutating func take(_ new: Vault.HandedOver, at heir: Vault.Heir) {
        entryIndex?.remove(heir.dentry.identifier, heir.index, node: heir.dentry.node)
        updateDentry(heir.index) { ($0.identifier, $0.slot) = (new.entry, new.slot) }
        entryIndex?.insert(new.entry, heir.index, node: heir.dentry.node)
        setLineage(of: heir.node, to: new.lineage)
    }
}
