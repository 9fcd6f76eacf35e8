public import Format

/// Applies the changes of one segment to a replica.
///
/// The rules, each of which gives the same result in whatever causal order the segments come:
///
/// - A register's later stamp wins: placements of entries, attributes of lineages.
/// - A content names the versions that it replaces. Of those that nothing replaces the latest is the content, and the
///   others are shown as copies beside it: copies are made of the registers and are no changes of their own, until
///   somebody touches them.
/// - A removal that has not seen a placement or a content version does not remove (and one that is heard first gives way).
/// - A removed directory is shown as long as something in it is.
/// - What a tree cannot hold (two entries of one name, a directory within itself) is settled by changes of this
///   device's own, which the others hear of like any other: so that what is shown is what the registers say.
///
/// Causality: the writer of the segment had seen ``seen``, and its own log.
struct Merge<Replica: ReplicaTransaction> {
    let replica: Replica
    /// This device.
    let own: Identifier
    let author: Identifier
    let seen: VersionVector
    /// What was applied here before the segment.
    let applied: VersionVector
    let naming: ConflictNaming
    /// The directory at the top: the vault's identifier.
    let top: Identifier
    /// Of a snapshot: what is not here and was removed before it has a removal there.
    var remembersRemovals = true
    /// Attributes and contents of lineages that have no entry yet.
    var arrivals: [Identifier: Arrival] = [:]
    /// Lineages whose entries may have moved.
    var touched: Set<Identifier> = []
    /// Where the segment at hand moves entries, and which it removes.
    var moves: [Identifier: EntryChange] = [:]
    private(set) var removals: [Identifier: RemovalChange] = [:]
    /// What all segments that belong together with the one at hand move and remove: that makes room, too.
    var group = SegmentGroup()
    /// The versions that it brings, by their lineages.
    private var contents: [Identifier: Stamp] = [:]
    /// Placements that a merge has made and nobody asked for.
    var settlements: [Identifier: EntryRecord.Settlement] = [:]
    /// Removed directories wait for ``sweepAll()``.
    var isMakingRoom = false
    /// What was settled, for the user.
    var conflicts: [Conflict] = []
    /// The entry or lineage that is at hand, in case the replica refuses it.
    var subject: Identifier?

    struct Arrival {
        var attributes: AttributesChange?
        var content: ContentChange?
    }

    init(
        _ replica: Replica, own: Identifier, author: Identifier, seen: VersionVector, applied: VersionVector,
        top: Identifier,
        naming: ConflictNaming
    ) {
        (self.replica, self.own, self.author, self.seen, self.applied) = (replica, own, author, seen, applied)
        (self.top, self.naming) = (top, naming)
    }

    mutating func apply(_ changes: [Change]) throws(SyncError) {
        for change in changes {
            switch change {
            case .entry(let move): moves[move.entry] = move
            case .removal(let removal): removals[removal.entry] = removal
            case .attributes(let attributes):
                // An edit brings back what was removed and forgotten here: it has to be known what that was.
                guard try replica.lineage(attributes.lineage) == nil else { continue }
                arrivals[attributes.lineage, default: Arrival()].attributes = attributes
            case .content(let content): contents[content.lineage] = content.stamp
            }
        }
        try settleCopies(in: changes)
        // What comes back stands beside others, and is compared with what those have behind the segment.
        var edits: [ContentChange] = []
        for change in changes {
            replica.lamport = max(replica.lamport, change.stamp.lamport)
            subject = change.subject
            switch change {
            case .attributes(let change): try apply(change)
            case .content(let change):
                try apply(change)
                edits.append(change)
            case .entry(let change):
                try revive(by: &edits)
                try apply(change)
            case .removal(let change):
                try revive(by: &edits)
                try apply(change)
            }
        }
        try revive(by: &edits)
        try sweepAll()
        try moveCopies()
    }

    /// Removed directories go with the last entry in them, wherever that has gone; removed names of files, where another one
    /// is there.
    mutating func sweepAll() throws(SyncError) {
        for entry in try replica.removedButShown() {
            subject = entry
            guard let register = try replica.entry(entry), register.isShown, try isRemoved(register),
                try nameThatStays(of: register.placement.lineage) != entry
            else { continue }
            try hide(register)
        }
    }

