internal import Format

/// Telling whether a snapshot and this replica, which has all that it covers, show the same.
///
/// By I7 they do. It rests on devices that never forget what they have said, and on removals that are forgotten when every
/// device has seen them. A database that was restored or cloned, or a remote that has lost something, breaks both: so what
/// follows of it is looked for where a snapshot is read anyway, and mended (``Merge/settle(_:)``).
extension Merge {
    /// What has to be remembered of a snapshot while its parts go by.
    struct Outline {
        var lineages: [Identifier: LineageRegister] = [:]
        var entries: Set<Identifier> = []

        init() {}

        init(_ snapshot: SnapshotIndex) {
            lineages = snapshot.lineages.mapValues(\.register)
            entries = snapshot.known
        }
    }

    /// Whether something in a part is shown otherwise here. Parts come in their order.
    func differs(_ registers: [SnapshotRegister], _ outline: inout Outline) throws(SyncError) -> Bool {
        var entries: [EntryRegister] = []
        for register in registers {
            switch register {
            case .lineage(let register, _): outline.lineages[register.attributes.lineage] = register
            case .entry(let register):
                outline.entries.insert(register.placement.entry)
                entries.append(register)
            }
        }
        for entry in entries where try difference(entry, outline) != nil { return true }
        return false
    }

    /// What the snapshot's writer has not, or has forgotten, and what is shown here although it knew all of it.
    func extra(_ outline: Outline) throws(SyncError) -> [EntryRegister] {
        var extra: [EntryRegister] = []
        try replica.forEachRegister { (register) throws(SyncError) in
            guard case .entry(let entry) = register, !outline.entries.contains(entry.placement.entry),
                try isVisible(entry)
            else { return }
            extra.append(entry)
        }
        var old: [EntryRegister] = []
        for entry in extra where try isCovered(entry) { old.append(entry) }
        return old
    }

    enum Difference {
        /// Here is nothing of it.
        case missing
        /// It is removed here, and not there.
        case removedHere
        /// It is removed there, and not here.
        case removedThere
        /// Another place, name or lineage.
        case elsewhere
        /// Another content, other copies, or other attributes.
        case otherwise
        /// It is removed, or has been moved, and copies beside it are shown on one side.
        case otherCopies
    }

    /// How an entry is shown otherwise here; nil where it is the same, or where there is something newer here.
    func difference(_ theirs: EntryRegister, _ outline: Outline) throws(SyncError) -> Difference? {
        guard !theirs.isUntouchedCopy else { return nil }
        guard let ours = try replica.entry(theirs.placement.entry) else {
            guard remembersRemovals else { return nil }
            return try isVisible(theirs) ? .missing : nil
        }
        guard try isCovered(ours) else {
            // It was moved or removed since; its copies may be what they were.
            let lineage = ours.placement.lineage
            guard try isCovered(lineage) else { return nil }
            return try showsSameCopies(lineage, outline) ? nil : .otherCopies
        }
        switch try (isVisible(ours), isVisible(theirs)) {
        case (true, true):
            if ours.placement != theirs.placement {
                // Of moves that make a circle a device that has the last one waits for what the others say.
                return try closesCircle(theirs) ? nil : .elsewhere
            }
            return try isSame(ours.placement.lineage, outline) ? nil : .otherwise
        case (true, false):
            // What the removal did not know may have been dealt with since: a later snapshot knows it.
            return theirs.removals.isEmpty || !seen.covers(applied) ? nil : .removedThere
        case (false, true): return ours.removals.isEmpty ? nil : .removedHere
        case (false, false): return try showsSameCopies(ours.placement.lineage, outline) ? nil : .otherCopies
        }
    }

    /// A removed directory may be shown for what is in it.
    private func isVisible(_ register: EntryRegister) throws(SyncError) -> Bool {
        guard register.isShown, !register.isUntouchedCopy else { return false }
        if register.removals.isEmpty { return true }
        return try replica.lineage(register.placement.lineage)?.isDirectory == false
    }

    /// Whether the snapshot's writer knew all that is known here of an entry.
    private func isCovered(_ ours: EntryRegister) throws(SyncError) -> Bool {
        let stamps = [ours.placement.stamp] + ours.removals.map(\.stamp)
        guard stamps.allSatisfy({ wasKnown($0) }) else { return false }
        return try isCovered(ours.placement.lineage)
    }

    private func isCovered(_ lineage: Identifier) throws(SyncError) -> Bool {
        guard let known = try replica.lineage(lineage) else { return true }
        return (known.heads + known.rivals + [known.attributes.stamp]).allSatisfy { wasKnown($0) }
    }

    private func wasKnown(_ stamp: Stamp) -> Bool { stamp.device == Identifier.none || seen.covers(stamp) }

    private func isSame(_ lineage: Identifier, _ outline: Outline) throws(SyncError) -> Bool {
        guard let ours = try replica.lineage(lineage), let theirs = outline.lineages[lineage] else { return true }
        if ours.attributes.stamp != theirs.attributes.stamp || ours.content.seal != theirs.content.seal { return false }
        return try showsSameCopies(lineage, outline)
    }

    private func showsSameCopies(_ lineage: Identifier, _ outline: Outline) throws(SyncError) -> Bool {
        guard let ours = try replica.lineage(lineage), let theirs = outline.lineages[lineage] else { return true }
        let (mine, others) = (Set(ours.rivals), Set(theirs.rivals))
        for rival in mine.subtracting(others + theirs.heads) where try isCopyShown(lineage, rival) { return false }
        // A copy that is not known here is shown there, unless somebody has dealt with it.
        for rival in others.subtracting(mine.union(ours.heads)) {
            let copy = Copy(of: lineage, rival)
            guard try replica.entry(copy.entry) == nil, outline.lineages[copy.lineage] != nil else { continue }
            return false
        }
        return true
    }

    func isCopyShown(_ lineage: Identifier, _ rival: Stamp) throws(SyncError) -> Bool {
        guard let copy = try replica.entry(Copy(of: lineage, rival).entry) else { return false }
        return copy.isUntouchedCopy && copy.isShown
    }
}
