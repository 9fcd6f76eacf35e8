internal import Format
internal import Synchronization
public import SystemPackage

/// What synchronisation has changed and the kernel may remember otherwise.
public enum ReplicationEffect: Sendable, Equatable {
    /// A name came, or leads to another file.
    case name([UInt8], in: Node)
    /// A name of a file is gone.
    case removed([UInt8], in: Node, node: Node)
    /// The attributes of a file or directory, and what is in it.
    case attributes(Node)
}

/// Not the lock's own value: see ``WaitNotice``.
struct ReplicationListener {
    var call: (@Sendable ([ReplicationEffect]) -> Void)?
}

extension Vault {
    /// Calls `handler` after each transaction of synchronisation that has changed the tree, on the thread that ran it,
    /// which holds no lock then.
    public func onReplicated(_ handler: @escaping @Sendable ([ReplicationEffect]) -> Void) {
        replicated.withLock { $0.call = handler }
    }

    /// Runs `body` as one operation of synchronisation: all of it is kept or nothing, and nobody else changes the vault
    /// meanwhile. With the first one, the vault begins to keep for segments what programs do.
    ///
    /// What programs have written so far is committed before: it is older than what comes.
    ///
    /// - Parameter translating: an errno of the store in the terms of the caller.
    public func replicate<R, E: Error>(
        translating: (Errno) -> E, _ body: (ReplicationTransaction) throws(E) -> R
    ) throws(E) -> R {
        if isReadOnly { throw translating(.readOnlyFileSystem) }
        for content in contents.withLock({ Array($0.values) }) {
            // Where that fails, putting another content in its place will be refused.
            content.withLock { state in _ = try? commit(&state) }
        }
        var failure: E?
        let outcome: (result: R, effects: [ReplicationEffect], unnamed: [Node])
        do throws(Errno) {
            outcome = try committer.withLock { (committer) throws(Errno) in
                try replicate(committer) { (transaction) throws(Errno) in
                    do throws(E) { return try body(transaction) } catch {
                        failure = error
                        throw .canceled
                    }
                }
            }
        } catch {
            throw failure ?? translating(error)
        }
        for node in outcome.unnamed { reapIfUnused(node) }
        if !outcome.effects.isEmpty { replicated.withLock { $0 }.call?(outcome.effects) }
        return outcome.result
    }

    private func replicate<R>(
        _ committer: Committer, _ body: (ReplicationTransaction) throws(Errno) -> R
    ) throws(Errno) -> (R, [ReplicationEffect], [Node]) {
        tree.withLock { $0.indexEntries() }
        committer.claims.removeAll(keepingCapacity: true)
        do throws(Errno) {
            let (result, overlay) = try committer.transactionNow { () throws(Errno) in
                if !committer.root.isReplicated {
                    (committer.root.isReplicated, committer.root.isIncomplete) = (true, true)
                }
                let transaction = ReplicationTransaction(self, committer)
                let result = try body(transaction)
                try transaction.finish()
                return (result, transaction.overlay)
            }
            deviceNow.withLock { $0 = committer.root.device }
            let (effects, unnamed) = apply(overlay)
            return (result, effects, unnamed)
        } catch {
            // It may have counted what is undone now.
            committer.scan = nil
            tree.withLock { tree in
                for node in committer.claims { tree.update(node) { $0.isErased = false } }
            }
            throw error
        }
    }

    /// Does to tree and trash what is in the store now.
    private func apply(_ overlay: ReplicationOverlay) -> ([ReplicationEffect], [Node]) {
        guard !overlay.steps.isEmpty else { return ([], []) }
        let outcome = tree.withLock { tree in
            var outcome = ReplicationOutcome()
            for step in overlay.steps { tree.apply(step, &outcome) }
            outcome.lost.removeAll { tree.inode(at: UInt32(truncatingIfNeeded: $0.node.index)).links > 0 }
            return outcome
        }
        displaced.withLock { displaced in
            for (_, file, name) in outcome.lost { displaced.add(file, name) }
        }
        trash.withLock { trash in
            for step in overlay.steps {
                switch step {
                case .takeFromTrash(let slot): trash.take(entrySlot: slot)
                case .trash(let item): trash.add(item)
                default: break
                }
            }
        }
        return (outcome.effects, outcome.unnamed)
    }
}

extension ReplicationTransaction {
    /// Before the rows are kept: directories get their times, and what has no name left goes.
    func finish() throws(Errno) {
        let now = Timestamp.now()
        for directory in overlay.children.keys {
            guard let file = try file(of: directory) else { continue }
            var (record, seal) = try committer.loadFile(file.slot)
            (record.modified, record.changed) = (now, now)
            unsafe try committer.putFile(record, slot: file.slot, previous: seal, content: .keep)
            overlay.add(
                .attributes(
                    Inode(record, slot: file.slot, mounter: vault.mounter),
                    hasAttributes: !record.attributes.isEmpty))
        }
        for lineage in overlay.loose where names(of: lineage).isEmpty {
            if let file = try file(of: lineage) { try discard(file, lineage, now: now.seconds) }
        }
        try writeTraces()
    }

    /// The entry of a file that came removed.
    private func kept(_ lineage: Identifier, _ record: FileRecord) throws(Errno) -> (EntryRecord, slot: Int64)? {
        guard let entry = committer.sync.entries[lineage]?.first,
            let placement = try committer.keptRegister(of: entry)?.placement
        else { return nil }
        return (
            EntryRecord(
                identifier: entry, parent: placement.parent, file: record.identifier, stamp: placement.stamp,
                name: placement.name), committer.freshSlot()
        )
    }

    /// What was removed waits in the trash; what never had a content or a name is erased.
    private func discard(_ file: ReplicationOverlay.File, _ lineage: Identifier, now: Int64) throws(Errno) {
        let record = try committer.loadFile(file.slot).0
        let isDirectory = record.mode & FileType.mask == FileType.directory
        guard !isDirectory || children(of: lineage).isEmpty else { throw .directoryNotEmpty }
        // What other devices know may be edited or moved there: it has to be there to come back.
        let isKnown = committer.sync.entries[lineage]?.isEmpty == false
        let isWorth =
            isDirectory || isKnown || !record.heads.isEmpty || record.history != 0 || record.predecessor != 0
        var known = overlay.lost[lineage]
        if known == nil { known = try kept(lineage, record) }
        guard isWorth, let (lost, slot) = known else { return try erase(file, lineage) }
        var entry = lost
        // The entry may have gone on with another file.
        if placed(entry.identifier) != nil { (entry.identifier, entry.made) = (.fresh(), 0) }
        if entry.removed == 0 { entry.removed = max(1, now) }
        entry.file = file.identifier
        entry.isRemovedElsewhere = true
        try committer.putEntry(entry, slot: slot, previous: nil)
        let hash = vault.tree.withLock { unsafe $0.nameHash(entry.name.span.bytes, in: entry.parent) }
        overlay.add(
            .trash(
                Trash.Item(
                    entry: entry.identifier, entrySlot: slot, file: file.identifier, lineage: lineage,
                    fileSlot: file.slot, removed: entry.removed, nameHash: hash, isOthers: true)))
    }
}
