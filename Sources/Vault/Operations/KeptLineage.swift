internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// A file that other devices know goes on as another one, as with `mv a b` over a file `b`: what they write into `a`
/// meanwhile is an edit of the lineage that it had. So that stays in the trash as `rm` leaves it, with the versions that they
/// know: devices show copies of versions that compete, and have to have the same ones for that.
struct KeptLineage {
    let entry: Identifier
    let entrySlot: Int64
    let file: Identifier
    let lineage: Identifier
    let fileSlot: Int64
}

extension Vault {
    /// Inside a transaction, before the file's record changes: leaves its lineage in the trash, with its content.
    ///
    /// - Parameter entry: the removed one, whose row that becomes.
    /// - Returns: nil where no other device can know of the lineage, or the file is too large for that.
    func keepLineage(
        of record: FileRecord, at slot: Int64, under entry: EntryRecord, _ entrySlot: Int64, _ entrySeal: Seal,
        now: Timestamp, in committer: Committer
    ) throws(Errno) -> KeptLineage? {
        let isKnown = entry.made <= committer.root.heard || committer.sync.entries[record.lineage]?.isEmpty == false
        guard committer.root.isReplicated, isKnown, record.content.size <= Limits.keptLineage else { return nil }
        var kept = record
        (kept.identifier, kept.inode) = (.fresh(), committer.root.nextInode)
        committer.root.nextInode += 1
        (kept.history, kept.predecessor, kept.versions, kept.oldestVersion) = (0, 0, 0, 0)
        (kept.successor, kept.detached, kept.changed) = (.none, 0, now)
        let fileSlot = committer.freshSlot()
        for chunk in try chunkListInTransaction(.file, slot, record.content, committer) where chunk != 0 {
            try committer.shareChunk(chunk)
        }
        if record.content.kind == .none {
            unsafe try committer.putFile(kept, slot: fileSlot, previous: nil, content: .none)
        } else {
            let column = unsafe try committer.contentColumn(.file, slot) { unsafe [UInt8]($0) }
            try unsafe column.withRawBytes { (bytes) throws(Errno) in
                try unsafe committer.putFile(kept, slot: fileSlot, previous: nil, content: .bytes(bytes))
            }
        }
        var entry = entry
        entry.file = kept.identifier
        try committer.putInTrash(entry, entrySlot, entrySeal, now: now)
        // What others have not heard of yet is told with the removal that has seen it.
        committer.operations.append(Operation(kind: .attributes, subject: kept.identifier))
        committer.operations.append(
            Operation(kind: .content, subject: kept.identifier, version: kept.content.version))
        return KeptLineage(
            entry: entry.identifier, entrySlot: entrySlot, file: kept.identifier, lineage: kept.lineage,
            fileSlot: fileSlot)
    }

    func noteTrashed(_ kept: KeptLineage, _ name: RawSpan, in directory: Inode, at time: Int64) {
        let hash = tree.withLock { $0.nameHash(name, in: directory.identifier) }
        trash.withLock {
            $0.add(
                Trash.Item(
                    entry: kept.entry, entrySlot: kept.entrySlot, file: kept.file, lineage: kept.lineage,
                    fileSlot: kept.fileSlot, removed: time, nameHash: hash))
        }
    }

    /// Whether other devices know a file by a name besides this one.
    func hasOtherSharedName(_ inode: Inode, besides dentry: Dentry, _ committer: Committer) -> Bool {
        guard committer.root.isReplicated, !inode.isDirectory, inode.links > 1 else { return false }
        return tree.withLock { tree in
            tree.indexEntries()
            guard let node = tree.node(of: inode.identifier) else { return false }
            return tree.names(of: node).contains { name in
                let other = tree.dentry(at: name)
                return other.identifier != dentry.identifier && !other.isLocal
                    && !tree.isLocal(Node(index: Int(other.parent)))
            }
        }
    }
}

extension Limits {
    /// The largest content that is kept with a lineage, in bytes: each chunk costs a row, while the rename waits.
    static let keptLineage: UInt64 = 64 << 20
}
