internal import Format

/// Putting the registers of a snapshot together with those of a replica that has some: for a device that cannot read the
/// segments in between any more.
///
/// ``seen`` is what the snapshot covers, ``applied`` what the replica has. A version or a removal that one side has and the
/// other one has not was either replaced there, where it is covered, or is news (Almeida et al. 2007, "Version stamps",
/// and the join of causal registers in Shapiro et al. 2011).
extension Merge {
    mutating func adopt(_ registers: [SnapshotRegister]) throws(SyncError) {
        let snapshot = SnapshotIndex(registers)
        let copies = snapshot.untouchedCopies
        for lineage in snapshot.order where !copies.contains(lineage) { try adopt(lineage, snapshot) }
        for register in snapshot.entries where !register.isUntouchedCopy { try adopt(register, snapshot) }
        // Lineages that were new have their entries now.
        for lineage in snapshot.order where !copies.contains(lineage) { try adoptVersions(lineage, snapshot) }
        try showAgain(snapshot)
        try hideForgotten(snapshot)
        try sweepAll()
        try moveCopies()
    }

    mutating func adopt(_ lineage: Identifier, _ snapshot: SnapshotIndex) throws(SyncError) {
        guard let (register, content) = snapshot.lineages[lineage] else { return }
        try apply(register.attributes)
        guard try replica.lineage(lineage) == nil, var content else { return }
        content.stamp = register.heads.max() ?? content.stamp
        arrivals[lineage, default: Arrival()].content = content
    }

    /// The versions of a lineage that are live here, there, or on both sides.
    private mutating func adoptVersions(_ lineage: Identifier, _ snapshot: SnapshotIndex) throws(SyncError) {
        guard let known = try replica.lineage(lineage) else { return }
        let theirs = snapshot.live(lineage)
        var gone = (known.heads + known.rivals).filter { seen.covers($0) && !theirs.contains($0) }
        for stamp in theirs.sorted() where !applied.covers(stamp) {
            guard let present = try replica.lineage(lineage), !(present.heads + present.rivals).contains(stamp),
                var content = snapshot.content(lineage, as: stamp)
            else { continue }
            content.replaces = Array(Set(content.replaces).union(gone).prefix(Limits.stamps)).sorted()
            try take(content)
            gone = []
        }
        try noteSameBytes(lineage, snapshot)
        touched.insert(lineage)
    }

    /// Versions that have the bytes of others, and no copy of their own.
    private func noteSameBytes(_ lineage: Identifier, _ snapshot: SnapshotIndex) throws(SyncError) {
        guard let register = snapshot.lineages[lineage]?.register, let known = try replica.lineage(lineage) else {
            return
        }
        let news = (register.heads + register.rivals).filter { stamp in
            !applied.covers(stamp) && !(known.heads + known.rivals).contains(stamp)
        }
        let same = news.filter { register.heads.contains($0) && register.heads.contains { known.heads.contains($0) } }
        let rivals = news.filter { register.rivals.contains($0) }
        guard !same.isEmpty || !rivals.isEmpty else { return }
        try replica.setHeads(
            (known.heads + same).sorted(by: >), rivals: (known.rivals + rivals).sorted(), of: lineage)
    }

    private mutating func adopt(_ theirs: EntryRegister, _ snapshot: SnapshotIndex) throws(SyncError) {
        let stamp = theirs.placement.stamp
        let isNewer = !hasSeen(stamp)
        guard let ours = try replica.entry(theirs.placement.entry) else {
            let hasNews = snapshot.live(theirs.placement.lineage).contains { !hasSeen($0) }
            // What was here and is not: it was removed, and everybody knew.
            guard isNewer || hasNews else { return }
            if theirs.removals.isEmpty { return try place(hidden(theirs)) }
            return try keepHidden(theirs)
        }
        var register = ours
        if theirs.isLater(than: ours) { register.takePlacement(of: theirs) }
        register.removals = removals(ours, theirs)
        let hasMoved = register.placement != ours.placement
        if try !isRemoved(register) {
            if hasMoved || !ours.isShown { try place(register) } else { try show(register) }
        } else if hasMoved, ours.isShown, try !replica.children(of: register.placement.lineage).isEmpty {
            // A removed directory that is shown for what is in it.
            try place(register)
        } else if register != ours {
            try hide(register)
        }
        if hasMoved, ours.placement.parent != register.placement.parent { try sweep(ours.placement.parent) }
    }

    /// Removals of either side that the other side has as well, or has not heard of; those give way to a placement that they
    /// have not seen.
    private func removals(_ ours: EntryRegister, _ theirs: EntryRegister) -> [RemovalChange] {
        var both: [RemovalChange] = []
        for var removal in ours.removals {
            guard let same = theirs.removals.first(where: { $0.stamp == removal.stamp }) else { continue }
            removal.add(same.saw)
            both.append(removal)
        }
        let shared = Set(both.map(\.stamp))
        var mine = ours.removals.filter { !shared.contains($0.stamp) && !seen.covers($0.stamp) }
        var other = theirs.removals.filter { !shared.contains($0.stamp) && !applied.covers($0.stamp) }
        // A placement that gave way to a later one brings nothing back.
        let isTheirsLater = theirs.isLater(than: ours)
        if isTheirsLater, !hasSeen(theirs.asked) { mine = [] }
        if !isTheirsLater, !knows(ours.asked) { other = [] }
        return EntryRegister.bounded(both + mine + other)
    }

    /// Versions that their removals have not seen bring entries back.
    private mutating func showAgain(_ snapshot: SnapshotIndex) throws(SyncError) {
        for theirs in snapshot.entries where !theirs.isUntouchedCopy {
            guard let register = try replica.entry(theirs.placement.entry), !register.isShown,
                !register.removals.isEmpty, try !isRemoved(register)
            else { continue }
            conflicts.append(.revived(entry: theirs.placement.entry))
            try place(register)
        }
    }

    /// Whether this replica had a change before the snapshot.
    private func hasSeen(_ stamp: Stamp) -> Bool { stamp.device == Identifier.none || applied.covers(stamp) }

    func hidden(_ register: EntryRegister) -> EntryRegister {
        var register = register
        register.isShown = false
        return register
    }

    private mutating func keepHidden(_ register: EntryRegister) throws(SyncError) {
        // A removed directory that is shown for what is in it comes with that.
        if register.isShown { return try place(hidden(register)) }
        guard try arrive(register.placement.lineage) else { return }
        try show(register)
    }

    /// Entries that the snapshot's writer knew and that it has no register of: they were removed, every device knew, and
    /// the removal has been forgotten. What was edited here since then stays.
    private mutating func hideForgotten(_ snapshot: SnapshotIndex) throws(SyncError) {
        var forgotten: [EntryRegister] = []
        try replica.forEachRegister { (register) throws(SyncError) in
            guard case .entry(let entry) = register, !snapshot.known.contains(entry.placement.entry),
                !entry.isUntouchedCopy, seen.covers(entry.placement.stamp), entry.removals.isEmpty
            else { return }
            forgotten.append(entry)
        }
        for var register in forgotten.reversed() {
            let known = try replica.lineage(register.placement.lineage)
            let live = (known?.heads ?? []) + (known?.rivals ?? [])
            guard live.allSatisfy({ knows($0) }) else { continue }
            register.removals = [
                RemovalChange(entry: register.placement.entry, stamp: register.placement.stamp, saw: live)
            ]
            try hide(register)
        }
    }
}