    /// Copies stand beside the entries that they are of, wherever these have gone.
    mutating func moveCopies() throws(SyncError) {
        guard !touched.isEmpty else { return }
        // Most have neither: no row is read for them.
        let hasRegisters = replica.hasRegisters
        let contested = Set(try replica.contested().map(\.lineage))
        let lineages = touched.sorted()
        for lineage in lineages {
            subject = lineage
            if hasRegisters { try showNameThatStays(of: lineage) }
            if contested.contains(lineage) { try showRivals(of: lineage) }
        }
        touched.removeAll()
    }

    /// The same for what this device has changed itself: a copy stands beside the first name that is left.
    mutating func moveCopies(besides changes: [Change]) throws(SyncError) {
        let contested = Set(try replica.contested().map(\.lineage))
        for change in contested.isEmpty ? [] : changes {
            var lineage = change.lineage
            if lineage == nil { lineage = try replica.entry(change.subject)?.placement.lineage }
            if let lineage, contested.contains(lineage) { touched.insert(lineage) }
        }
        try moveCopies()
    }

    mutating func show(_ register: EntryRegister) throws(SyncError) {
        try replica.put(register)
        touched.insert(register.placement.lineage)
    }

    /// Whether the author had seen a change when it wrote the segment. A copy's placement is no device's: whoever speaks of
    /// the copy has seen it.
    func knows(_ stamp: Stamp) -> Bool {
        stamp.device == author || stamp.device == Identifier.none || seen.covers(stamp)
    }

    mutating func apply(_ change: AttributesChange) throws(SyncError) {
        guard let known = try replica.lineage(change.lineage) else {
            arrivals[change.lineage, default: Arrival()].attributes = change
            return
        }
        let sameType = (known.attributes.mode ^ change.mode) & 0o170000 == 0
        guard sameType, change.stamp > known.attributes.stamp else { return }
        try replica.put(change)
        touched.insert(change.lineage)
    }

    private mutating func apply(_ change: ContentChange) throws(SyncError) {
        if let known = try replica.lineage(change.lineage) {
            // Directories and devices have none: whoever says so is no writer of ours.
            guard !known.isDirectory else { return }
            // What was applied before and is not live was replaced; it comes along for those who lack the lineage.
            let isKnown = known.heads.contains(change.stamp) || known.rivals.contains(change.stamp)
            if !isKnown, !applied.covers(change.stamp) {
                if try replica.entries(of: change.lineage).isEmpty {
                    // It was removed, every device knew, and the removal was forgotten: so is what it held.
                    try replica.put(change, heads: [change.stamp], rivals: [])
                } else {
                    try take(change)
                }
            }
        } else {
            arrivals[change.lineage, default: Arrival()].content = change
        }
    }

    private mutating func apply(_ change: EntryChange) throws(SyncError) {
        if try removesAtOnce(change) { return try pass(change) }
        let placed = register(of: change)
        guard var register = try replica.entry(change.entry) else { return try place(placed) }
        guard placed.isLater(than: register) else {
            guard !knows(register.asked), let said = contents[change.lineage], !applied.covers(said) else { return }
            return try keepApart(said, of: change, beside: register)
        }
        let old = register
        register.takePlacement(of: placed)
        if placed.asked == old.asked, !register.removals.isEmpty {
            // Removed by somebody who knew where it had been put: unless there is an edit with it that he has not seen.
            guard try arrive(change.lineage) else { return }
            if register.isShown { return try place(register) }
            guard try !isRemoved(register) else { return try show(register) }
            conflicts.append(.revived(entry: change.entry))
            return try place(register)
        }
        // Either the author has put it back on purpose, or the removal has not seen this.
        if !register.isShown, register.removals.contains(where: { !knows($0.stamp) }) {
            conflicts.append(.revived(entry: change.entry))
        }
        register.removals.removeAll()
        try place(register)
        if old.placement.parent != change.parent { try sweep(old.placement.parent) }
        guard old.placement.lineage != change.lineage else { return }
        try tellWhole(old.placement.lineage)
        let unknown = try versions(of: old.placement.lineage).filter { !knows($0) }.max()
        try keepApart(unknown, of: old.placement, beside: register)
        let rivals = try replica.lineage(old.placement.lineage)?.rivals ?? []
        _ = try detachCopies(ofNameless: old.placement.lineage, rivals)
    }

