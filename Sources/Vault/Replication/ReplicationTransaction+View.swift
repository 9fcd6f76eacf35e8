public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// Registers as the running transaction has left them.
extension ReplicationTransaction {
    /// nil for an entry that was never heard of, or whose removal is forgotten.
    public func entry(_ entry: Identifier) throws(Errno) -> EntryRegister? {
        let kept = try committer.keptRegister(of: entry)
        guard let placed = placed(entry), placed.slot != 0, leaves(entry) else { return kept }
        let record = try committer.loadEntry(placed.slot).0
        let placement = EntryChange(
            entry: entry, parent: placed.parent, lineage: placed.lineage, stamp: record.stamp, name: placed.name)
        var register = EntryRegister(placement: placement, removals: kept?.removals ?? [], isShown: true)
        register.settles = record.settles
        return register
    }

    /// Lineages with rivals, or with several heads; some that had these once.
    public func contested() -> [(lineage: Identifier, rivals: [Stamp])] {
        committer.sync.rivals.values.map { ($0.key, $0.value.stamps) }
    }

    /// The shown entry of that name.
    public func entry(in parent: Identifier, named name: [UInt8]) -> Identifier? {
        if let known = overlay.names[ReplicationOverlay.Name(parent: parent, name: name)] { return known }
        return vault.tree.withLock { tree in
            guard let node = tree.node(of: parent), tree.inode(at: UInt32(truncatingIfNeeded: node.index)).isDirectory,
                let index = unsafe tree.find(name.span.bytes, in: node)
            else { return nil }
            return tree.dentry(at: index).identifier
        }
    }

    /// The shown entries in a directory, without those that never leave this device.
    public func children(of lineage: Identifier) -> [Identifier] { children(of: lineage) { !$0.isLocal } }

    /// The entries of a lineage, shown or not, without those that never leave this device.
    public func entries(of lineage: Identifier) -> [Identifier] {
        let shown = names(of: lineage) { !$0.isLocal }.filter(leaves)
        let kept = committer.sync.entries[lineage] ?? []
        return shown + kept.filter { !shown.contains($0) }
    }

    public func lineage(_ lineage: Identifier) throws(Errno) -> LineageRegister? {
        guard let file = try file(of: lineage) else { return nil }
        let record = try committer.loadFile(file.slot).0
        return LineageRegister(
            attributes: AttributesChange(record), heads: record.heads,
            rivals: committer.sync.rivals[lineage]?.stamps ?? [], content: record.content)
    }

    /// Whether there are entries of which removals are remembered.
    public var hasRegisters: Bool { !committer.sync.registers.values.isEmpty }

    /// Entries of which there are removals, and that are shown.
    public func removedButShown() -> [Identifier] { committer.sync.shown.values.keys.sorted() }

    /// Entries that are not shown, as long as their registers are kept.
    public func removed() -> [Identifier] {
        committer.sync.registers.values.filter { !$0.value.isShown }.keys.sorted()
    }

    // MARK: Where things are

    /// Not one of the names that never leave this device.
    func leaves(_ entry: Identifier) -> Bool {
        // What this transaction has placed came from elsewhere.
        guard overlay.entries[entry] == nil else { return true }
        return vault.tree.withLock { tree in
            guard let index = tree.dentry(of: entry) else { return true }
            let dentry = tree.dentry(at: index)
            return !dentry.isLocal && !tree.isLocal(Node(index: Int(dentry.parent)))
        }
    }

    func children(of lineage: Identifier, where isWanted: (Dentry) -> Bool) -> [Identifier] {
        let known = vault.tree.withLock { tree -> [Identifier] in
            guard let node = tree.node(of: lineage), let directory = try? tree.directory(node) else { return [] }
            return directory.children.compactMap { child in
                guard child.dentry != 0 else { return nil }
                let dentry = tree.dentry(at: child.dentry)
                return isWanted(dentry) ? dentry.identifier : nil
            }
        }
        return overlay.children[lineage]?.applied(to: known) ?? known
    }

    func names(of lineage: Identifier, where isWanted: (Dentry) -> Bool = { _ in true }) -> [Identifier] {
        let known = vault.tree.withLock { tree -> [Identifier] in
            guard let node = tree.node(ofLineage: lineage) else { return [] }
            return tree.names(of: node).map { tree.dentry(at: $0) }.filter(isWanted).map(\.identifier)
        }
        return overlay.links[lineage]?.applied(to: known) ?? known
    }

    /// Where an entry is shown.
    func placed(_ entry: Identifier) -> ReplicationOverlay.Placed? {
        if let known = overlay.entries[entry] { return known }
        return vault.tree.withLock { tree in
            guard let index = tree.dentry(of: entry) else { return nil }
            let dentry = tree.dentry(at: index)
            return ReplicationOverlay.Placed(
                slot: dentry.slot, parent: tree.inode(at: dentry.parent).identifier, name: tree.name(of: index),
                lineage: tree.lineage(of: Node(index: Int(dentry.node))))
        }
    }

    /// The file of a lineage: one that has a name, or that waits in the trash.
    func file(of lineage: Identifier) throws(Errno) -> ReplicationOverlay.File? {
        if let known = overlay.files[lineage] { return known }
        let found = vault.tree.withLock { tree -> ReplicationOverlay.File? in
            guard let node = tree.node(ofLineage: lineage) else { return nil }
            let inode = tree.inode(at: UInt32(truncatingIfNeeded: node.index))
            return ReplicationOverlay.File(slot: inode.slot, identifier: inode.identifier)
        }
        if let found { return found.slot == 0 ? nil : found }
        guard let item = vault.trash.withLock({ $0.item(lineage: lineage) }),
            try committer.has(.file, slot: item.fileSlot)
        else { return nil }
        return ReplicationOverlay.File(slot: item.fileSlot, identifier: item.file)
    }

    /// Whether a directory is shown.
    func isShownDirectory(_ lineage: Identifier) throws(Errno) -> Bool {
        guard let file = try file(of: lineage) else { return false }
        guard lineage == vault.identifier || !names(of: lineage).isEmpty else { return false }
        return try committer.loadFile(file.slot).0.mode & FileType.mask == FileType.directory
    }
}

extension AttributesChange {
    init(_ record: FileRecord) {
        self.init(
            lineage: record.lineage, stamp: record.stamp, mode: record.mode, owner: record.owner, group: record.group,
            ownedByMounter: record.ownedByMounter, groupOfMounter: record.groupOfMounter, device: record.device,
            accessed: record.accessed, modified: record.modified, changed: record.changed,
            attributes: record.attributes)
    }
}
