internal import Format

/// Removals, and edits that they had not seen.
extension Merge {
    /// An edit that a removal did not see brings the entry back.
    mutating func revive(_ entry: Identifier, by change: ContentChange) throws(SyncError) {
        // What is told once more is no edit.
        guard !applied.covers(change.stamp), var register = try replica.entry(entry), !register.removals.isEmpty else {
            return
        }
        let before = register.removals.count
        register.removals.removeAll { !knows($0.stamp) && !$0.saw.contains(change.stamp) }
        guard register.removals.count != before else { return }
        guard register.removals.isEmpty else { return try show(register) }
        if !register.isShown { conflicts.append(.revived(entry: entry)) }
        try place(register)
    }

    mutating func apply(_ change: RemovalChange) throws(SyncError) {
        guard var register = try replica.entry(change.entry),
            !register.removals.contains(where: { $0.stamp == change.stamp })
        else { return }
        let lineage = register.placement.lineage
        try tellWhole(lineage)
        guard knows(register.asked), try hasSeenContents(change, of: lineage, beside: register.removals) else { return }
        // A merge has put it elsewhere, which is no reason to keep what somebody has removed. Who has only a snapshot of that
        // does not know it, and is told.
        if !knows(register.placement.stamp), register.placement.stamp.device == own { try removeOwn(&register) }
        register.removals.append(change)
        try hide(register)
    }

    /// Whether the author of a removal knew all versions of what it removes.
    ///
    /// - Parameter others: removals of the same entry: what one has not seen another one may have.
    func hasSeenContents(
        _ removal: RemovalChange, of lineage: Identifier, beside others: [RemovalChange] = []
    ) throws(SyncError) -> Bool {
        let saw = Set(removal.saw + others.flatMap(\.saw))
        return try versions(of: lineage).allSatisfy { saw.contains($0) || knows($0) }
    }

    /// Whoever has removed a name, or has it lead elsewhere, may have nothing left of the file: where it has another one,
    /// which this device has given it meanwhile, the others are told all of it.
    func tellWhole(_ lineage: Identifier) throws(SyncError) {
        for entry in try replica.entries(of: lineage) {
            guard let register = try replica.entry(entry), register.isShown, register.placement.stamp.device == own,
                !knows(register.asked)
            else { continue }
            return try replica.noteOwn(.whole(lineage))
        }
    }

    /// The versions of a lineage that nothing has replaced.
    func versions(of lineage: Identifier) throws(SyncError) -> [Stamp] {
        let known = try replica.lineage(lineage)
        return (known?.heads ?? []) + (known?.rivals ?? [])
    }

    /// Takes a removed entry out of the tree; a directory with something in it stays.
    mutating func hide(_ register: EntryRegister) throws(SyncError) {
        var register = register
        let wasShown = register.isShown
        let isEmpty = try replica.children(of: register.placement.lineage).isEmpty
        register.isShown = wasShown && !isEmpty
        try show(register)
        if wasShown, !register.isShown, !isMakingRoom { try sweep(register.placement.parent) }
    }

    /// A removed directory goes with the last entry in it.
    mutating func sweep(_ directory: Identifier) throws(SyncError) {
        for entry in try replica.entries(of: directory) {
            if let register = try replica.entry(entry), register.isShown, !register.removals.isEmpty {
                try hide(register)
            }
        }
    }

    /// An entry leads to another file now, and who has done that did not know what was saved in the one before: that stays,
    /// beside it.
    mutating func keepApart(
        _ unknown: Stamp?, of old: EntryChange, beside register: EntryRegister
    ) throws(SyncError) {
        let lineage = old.lineage
        guard let unknown, lineage != register.placement.lineage, try !isNamed(lineage), try arrive(lineage),
            try replica.lineage(lineage)?.isRegular == true, let content = try replica.content(of: lineage)
        else { return }
        let kept = Identifier(hashing: Array("kept".utf8) + old.entry.bytes + lineage.bytes)
        guard try replica.entry(kept) == nil else { return }
        var placement = old
        (placement.entry, placement.parent) = (kept, register.placement.parent)
        placement.name = naming.name(old.name, copy: kept, by: unknown.device, saved: content.modified)
        var apart = EntryRegister(placement: placement, isShown: false)
        try makeOwn(&apart)
        try place(apart)
        // Whoever has given it up may have nothing left of it.
        try replica.noteOwn(.whole(lineage))
        conflicts.append(.copied(entry: old.entry, copy: kept))
    }

    /// Whether a file has a name that nobody has removed, nor removes in the segment at hand.
    private func isNamed(_ lineage: Identifier) throws(SyncError) -> Bool {
        for entry in try replica.entries(of: lineage) where removals[entry] == nil {
            if try replica.entry(entry)?.removals.isEmpty == true { return true }
        }
        return false
    }
}
