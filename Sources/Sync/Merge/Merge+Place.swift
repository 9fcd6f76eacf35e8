internal import Format

/// Putting an entry where its placement says, and what stands in the way of that.
extension Merge {
    /// Shows an entry at its placement.
    mutating func place(_ register: EntryRegister) throws(SyncError) {
        var register = register
        guard try arrive(register.placement.lineage) else { return }
        guard try !closesCircle(register) else { return try settleCircle(register) }
        let parent = try directory(register.placement.parent)
        if parent != register.placement.parent {
            register.placement.parent = parent
            if try closesCircle(register), try moveBack(register) { return }
            try settle(&register)
        }
        if ReservedName.contains(register.placement.name, in: parent, top: top) {
            register.placement.name = try freeName(register)
            try settle(&register)
            conflicts.append(.renamed(entry: register.placement.entry))
        }
        let standing = try replica.entry(in: parent, named: register.placement.name)
        if let standing, standing != register.placement.entry { try stepAside(standing) }
        if let other = try replica.entry(in: parent, named: register.placement.name), other != register.placement.entry
        {
            guard try settleName(&register, with: other) else { return }
        }
        register.isShown = true
        try show(register)
    }

    /// What has taken the place of the directory that was asked for is in the one that moves, or is that itself: it stays
    /// where it is (found by the simulation with rotations, at seed 14309).
    private mutating func moveBack(_ register: EntryRegister) throws(SyncError) -> Bool {
        guard var before = try replica.entry(register.placement.entry), before.isShown else { return false }
        conflicts.append(.movedBack(entry: register.placement.entry))
        try makeOwn(&before)
        // In the place of the move that is undone.
        before.settles = register.asked
        try show(before)
        return true
    }

    /// Makes the lineage of what came in this segment; false where nothing did.
    mutating func arrive(_ lineage: Identifier) throws(SyncError) -> Bool {
        if try replica.lineage(lineage) != nil { return true }
        guard let arrival = arrivals.removeValue(forKey: lineage), let attributes = arrival.attributes else {
            return false
        }
        try replica.put(attributes)
        if let content = arrival.content, attributes.mode & 0o170000 != 0o040000 {
            try replica.put(content, heads: [content.stamp], rivals: [])
        }
        return true
    }

    /// The directory to put something in: the one that is asked for, shown again where it was removed; one of the same
    /// name where that has its place; the top where nobody knows it.
    private mutating func directory(_ lineage: Identifier) throws(SyncError) -> Identifier {
        if lineage == top { return top }
        guard try replica.lineage(lineage)?.isDirectory == true,
            let entry = try replica.entries(of: lineage).first, let register = try replica.entry(entry)
        else { return top }
        if register.isShown { return lineage }
        let parent = try directory(register.placement.parent)
        if let other = try replica.entry(in: parent, named: register.placement.name),
            let found = try replica.entry(other), try replica.lineage(found.placement.lineage)?.isDirectory == true,
            precedes(found, register)
        {
            return found.placement.lineage
        }
        conflicts.append(.revived(entry: entry))
        try place(register)
        return try replica.entry(entry)?.isShown == true ? lineage : top
    }

    /// Gives a register a stamp of this device's, so that the others hear of it. For them it was not removed then, so it is not
    /// here (found by the simulation with two histories, at seed 6999).
    mutating func makeOwn(_ register: inout EntryRegister) throws(SyncError) {
        register.removals = []
        register.placement.stamp = replica.nextStamp()
        try replica.noteOwn(.entry(register.placement.entry))
    }

    /// The same for what nobody has asked for: it gives way to whatever somebody does who did not know of it. What was
    /// removed and is shown again is asked for (found by the simulation with two histories, at seed 6999).
    mutating func settle(_ register: inout EntryRegister) throws(SyncError) {
        let removals = register.removals
        let asked = try isRemoved(register) ? nil : register.asked
        try makeOwn(&register)
        register.settles = asked
        // Those that do not hold may yet do so, on the other devices as here.
        if asked != nil { register.removals = removals }
    }

    // MARK: Names

    /// Two entries want one name. False where the one at hand is not to be shown any more.
    private mutating func settleName(_ register: inout EntryRegister, with other: Identifier) throws(SyncError) -> Bool
    {
        guard var standing = try replica.entry(other) else {
            // A name that stays on this device: an editor may be at work with it.
            register.placement.name = try freeName(register)
            try settle(&register)
            return true
        }
        let (mine, theirs) = (
            try replica.lineage(register.placement.lineage), try replica.lineage(standing.placement.lineage)
        )
        if let mine, let theirs, mine.isDirectory, theirs.isDirectory { return try join(&register, standing) }
        if let mine, let theirs, try isSame(register, mine, standing, theirs) {
            return try dropTwin(&register, standing)
        }
        let keepsName =
            mine?.isDirectory == true
            || theirs?.isDirectory != true && register.placement.stamp > standing.placement.stamp
        if keepsName {
            standing.placement.name = try freeName(standing)
            try settle(&standing)
            try show(standing)
            conflicts.append(.renamed(entry: other))
        } else {
            register.placement.name = try freeName(register)
            try settle(&register)
            conflicts.append(.renamed(entry: register.placement.entry))
        }
        return true
    }

    func freeName(_ register: EntryRegister) throws(SyncError) -> [UInt8] {
        try freeName(register.placement.name, in: register.placement.parent, by: register.placement.stamp.device)
    }

