internal import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

extension Vault {
    /// What rename is asked for beyond the usual (renameat2(2)).
    public struct RenameFlags: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// EEXIST where the new name is taken.
        public static let noReplace = RenameFlags(rawValue: 1)
        /// Both names change places.
        public static let exchange = RenameFlags(rawValue: 2)
    }

    /// Moves an entry, over another where there is one: that entry then points at the moved file, and
    /// what it pointed at becomes a version.
    ///
    /// - Throws: ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL (into itself, unknown flags),
    ///   ENAMETOOLONG, EROFS, ENOSPC, EIO.
    public func rename(
        _ name: RawSpan, in parent: Node, to newName: RawSpan, in newParent: Node, flags: RenameFlags
    ) throws(Errno) {
        if isReadOnly { throw .readOnlyFileSystem }
        try Vault.check(name)
        try Vault.check(newName)
        guard flags.rawValue <= 2 else { throw .invalidArgument }
        try settle(name, in: parent)
        if flags.contains(.exchange) { try settle(newName, in: newParent) }
        let replaced = try committer.withLock { (committer) throws(Errno) -> Node? in
            let move = try tree.withLock { (tree) throws(Errno) in
                try Move(name, in: parent, to: newName, in: newParent, flags: flags, tree)
            }
            guard var move else { return nil }
            guard move.source.slot != 0 else { throw .resourceBusy }
            if flags.contains(.exchange) {
                try exchange(move, committer)
                return nil
            }
            let target = move.targetNode
            let volatile = move.takeVolatileTarget()
            try rename(move, name, newName, over: volatile, committer)
            return target
        }
        if let replaced { reapIfUnused(replaced) }
    }

    private func rename(
        _ move: Move, _ name: RawSpan, _ newName: RawSpan, over volatile: VolatileTarget?, _ committer: Committer
    ) throws(Errno) {
        var plan = try plan(move, newName, committer)
        // What was left behind when the file got its local name was not removed after all.
        if move.source.isLocal, !plan.isLocal {
            plan.returning = trash.withLock { $0.take(allOfFile: plan.moved.slot) }
        }
        do throws(Errno) { try commit(move, newName, over: volatile, &plan, committer) } catch {
            trash.withLock { trash in for item in plan.returning { trash.putBack(item) } }
            throw error
        }
        let now = plan.moved.changed.seconds
        if plan.fate == .trashed, let target = move.target, let old = move.targetInode {
            noteTrashed(target, old, newName, in: move.newDirectory, at: now)
        }
        if plan.isBackup { noteTrashed(move.source, plan.moved, name, in: move.directory, at: now) }
        if let kept = plan.kept { noteTrashed(kept, name, in: move.directory, at: now) }
        if !move.source.isLocal, !plan.isLocal { noteLoss(of: name, in: move.directory, by: plan.moved, committer) }
        if plan.fate == .named, let old = move.targetInode {
            noteLoss(of: newName, in: move.newDirectory, by: old, committer)
        }
        noteGain(of: newName, in: move.newDirectory, by: plan.moved)
    }

    private func plan(_ move: Move, _ newName: RawSpan, _ committer: Committer) throws(Errno) -> RenamePlan {
        let isLocal = ScratchNames.isLocal(newName, isDirectory: move.inode.isDirectory)
        let leaves = tree.withLock { tree in
            (from: !move.source.isLocal && !tree.isLocal(move.parent), to: !isLocal && !tree.isLocal(move.newParent))
        }
        // What is in a directory would have to be removed elsewhere, or be heard of for the first time: programs
        // that get this copy and remove it one by one (rename(2)).
        guard leaves.from == leaves.to || !committer.root.isReplicated || isEmptyOrFile(move) else {
            throw .improperLink
        }
        let touched = move.touchedDirectories()
        var moved = move.inode
        moved.changed = touched.old.changed
        return RenamePlan(
            moved: moved, touched: touched, entrySlot: move.source.slot, identifier: move.source.identifier,
            isLocal: isLocal, isBackup: isLocal && !move.source.isLocal && (moved.isRegular || moved.isSymbolicLink),
            leaves: leaves)
    }

    private func commit(
        _ move: Move, _ newName: RawSpan, over volatile: VolatileTarget?, _ plan: inout RenamePlan,
        _ committer: Committer
    ) throws(Errno) {
        let (moved, touched) = (plan.moved, plan.touched)
        try commit(committer) { () throws(Errno) in
            if plan.isBackup { try leaveBehind(move, &plan, in: committer) }
            if !plan.returning.isEmpty { try comeBack(move, newName, &plan, in: committer) }
            var record: FileRecord?
            if let target = move.target, let old = move.targetInode {
                record = try replace(target, old, with: moved, move, &plan, in: committer)
            }
            try writeMovedEntry(move, moved, newName, &plan, in: committer)
            if record == nil {
                let isFirst = !plan.leaves.from && plan.leaves.to
                try storeAttributes(of: moved, in: committer) { (record) throws(Errno) in
                    if !plan.isLocal { record.successor = .none }
                    if isFirst { committer.announceAnew(&record) }
                }
            }
            try storeAttributes(of: touched.old, in: committer)
            if move.parent != move.newParent { try storeAttributes(of: touched.new, in: committer) }
        } apply: { tree, _ in
            if let volatile { tree.dropName(volatile.index, of: volatile.node, changed: moved.changed) }
            tree.apply(move, newName, plan)
        }
    }

    private func isEmptyOrFile(_ move: Move) -> Bool {
        !move.inode.isDirectory || tree.withLock { $0.isEmpty(move.node) }
    }

    /// What a rename does to the entries.
    struct RenamePlan {
        /// The moved file, and the two directories, as they are afterwards.
        let moved: Inode
        let touched: (old: Inode, new: Inode)
        /// The row and identifier that the entry has under its new name.
        var entrySlot: Int64
        var identifier: Identifier
        let isLocal: Bool
        /// To a backup name: the entry stays with its old name, for the file that will be written there.
        let isBackup: Bool
        /// Whether other devices may know the old name, and hear of the new one.
        let leaves: (from: Bool, to: Bool)
        /// What became of the file that was replaced.
        var fate: Fate?
        /// The entry at the new name keeps its row and points at the moved file.
        var keepsTarget = false
        /// The lineage that the moved file goes on with.
        var lineage: Identifier?
        /// What the trash has of the moved file, and loses.
        var returning: [Trash.Item] = []
        /// What the trash gets of the lineage that the moved file had.
        var kept: KeptLineage?
        /// The entry at the new name is the one of these that was left behind there.
        var isBack = false
    }

    /// Inside the transaction: the old name's entry is marked removed, and a new local one takes the
    /// backup name.
    private func leaveBehind(_ move: Move, _ plan: inout RenamePlan, in committer: Committer) throws(Errno) {
        let (entry, seal) = try committer.loadEntry(move.source.slot)
        if plan.leaves.from {
            let record = try committer.loadFile(move.inode.slot).0
            let isLast = !hasOtherSharedName(move.inode, besides: move.source, committer)
            try committer.noteRemoval(of: entry, record, isLast: isLast)
        }
        try committer.putInTrash(entry, move.source.slot, seal, now: plan.moved.changed)
        plan.entrySlot = committer.freshSlot()
        plan.identifier = .fresh()
    }

    /// Inside the transaction, the counterpart: the entry that was left behind at the new name has its file again, and
    /// others of the file leave the trash.
    private func comeBack(
        _ move: Move, _ newName: RawSpan, _ plan: inout RenamePlan, in committer: Committer
    ) throws(Errno) {
        let hash = tree.withLock { $0.nameHash(newName, in: move.newDirectory.identifier) }
        for item in plan.returning {
            let (entry, seal) = try committer.loadEntry(item.entrySlot)
            guard item.nameHash == hash, move.target == nil, !plan.isBack else {
                try committer.deleteEntry(item.entrySlot, seal)
                continue
            }
            try committer.deleteEntry(move.source.slot, committer.loadEntry(move.source.slot).1)
            try committer.dropRegister(of: entry.identifier)
            (plan.entrySlot, plan.identifier, plan.isBack) = (item.entrySlot, entry.identifier, true)
        }
    }

    /// Inside the transaction: what the new name pointed at goes. Returns the moved file's record where
    /// it had to be written for that.
    private func replace(
        _ target: Dentry, _ old: Inode, with moved: Inode, _ move: Move, _ plan: inout RenamePlan,
        in committer: Committer
    ) throws(Errno) -> FileRecord? {
        let (oldEntry, _) = try committer.loadEntry(target.slot)
        // Files with other names are ones that other devices may know by those: they keep their lineages.
        let isSave = moved.isRegular && old.isRegular && !target.isLocal && moved.links == 1 && old.links == 1
        guard isSave, !isHeld(old.slot) else {
            plan.fate = try removeEntry(target, old, now: moved.changed, in: committer)
            return nil
        }
        // The save: the entry stays, and the file that it pointed at becomes a version.
        var (record, seal) = try committer.loadFile(moved.slot)
        record.take(moved, mounter: mounter)
        record.stamp = committer.nextStamp()
        record.successor = .none
        let (oldRecord, oldFileSeal) = try committer.loadFile(old.slot)
        if move.source.slot == plan.entrySlot {
            let (source, sourceSeal) = try committer.loadEntry(move.source.slot)
            if plan.leaves.from {
                try committer.noteRemoval(of: source, record)
                plan.kept = try keepLineage(
                    of: record, at: moved.slot, under: source, move.source.slot, sourceSeal, now: moved.changed,
                    in: committer)
            }
            if plan.kept == nil { try committer.deleteEntry(move.source.slot, sourceSeal) }
        }
        goOn(with: oldRecord, in: &record, moved, &plan, committer)
        (plan.entrySlot, plan.identifier, plan.keepsTarget) = (target.slot, oldEntry.identifier, true)
        plan.fate = .doomed
        if oldRecord.content.size > 0 || oldRecord.history != 0 || oldRecord.predecessor != 0 {
            let isOpen = !claim(old.identifier, in: committer)
            try supersede(
                oldRecord, slot: old.slot, seal: oldFileSeal, isOpen: isOpen, by: &record, in: committer)
        } else if claim(old.identifier, in: committer) {
            try eraseFile(old.slot, in: committer)
        }
        unsafe try committer.putFile(record, slot: moved.slot, previous: seal, content: .keep)
        return record
    }

    /// A save by renaming is an edit of the file that was there: the new one goes on with its lineage.
    private func goOn(
        with old: FileRecord, in record: inout FileRecord, _ moved: Inode, _ plan: inout RenamePlan,
        _ committer: Committer
    ) {
        record.lineage = old.lineage
        plan.lineage = old.lineage
        if !record.heads.isEmpty || !old.heads.isEmpty { committer.renewHeads(of: &record, replacing: old) }
        committer.operations.append(Operation(kind: .attributes, subject: record.identifier))
        committer.operations.append(
            Operation(kind: .content, subject: record.identifier, version: record.content.version))
    }

    private func writeMovedEntry(
        _ move: Move, _ moved: Inode, _ newName: RawSpan, _ plan: inout RenamePlan, in committer: Committer
    ) throws(Errno) {
        let isNew = plan.isBackup && !plan.keepsTarget
        let before = isNew ? nil : try committer.loadEntry(plan.entrySlot)
        if let (standing, seal) = before, plan.keepsTarget, plan.lineage != nil {
            // Nobody has asked for another place or lineage: whoever does that meanwhile is the last who has asked.
            var entry = standing
            entry.file = moved.identifier
            return try committer.putEntry(entry, slot: plan.entrySlot, previous: seal)
        }
        var entry = EntryRecord(
            identifier: plan.identifier, parent: move.newDirectory.identifier, file: moved.identifier,
            stamp: committer.nextStamp(), made: before?.0.made ?? committer.root.lamport, isLocal: plan.isLocal,
            name: newName.array)
        if let (old, _) = before, plan.leaves.from != plan.leaves.to, !plan.keepsTarget, !plan.isBack {
            // For other devices one goes, or another one comes.
            if plan.leaves.from {
                try committer.noteRemoval(
                    of: old, try committer.loadFile(moved.slot).0,
                    isLast: !hasOtherSharedName(moved, besides: move.source, committer))
            }
            plan.identifier = .fresh()
            (entry.identifier, entry.made) = (plan.identifier, committer.root.lamport)
        }
        try committer.putEntry(entry, slot: plan.entrySlot, previous: before?.1)
        // Whoever moves what was removed elsewhere, and is shown for what is in it, wants it.
        try committer.dropRegister(of: entry.identifier)
        if !plan.isLocal {
            committer.operations.append(Operation(kind: .entry, subject: plan.identifier, parent: entry.parent))
        }
    }
}

extension Tree {
    /// Does to the tree what a rename has done to the store.
    fileprivate mutating func apply(
        _ move: Vault.Move, _ newName: RawSpan, _ plan: Vault.RenamePlan
    ) {
        let changed = plan.moved.changed
        removeDentry(move.sourceIndex)
        if let old = move.targetNode {
            dropName(move.targetIndex, of: old, changed: changed)
            if plan.fate == .doomed { update(old) { $0.isDoomed = true } }
        }
        insertDentry(
            newName, in: move.newParent, node: move.node, identifier: plan.identifier, slot: plan.entrySlot,
            isLocal: plan.isLocal)
        if let lineage = plan.lineage { setLineage(of: move.node, to: lineage) }
        update(move.node) { $0.changed = changed }
        update(move.parent) { $0.take(plan.touched.old) }
        if move.parent != move.newParent { update(move.newParent) { $0.take(plan.touched.new) } }
    }
}
