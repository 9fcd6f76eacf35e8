internal import Format

/// Mending what a snapshot shows otherwise (``Merge/difference(_:_:)``): both sides' entries stay, and both sides' contents.
/// What stays is said again with new stamps, so that all devices come to it whatever they had.
extension Merge {
    mutating func settle(_ registers: [SnapshotRegister]) throws(SyncError) {
        let snapshot = SnapshotIndex(registers)
        let outline = Outline(snapshot)
        for theirs in snapshot.entries {
            guard let difference = try difference(theirs, outline) else { continue }
            conflicts.append(.settled(entry: theirs.placement.entry))
            try settle(theirs, difference, snapshot)
        }
        for ours in try extra(outline) {
            conflicts.append(.settled(entry: ours.placement.entry))
            try sayAgain(ours, snapshot)
        }
        try sweepAll()
        try moveCopies()
    }

    private mutating func settle(
        _ theirs: EntryRegister, _ difference: Difference, _ snapshot: SnapshotIndex
    ) throws(SyncError) {
        let lineage = theirs.placement.lineage
        switch difference {
        case .missing:
            try adopt(lineage, snapshot)
            try place(hidden(theirs))
        case .removedHere:
            guard var ours = try replica.entry(theirs.placement.entry) else { return }
            if theirs.isLater(than: ours) { ours.takePlacement(of: theirs) }
            ours.removals = []
            try adopt(lineage, snapshot)
            try place(ours)
        case .elsewhere:
            guard var ours = try replica.entry(theirs.placement.entry),
                theirs.isLater(than: ours)
            else { break }
            ours.takePlacement(of: theirs)
            try adopt(lineage, snapshot)
            try place(ours)
        case .otherCopies: return try keepCopies(lineage, snapshot)
        case .removedThere, .otherwise: break
        }
        guard let ours = try replica.entry(theirs.placement.entry), ours.isShown else { return }
        try sayAgain(ours, snapshot)
    }

    /// Says an entry again, with its content and all that competes with it on either side.
    private mutating func sayAgain(_ entry: EntryRegister, _ snapshot: SnapshotIndex) throws(SyncError) {
        var entry = entry
        try makeOwn(&entry)
        try show(entry)
        let lineage = entry.placement.lineage
        try keepCopies(lineage, snapshot)
        try keepContent(lineage, snapshot)
        guard let known = try replica.lineage(lineage) else { return }
        var attributes = known.attributes
        if let theirs = snapshot.lineages[lineage]?.register.attributes, theirs.stamp > attributes.stamp,
            (theirs.mode ^ attributes.mode) & 0o170000 == 0
        {
            attributes = theirs
        }
        attributes.stamp = replica.nextStamp()
        try replica.put(attributes)
        if var content = try replica.content(of: lineage) {
            let theirs = snapshot.lineages[lineage]?.register.heads ?? []
            content.replaces = Array(Set(content.replaces + known.heads + theirs).sorted().suffix(Limits.stamps))
            content.stamp = replica.nextStamp()
            try replica.put(content, heads: [content.stamp], rivals: known.rivals.filter { !theirs.contains($0) })
        }
        try replica.noteOwn(.lineage(lineage))
    }

    /// Copies that one side shows and the other does not become entries of their own.
    private mutating func keepCopies(_ lineage: Identifier, _ snapshot: SnapshotIndex) throws(SyncError) {
        guard let ours = try replica.lineage(lineage), ours.isRegular,
            let theirs = snapshot.lineages[lineage]?.register
        else { return }
        for rival in ours.rivals where !theirs.rivals.contains(rival) { try keepCopy(of: lineage, rival) }
        let live = ours.heads + ours.rivals
        for rival in theirs.rivals where !live.contains(rival) {
            guard let content = snapshot.content(lineage, as: rival) else { continue }
            try showCopy(of: content, as: [rival])
            try keepCopy(of: lineage, rival)
        }
    }

    /// So does the other side's content, where it is another one.
    private mutating func keepContent(_ lineage: Identifier, _ snapshot: SnapshotIndex) throws(SyncError) {
        guard let mine = try replica.content(of: lineage), let (theirs, content) = snapshot.lineages[lineage],
            var content, let stamp = theirs.heads.max(), try !hasSameBytes(mine, content),
            try replica.lineage(lineage)?.rivals.contains(stamp) != true
        else { return }
        content.lineage = lineage
        try showCopy(of: content, as: [stamp])
        try keepCopy(of: lineage, stamp)
    }
}