    /// A name beside the one that is taken.
    func freeName(_ name: [UInt8], in parent: Identifier, by device: Identifier) throws(SyncError) -> [UInt8] {
        var attempt = 1
        while true {
            let candidate = naming.name(name, by: device, attempt: attempt)
            if try replica.entry(in: parent, named: candidate) == nil { return candidate }
            attempt += 1
        }
    }

    /// Which of two directories of one name stays: one that nobody has removed, nor removes in the segment at hand, else
    /// that with the lower identifier.
    private func precedes(_ left: EntryRegister, _ right: EntryRegister) -> Bool {
        func stays(_ register: EntryRegister) -> Bool {
            register.removals.isEmpty && removals[register.placement.entry] == nil
        }
        if stays(left) != stays(right) { return stays(left) }
        return left.placement.lineage < right.placement.lineage
    }

    /// Two directories of one name become one: what is in the other one moves.
    private mutating func join(_ register: inout EntryRegister, _ standing: EntryRegister) throws(SyncError) -> Bool {
        let keepsStanding = precedes(standing, register)
        conflicts.append(.joined(directory: (keepsStanding ? standing : register).placement.entry))
        if keepsStanding {
            let wasShown = register.isShown
            if wasShown { try moveAll(from: register.placement.lineage, to: standing.placement.lineage) }
            register.isShown = false
            try removeOwn(&register)
            return false
        }
        // The standing one makes room under a name of its own until it is empty.
        var leaving = standing
        leaving.placement.name = try freeName(standing)
        try show(leaving)
        register.isShown = true
        try show(register)
        try moveAll(from: standing.placement.lineage, to: register.placement.lineage)
        (leaving.placement.name, leaving.isShown) = (standing.placement.name, false)
        try removeOwn(&leaving)
        return false
    }

    private mutating func moveAll(from old: Identifier, to new: Identifier) throws(SyncError) {
        for child in try replica.children(of: old) {
            guard var register = try replica.entry(child) else { continue }
            register.placement.parent = new
            try settle(&register)
            try place(register)
        }
    }

    /// A removal of this device's own.
    ///
    /// - Parameter isOfOneName: it repeats one of somebody who took one name of several.
    mutating func removeOwn(_ register: inout EntryRegister, isOfOneName: Bool = false) throws(SyncError) {
        let versions = try versions(of: register.placement.lineage)
        let saw = Array(((isOfOneName ? [.zero] : []) + versions).prefix(Limits.stamps))
        register.add(RemovalChange(entry: register.placement.entry, stamp: replica.nextStamp(), saw: saw))
        try show(register)
        try replica.noteOwn(.removal(register.placement.entry))
    }

    // MARK: Two of the same

    private func isSame(
        _ register: EntryRegister, _ mine: LineageRegister, _ standing: EntryRegister, _ theirs: LineageRegister
    ) throws(SyncError) -> Bool {
        guard mine.isRegular, theirs.isRegular, mine.content.size == theirs.content.size else { return false }
        if register.placement.lineage == standing.placement.lineage { return true }
        // What competes with the content would go with it.
        guard mine.rivals.isEmpty, theirs.rivals.isEmpty else { return false }
        // A file with other names may be written anew by one of those.
        for lineage in [register.placement.lineage, standing.placement.lineage] {
            guard try replica.entries(of: lineage).count == 1 else { return false }
        }
        guard let left = try replica.content(of: register.placement.lineage),
            let right = try replica.content(of: standing.placement.lineage)
        else { return mine.content.size == 0 && mine.heads.isEmpty == theirs.heads.isEmpty }
        return try hasSameBytes(left, right)
    }

    /// Both devices put the same thing at the name: one of them is enough.
    private mutating func dropTwin(_ register: inout EntryRegister, _ standing: EntryRegister) throws(SyncError) -> Bool
    {
        if standing.placement.entry < register.placement.entry {
            let wasShown = register.isShown
            register.isShown = false
            try removeOwn(&register)
            if wasShown { try sweep(register.placement.parent) }
            return false
        }
        var leaving = standing
        leaving.isShown = false
        try removeOwn(&leaving)
        return true
    }

    // MARK: Circles

    /// Whether a directory would be within itself.
    func closesCircle(_ register: EntryRegister) throws(SyncError) -> Bool {
        guard try replica.lineage(register.placement.lineage)?.isDirectory == true else { return false }
        return try path(from: register.placement.parent).contains { $0.placement.lineage == register.placement.lineage }
    }

    /// The entries from a directory up to the top.
    func path(from directory: Identifier) throws(SyncError) -> [EntryRegister] {
        var path: [EntryRegister] = []
        var walk = directory
        while walk != top, path.count < 4096 {
            guard let entry = try replica.entries(of: walk).first, let register = try replica.entry(entry),
                !path.contains(where: { $0.placement.entry == entry })
            else { break }
            path.append(register)
            walk = register.placement.parent
        }
        return path
    }

    /// Of moves that make a circle, the last one does not count (Kleppmann et al. 2022, "A highly-available move
    /// operation for replicated trees"). Whoever has the others already says so: that the last one goes back, and that the
    /// others stay. Whoever has the last one waits for that.
    private mutating func settleCircle(_ register: EntryRegister) throws(SyncError) {
        let circle = try path(from: register.placement.parent).prefix {
            $0.placement.lineage != register.placement.lineage
        }
        guard circle.allSatisfy({ $0.placement.stamp < register.placement.stamp }) else { return }
        // A directory that is new has nothing in it, and closes no circle.
        guard try moveBack(register) else { return }
        for var other in circle {
            try settle(&other)
            try show(other)
        }
    }
}
