public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// Entries as other devices have them.
extension ReplicationTransaction {
    /// Makes an entry, moves it, points it at another lineage, or hides it; what loses its last name by that goes the
    /// way of a removed file.
    ///
    /// - Throws: EINVAL where an entry is to be shown whose directory is not, whose lineage is not known, whose name is
    ///   not free or is a ``ReservedName``, or that would close a ring.
    public func put(_ register: EntryRegister) throws(Errno) {
        let placement = register.placement
        try check(register)
        try noteBefore(entry: placement.entry)
        if register.isShown {
            try show(register)
        } else if let shown = placed(placement.entry) {
            // What is in a directory keeps it, as a removal of it would have had to wait.
            guard children(of: shown.lineage).isEmpty else { return try keepShown(register, shown) }
            try hide(placement.entry, shown)
        }
        if register.isShown, register.removals.isEmpty {
            try committer.dropRegister(of: placement.entry)
        } else {
            try committer.keepRegister(register)
        }
    }

    private func keepShown(_ register: EntryRegister, _ shown: ReplicationOverlay.Placed) throws(Errno) {
        var register = register
        (register.placement.parent, register.placement.name, register.isShown) = (shown.parent, shown.name, true)
        try committer.keepRegister(register)
    }

    private func check(_ register: EntryRegister) throws(Errno) {
        let placement = register.placement
        guard placement.entry != .none, placement.lineage != .none, placement.lineage != vault.identifier,
            (1...Limits.nameLength).contains(placement.name.count),
            placement.name.allSatisfy({ $0 != 0 && $0 != 0x2F }), placement.name != [0x2E],
            placement.name != [0x2E, 0x2E], register.removals.count <= Limits.stamps,
            register.removals.allSatisfy({ $0.entry == placement.entry && $0.saw.count <= Limits.stamps }),
            !register.isShown
                || !ReservedName.contains(placement.name, in: placement.parent, top: vault.identifier)
        else { throw .invalidArgument }
    }

    private func show(_ register: EntryRegister) throws(Errno) {
        let placement = register.placement
        guard try isShownDirectory(placement.parent) else { throw .invalidArgument }
        let taken = entry(in: placement.parent, named: placement.name)
        guard taken == nil || taken == placement.entry else { throw .invalidArgument }
        try adopt(vault.trash.withLock { $0.item(entry: placement.entry) })
        let file = try self.file(bringingBack: placement.lineage)
        let isDirectory = try committer.loadFile(file.slot).0.mode & FileType.mask == FileType.directory
        if isDirectory {
            try checkDirectory(placement)
            try takeFromOthers(placement)
        }
        let before = placed(placement.entry)
        var record = EntryRecord(
            identifier: placement.entry, parent: placement.parent, file: file.identifier, stamp: placement.stamp,
            name: placement.name)
        record.settlement = register.settles.map { EntryRecord.Settlement(stamp: placement.stamp, replaced: $0) }
        var previous: Seal?
        if let before {
            guard before.slot != 0 else { throw .invalidArgument }
            let (old, seal) = try committer.loadEntry(before.slot)
            (record.made, previous) = (old.made, seal)
            if before.lineage != placement.lineage { noteLoss(of: before.lineage, old) }
            overlay.hide(placement.entry, before)
        }
        let shown = ReplicationOverlay.Placed(
            slot: before?.slot ?? committer.freshSlot(), parent: placement.parent, name: placement.name,
            lineage: placement.lineage)
        try committer.putEntry(record, slot: shown.slot, previous: previous)
        overlay.show(placement.entry, shown)
        overlay.add(.place(entry: placement.entry, shown, file: file.identifier, isDirectory: isDirectory))
    }

    /// The entry goes on with another lineage; should this one be left without a name, it is kept in the trash under
    /// an entry of its own.
    private func noteLoss(of lineage: Identifier, _ entry: EntryRecord) {
        var left = entry
        (left.identifier, left.made) = (.fresh(), 0)
        overlay.lost[lineage] = (left, slot: committer.freshSlot())
    }

    /// A directory has one name: entries that have changed places lead to it one after the other.
    private func takeFromOthers(_ placement: EntryChange) throws(Errno) {
        for other in names(of: placement.lineage) where other != placement.entry {
            guard var register = try entry(other), let placed = placed(other) else { throw .invalidArgument }
            if placed.slot != 0 {
                let (record, seal) = try committer.loadEntry(placed.slot)
                try committer.deleteEntry(placed.slot, seal)
                overlay.lost[placed.lineage] = (record, slot: placed.slot)
            }
            overlay.hide(other, placed)
            overlay.add(.hide(entry: other))
            register.isShown = false
            try committer.keepRegister(register)
        }
    }

