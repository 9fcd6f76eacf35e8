public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// Attributes and heads of lineages as other devices have them.
extension ReplicationTransaction {
    /// Sets attributes; makes the lineage where it is not known.
    ///
    /// - Throws: EINVAL for another type than the lineage has.
    public func put(_ attributes: AttributesChange) throws(Errno) {
        guard attributes.lineage != .none, attributes.isWithinLimits else { throw .invalidArgument }
        guard let file = try file(of: attributes.lineage) else { return try make(attributes) }
        var (record, seal) = try committer.loadFile(file.slot)
        guard record.mode & FileType.mask == attributes.mode & FileType.mask else { throw .invalidArgument }
        tracing?.note(AttributesChange(record))
        record.take(attributes)
        unsafe try committer.putFile(record, slot: file.slot, previous: seal, content: .keep)
        overlay.add(
            .attributes(
                Inode(record, slot: file.slot, mounter: vault.mounter), hasAttributes: !record.attributes.isEmpty))
    }

    private func make(_ attributes: AttributesChange) throws(Errno) {
        let types = [
            FileType.socket, FileType.symbolicLink, FileType.regular, FileType.block, FileType.directory,
            FileType.character, FileType.fifo,
        ]
        guard types.contains(attributes.mode & FileType.mask) else { throw .invalidArgument }
        // Directories are known by their identifier. A file may have it still that another one took the place of.
        let isDirectory = attributes.mode & FileType.mask == FileType.directory
        let isTaken = try isInUse(attributes.lineage)
        guard !isDirectory || !isTaken else { throw .invalidArgument }
        var record = FileRecord(
            identifier: isTaken ? .fresh() : attributes.lineage, inode: committer.root.nextInode, mode: attributes.mode,
            stamp: attributes.stamp, time: attributes.changed)
        committer.root.nextInode += 1
        record.lineage = attributes.lineage
        record.take(attributes)
        let slot = committer.freshSlot()
        unsafe try committer.putFile(record, slot: slot, previous: nil, content: .none)
        overlay.set(ReplicationOverlay.File(slot: slot, identifier: record.identifier), of: attributes.lineage)
        overlay.made.insert(attributes.lineage)
        overlay.loose.insert(attributes.lineage)
        overlay.add(
            .file(Inode(record, slot: slot, mounter: vault.mounter), lineage: attributes.lineage))
    }

    private func isInUse(_ identifier: Identifier) throws(Errno) -> Bool {
        if vault.tree.withLock({ $0.node(of: identifier) }) != nil { return true }
        return vault.trash.withLock { $0.item(file: identifier) } != nil || overlay.lineages[identifier] != nil
    }

    /// The content stays; what it competes with changes.
    public func setHeads(_ heads: [Stamp], rivals: [Stamp], of lineage: Identifier) throws(Errno) {
        guard heads.count <= Limits.stamps, rivals.count <= Limits.stamps, let file = try file(of: lineage) else {
            throw .invalidArgument
        }
        var (record, seal) = try committer.loadFile(file.slot)
        noteBefore(content: record)
        if record.heads != heads {
            record.heads = heads
            unsafe try committer.putFile(record, slot: file.slot, previous: seal, content: .keep)
        }
        try committer.setRivals(rivals, of: lineage, isContested: heads.count > 1)
    }

    /// The content stays; it was saved at another time.
    public func setSaved(_ time: Timestamp, of lineage: Identifier) throws(Errno) {
        guard let file = try file(of: lineage) else { throw .invalidArgument }
        var (record, seal) = try committer.loadFile(file.slot)
        guard (record.saved ?? record.modified) != time else { return }
        record.saved = time == record.modified ? nil : time
        unsafe try committer.putFile(record, slot: file.slot, previous: seal, content: .keep)
    }
}

extension FileRecord {
    mutating func take(_ change: AttributesChange) {
        (stamp, mode, owner, group) = (change.stamp, change.mode, change.owner, change.group)
        (ownedByMounter, groupOfMounter, device) = (change.ownedByMounter, change.groupOfMounter, change.device)
        (accessed, changed) = (change.accessed, change.changed)
        setModified(change.modified)
        attributes = change.attributes
    }
}

extension AttributesChange {
    /// What the format can hold.
    fileprivate var isWithinLimits: Bool {
        var total = 0
        for attribute in attributes {
            total += attribute.name.count + attribute.value.count
            guard attribute.name.count <= 255, total <= Limits.extendedAttributes else { return false }
        }
        return attributes.count <= Int(UInt16.max)
            && [accessed, modified, changed].allSatisfy { $0.nanoseconds < 1_000_000_000 }
    }
}