    func register(of change: EntryChange) -> EntryRegister {
        var register = EntryRegister(placement: change, isShown: false)
        if let settlement = settlements[change.entry], settlement.stamp == change.stamp {
            register.settles = settlement.replaced
        }
        return register
    }

    /// Whether the same segment removes an entry where it has put it, and nothing keeps it from doing so.
    private func removesAtOnce(_ change: EntryChange) throws(SyncError) -> Bool {
        guard let removal = removals[change.entry], removal.stamp > change.stamp,
            try replica.children(of: change.lineage).isEmpty
        else { return false }
        return try hasSeenContents(removal, of: change.lineage)
    }

    /// Takes a placement that the removal behind it makes void. It is not shown: a name that somebody else has by now would
    /// be settled with a change of this device's own, which the removal has not seen (found by the simulation with two
    /// histories, at seed 7500).
    private mutating func pass(_ change: EntryChange) throws(SyncError) {
        let known = try replica.entry(change.entry)
        var placed = register(of: change)
        if let known, !placed.isLater(than: known) { return }
        guard try arrive(change.lineage) else { return }
        if var removal = removals[change.entry] {
            removal.add(try versions(of: change.lineage))
            placed.removals = [removal]
        }
        try show(placed)
        if let known, known.isShown { try sweep(known.placement.parent) }
    }

    /// What stands at a name may be on its way, because the same segment moves or removes it: names that change places are
    /// free one after the other, and `rm a; mv b a` is no conflict. A directory goes with all that the segment takes out
    /// of it, as in `rm -r d; mkdir d`.
    mutating func stepAside(_ entry: Identifier) throws(SyncError) {
        guard let standing = try replica.entry(entry) else { return }
        // What takes its place keeps the directory, should that be a removed one.
        isMakingRoom = true
        defer { isMakingRoom = false }
        if isOnItsWay(standing) {
            try setAside(standing, in: standing.placement.parent)
        } else if let removal = removals[entry] ?? group.removals[entry] {
            try clear(standing.placement.lineage)
            try apply(removal)
        }
    }

    private func isOnItsWay(_ register: EntryRegister) -> Bool {
        let entry = register.placement.entry
        guard let move = moves[entry] ?? group.moves[entry] else { return false }
        return self.register(of: move).isLater(than: register)
            && (move.parent, move.name) != (register.placement.parent, register.placement.name)
    }

    /// Takes out of a directory what the segment moves or removes.
    private mutating func clear(_ directory: Identifier) throws(SyncError) {
        for child in try replica.children(of: directory) {
            guard let register = try replica.entry(child) else { continue }
            if isOnItsWay(register) {
                try setAside(register, in: top)
            } else if let removal = removals[child] ?? group.removals[child] {
                try clear(register.placement.lineage)
                try apply(removal)
            }
        }
    }

    /// Until its turn comes.
    private mutating func setAside(_ register: EntryRegister, in parent: Identifier) throws(SyncError) {
        var register = register
        register.placement.name = try freeName(register.placement.name, in: parent, by: register.placement.stamp.device)
        register.placement.parent = parent
        try show(register)
    }
}

/// What was settled between changes that did not know of each other.
public enum Conflict: Equatable, Sendable {
    /// Both edits are in the entry.
    case merged(entry: Identifier)
    /// The entry has one edit, the copy the other.
    case copied(entry: Identifier, copy: Identifier)
    /// Two entries had one name.
    case renamed(entry: Identifier)
    /// Two directories had one name, and are one.
    case joined(directory: Identifier)
    /// A directory would have been within itself.
    case movedBack(entry: Identifier)
    /// Somebody had removed what somebody else has changed: it is there again.
    case revived(entry: Identifier)
    /// Devices showed it differently, because one of them or the remote had gone back to an older state.
    case settled(entry: Identifier)
}

/// Where segments that belong together move entries, and which they remove.
struct SegmentGroup {
    private(set) var moves: [Identifier: EntryChange] = [:]
    private(set) var removals: [Identifier: RemovalChange] = [:]

    mutating func add(_ changes: [Change]) {
        for change in changes {
            if case .entry(let move) = change { moves[move.entry] = move }
            if case .removal(let removal) = change { removals[removal.entry] = removal }
        }
    }
}
