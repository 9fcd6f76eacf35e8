internal import Format

/// Removals, and edits that they had not seen.
extension Merge {
    /// Edits that a removal did not see bring the entry back.
    mutating func revive(by edits: inout [ContentChange]) throws(SyncError) {
        let subject = subject
        for change in edits {
            self.subject = change.lineage
            for entry in try replica.entries(of: change.lineage) { try revive(entry, by: change) }
        }
        edits.removeAll()
        self.subject = subject
    }

    /// What devices that read of the changes of this one will do: versions with the same bytes are one group, a removal has
    /// seen all that is in the same segment, and names of a file that were removed stay so when it is written under another
    /// one.
    mutating func takeOwn(_ changes: [Change]) throws(SyncError) {
        var edits = changes.compactMap { (change) -> ContentChange? in
            if case .content(let edit) = change, edit.stamp.device == own { edit } else { nil }
        }
        let contested = Set(try replica.contested().map(\.lineage))
        for edit in edits where contested.contains(edit.lineage) { try joinGroups(of: edit.lineage) }
        // The rule, and above all at the first push.
        guard replica.hasRegisters else { return }
        for case .removal(let told) in changes {
            guard var register = try replica.entry(told.entry),
                let index = register.removals.firstIndex(where: { $0.stamp == told.stamp })
            else { continue }
            let before = register.removals
            register.removals[index].add(try versions(of: register.placement.lineage))
            if register.removals != before { try replica.put(register) }
        }
        for case .entry(let told) in changes { moves[told.entry] = told }
        try revive(by: &edits)
    }

    private mutating func revive(_ entry: Identifier, by change: ContentChange) throws(SyncError) {
        // What is told once more is no edit.
        guard !applied.covers(change.stamp), var register = try replica.entry(entry), !register.removals.isEmpty else {
            return
        }
        // The segment places it anew.
        if let move = moves[entry], self.register(of: move).isLater(than: register) { return }
        let before = register.removals
        // Whoever changes a file tells its names that are there.
        if moves[entry] == nil { for index in before.indices { take(change, into: &register.removals[index]) } }
        guard try !isRemoved(register), !register.isShown else {
            if register.removals != before { try replica.put(register) }
            return
        }
        conflicts.append(.revived(entry: entry))
        try place(register)
        // What a program here has written into the removed file, which it had open, nobody has heard of.
        let own = own
        if try versions(of: change.lineage).contains(where: { $0.device == own }) {
            try replica.noteOwn(.whole(change.lineage))
        }
    }

    /// Whoever knew of a removal that held, and writes the file under another name of it, does not bring that one back.
    private func take(_ change: ContentChange, into removal: inout RemovalChange) {
        guard knows(removal.stamp), !removal.saw.contains(change.stamp),
            change.replaces.allSatisfy({ removal.saw.contains($0) })
        else { return }
        removal.add([change.stamp])
    }

    mutating func apply(_ change: RemovalChange) throws(SyncError) {
        guard var register = try replica.entry(change.entry),
            !register.removals.contains(where: { $0.stamp == change.stamp })
        else { return }
        let lineage = register.placement.lineage
        try tellWhole(lineage)
        guard knows(register.asked) else { return }
        var change = change
        let live = try versions(of: lineage)
        change.add(live.filter { knows($0) })
        register.add(change)
        guard live.allSatisfy({ change.saw.contains($0) }) else {
            // It may yet hold: once the versions that it has not seen are dealt with.
            if register.placement.stamp.device != Identifier.none { try replica.put(register) }
            return
        }
        // A merge has put it elsewhere, which is no reason to keep what somebody has removed. Who has only a snapshot of that
        // does not know it, and is told.
        if !knows(register.placement.stamp), register.placement.stamp.device == own {
            try removeOwn(&register, isOfOneName: change.isOfOneName)
        }
        try hide(register)
    }

    /// Whether an entry is one that somebody has removed who knew all versions of its file that are live. Other removals are
    /// kept with it: what is shown is the same whatever came first, that somebody has dealt with a version or that somebody
    /// else, who had not seen it, has removed the entry.
    func isRemoved(_ register: EntryRegister) throws(SyncError) -> Bool {
        guard !register.removals.isEmpty else { return false }
        let live = try versions(of: register.placement.lineage)
        return register.removals.contains { removal in live.allSatisfy { removal.saw.contains($0) } }
    }

    /// Whether the author of a removal knew all versions of what it removes.
    func hasSeenContents(_ removal: RemovalChange, of lineage: Identifier) throws(SyncError) -> Bool {
        try versions(of: lineage).allSatisfy { removal.saw.contains($0) || knows($0) }
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
            if let register = try replica.entry(entry), register.isShown, try isRemoved(register) {
                try hide(register)
            }
        }
    }

    // MARK: Names of one file

    /// Of a file with several names each of two devices has removed one, and thought that it keeps the other. Whoever takes one
    /// name of several says so (``RemovalChange/isOfOneName``). So where the last removal says that, the name that it took
    /// stays. (The last one, since the earlier ones may be forgotten by now: every device knew them.)
    ///
    /// - Returns: nil where the file has a name that nobody has removed, or somebody has given it up.
    func nameThatStays(of lineage: Identifier) throws(SyncError) -> Identifier? {
        guard try replica.lineage(lineage)?.isDirectory == false else { return nil }
        var last: (removal: RemovalChange, entry: Identifier)?
        for entry in try replica.entries(of: lineage).sorted() {
            guard let register = try replica.entry(entry), try isRemoved(register),
                let removal = register.removals.max(by: { $0.stamp < $1.stamp })
            else { return nil }
            if let earlier = last, earlier.removal.stamp >= removal.stamp { continue }
            last = (removal, entry)
        }
        guard let last, last.removal.isOfOneName else { return nil }
        return last.entry
    }

    /// Shows the name of a file that stays though it was removed: once all of a segment is applied, which may take others.
    mutating func showNameThatStays(of lineage: Identifier) throws(SyncError) {
        guard let entry = try nameThatStays(of: lineage), let register = try replica.entry(entry), !register.isShown
        else { return }
        conflicts.append(.revived(entry: entry))
        try place(register)
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
        let kept = Identifier.ofKept(old.entry, lineage)
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
            if let register = try replica.entry(entry), try !isRemoved(register) { return true }
        }
        return false
    }
}