    /// A directory is not in itself.
    private func checkDirectory(_ placement: EntryChange) throws(Errno) {
        var walk = placement.parent
        var steps = 0
        while walk != vault.identifier {
            guard walk != placement.lineage, steps < 100_000, let name = names(of: walk).first,
                let above = placed(name)
            else { throw .invalidArgument }
            walk = above.parent
            steps += 1
        }
    }

    /// Takes an entry away. Its row is deleted now, and written again into the trash at the end, where its file has lost
    /// the last name and is worth it.
    private func hide(_ entry: Identifier, _ shown: ReplicationOverlay.Placed) throws(Errno) {
        for child in children(of: shown.lineage, where: { _ in true }) {
            guard let placed = placed(child) else { continue }
            // Editors' files go with their directory; anything else stands in the way.
            guard isLocal(child, placed) else { throw .directoryNotEmpty }
            try hide(child, placed)
        }
        if shown.slot != 0 {
            let (record, seal) = try committer.loadEntry(shown.slot)
            try committer.deleteEntry(shown.slot, seal)
            if !record.isLocal { overlay.lost[shown.lineage] = (record, slot: shown.slot) }
        }
        overlay.hide(entry, shown)
        overlay.add(.hide(entry: entry))
    }

    private func isLocal(_ entry: Identifier, _ placed: ReplicationOverlay.Placed) -> Bool {
        vault.tree.withLock { tree in
            guard let index = tree.dentry(of: entry) else { return false }
            let dentry = tree.dentry(at: index)
            return dentry.isLocal || tree.isLocal(Node(index: Int(dentry.parent)))
        }
    }

    /// The file of a lineage, out of the trash where it is there.
    func file(bringingBack lineage: Identifier) throws(Errno) -> ReplicationOverlay.File {
        if names(of: lineage).isEmpty { try adopt(vault.trash.withLock { $0.item(lineage: lineage) }) }
        guard let file = try file(of: lineage) else { throw .invalidArgument }
        return file
    }

    /// Takes something out of the trash: it is without a name until it is shown, or goes back at the end.
    private func adopt(_ item: Trash.Item?) throws(Errno) {
        guard let item, !overlay.adopted.contains(item.entrySlot), try committer.has(.entry, slot: item.entrySlot)
        else { return }
        let (entry, seal) = try committer.loadEntry(item.entrySlot)
        let file = try committer.loadFile(item.fileSlot).0
        try committer.deleteEntry(item.entrySlot, seal)
        overlay.adopt(item)
        guard names(of: file.lineage).isEmpty, overlay.files[file.lineage] == nil else { return }
        overlay.set(ReplicationOverlay.File(slot: item.fileSlot, identifier: item.file), of: file.lineage)
        overlay.lost[file.lineage] = (entry, slot: item.entrySlot)
        overlay.loose.insert(file.lineage)
        overlay.add(
            .file(Inode(file, slot: item.fileSlot, mounter: vault.mounter), lineage: file.lineage))
    }

    /// Forgets a copy that was shown for a rival and that nobody has touched: entry, lineage and all.
    public func withdraw(_ entry: Identifier) throws(Errno) {
        guard let register = try self.entry(entry) else { return }
        try noteBefore(entry: entry)
        let lineage = register.placement.lineage
        if let shown = placed(entry) {
            if shown.slot != 0 { try committer.deleteEntry(shown.slot, committer.loadEntry(shown.slot).1) }
            overlay.hide(entry, shown)
            overlay.add(.hide(entry: entry))
        }
        try committer.dropRegister(of: entry)
        guard names(of: lineage).isEmpty, let file = try file(of: lineage) else { return }
        try erase(file, lineage)
    }

    /// Erases a file without a name, unless the trash has it; its row goes with the last who has it open.
    func erase(_ file: ReplicationOverlay.File, _ lineage: Identifier) throws(Errno) {
        guard !isHeld(file) else { return overlay.lost[lineage] = nil }
        let isFree = isFree(file.identifier)
        overlay.add(.doom(file.identifier))
        if isFree { try vault.eraseFile(file.slot, in: committer) }
        overlay.lost[lineage] = nil
        overlay.set(nil, of: lineage)
        try committer.setRivals([], of: lineage)
    }

    /// Whether a removed entry has the file.
    func isHeld(_ file: ReplicationOverlay.File) -> Bool {
        vault.trash.withLock { $0.count(ofFile: file.slot) } > overlay.adopted(ofFile: file.slot)
    }

    /// Forgets the register of an entry that is not shown.
    public func forget(_ entry: Identifier) throws(Errno) {
        guard committer.sync.registers[entry]?.isShown == false else { return }
        try committer.dropRegister(of: entry)
    }
}
