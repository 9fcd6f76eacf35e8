internal import Format
internal import Sealing

/// Contents of one lineage that did not know of each other.
extension Merge {
    /// Takes a version into a lineage that is known.
    mutating func take(_ change: ContentChange, _ known: LineageRegister) throws(SyncError) {
        let heads = known.heads.filter { !change.replaces.contains($0) }
        let rivals = known.rivals.filter { !change.replaces.contains($0) }
        for gone in known.rivals where change.replaces.contains(gone) {
            try dropCopy(of: change.lineage, gone, beside: rivals)
        }
        guard let present = heads.max(), let mine = try replica.content(of: change.lineage) else {
            return try takeAfterReplaced(change, rivals)
        }
        if try hasSameBytes(mine, change) {
            try replica.setHeads((heads + [change.stamp]).sorted(by: >), rivals: rivals, of: change.lineage)
        } else if rivals.isEmpty, let merged = try merge(mine, change, replacing: heads + [change.stamp]) {
            try replica.put(merged, heads: [merged.stamp], rivals: [])
            try replica.noteOwn(.lineage(merged.lineage))
            conflicts.append(.merged(entry: try entry(of: change.lineage)))
        } else if change.stamp > present {
            var same: [Stamp] = []
            for rival in rivals where try isShown(rival, with: change) { same.append(rival) }
            for rival in same { try withdrawCopy(of: change.lineage, rival) }
            let others = rivals.filter { !same.contains($0) }
            try showLoser(mine, as: heads.min() ?? present, beside: others)
            try replica.put(
                change, heads: ([change.stamp] + same).sorted(by: >), rivals: (others + heads).sorted())
        } else {
            try showLoser(change, as: change.stamp, beside: rivals)
            try replica.setHeads(heads, rivals: (rivals + [change.stamp]).sorted(), of: change.lineage)
        }
    }

    /// Whether the copy that is shown for a rival has the bytes of a content.
    private func isShown(_ rival: Stamp, with content: ContentChange) throws(SyncError) -> Bool {
        guard let shown = try replica.content(of: Copy(of: content.lineage, rival).lineage), shown.stamp == rival else {
            return false
        }
        return try hasSameBytes(shown, content)
    }

    /// Shows a version that has lost. Of several with the same bytes the earliest is shown for all of them, so that every
    /// device shows the same one, whatever came first.
    private mutating func showLoser(
        _ content: ContentChange, as stamp: Stamp, beside rivals: [Stamp]
    ) throws(SyncError) {
        for rival in rivals where try isShown(rival, with: content) {
            guard stamp < rival else { return }
            try withdrawCopy(of: content.lineage, rival)
        }
        try showCopy(of: content, as: stamp)
    }

    private func withdrawCopy(of lineage: Identifier, _ stamp: Stamp) throws(SyncError) {
        let copy = Copy(of: lineage, stamp)
        if try replica.entry(copy.entry)?.isUntouchedCopy == true { try replica.withdraw(copy.entry) }
    }

    /// What was there is replaced: the latest of the rest is the content.
    private mutating func takeAfterReplaced(_ change: ContentChange, _ rivals: [Stamp]) throws(SyncError) {
        guard let best = rivals.max(), best > change.stamp,
            var winner = try replica.content(of: Copy(of: change.lineage, best).lineage)
        else { return try replica.put(change, heads: [change.stamp], rivals: rivals) }
        let rest = rivals.filter { $0 != best }
        try showLoser(change, as: change.stamp, beside: rest)
        (winner.lineage, winner.stamp) = (change.lineage, best)
        try replica.put(winner, heads: [best], rivals: (rest + [change.stamp]).sorted())
        try dropCopy(of: change.lineage, best, beside: [])
    }

    func hasSameBytes(_ left: ContentChange, _ right: ContentChange) throws(SyncError) -> Bool {
        guard left.reference.size == right.reference.size else { return false }
        if left.reference.kind == right.reference.kind, left.reference.seal == right.reference.seal { return true }
        guard let one = try replica.open(left), let other = try replica.open(right) else { return false }
        return one.withBytes { one in other.withBytes { other in one.isEqual(to: other) } }
    }

    /// The edits of both sides in one, where they are of different fields of what both began with. Every device that has
    /// to do this comes to the same bytes: what they began with is the last version that both replace, and the sides are
    /// told apart by their stamps.
    private func merge(
        _ mine: ContentChange, _ theirs: ContentChange, replacing heads: [Stamp]
    ) throws(SyncError) -> ContentChange? {
        guard let common = Set(mine.replaces).intersection(theirs.replaces).max(),
            let base = try replica.open(mine.lineage, as: common),
            let left = try replica.open(mine.stamp > theirs.stamp ? mine : theirs),
            let right = try replica.open(mine.stamp > theirs.stamp ? theirs : mine),
            let merged = FieldMerge.merge(base: base, left, right)
        else { return nil }
        return try replica.seal(merged, for: mine.lineage, replaces: heads)
    }

    private func entry(of lineage: Identifier) throws(SyncError) -> Identifier {
        try replica.entries(of: lineage).min() ?? .none
    }

    // MARK: Copies

    /// Shows a version that has lost, as an entry of its own.
    mutating func showCopy(of content: ContentChange, as stamp: Stamp) throws(SyncError) {
        let copy = Copy(of: content.lineage, stamp)
        guard try replica.lineage(copy.lineage) == nil,
            var attributes = try replica.lineage(content.lineage)?.attributes
        else { return }
        let original = try entry(of: content.lineage)
        (attributes.lineage, attributes.stamp) = (copy.lineage, Copy.stamp)
        // It is as old as the version that it shows, on every device.
        (attributes.accessed, attributes.modified) = (content.modified, content.modified)
        attributes.changed = content.modified
        try replica.put(attributes)
        var content = content
        (content.lineage, content.stamp, content.replaces) = (copy.lineage, stamp, [])
        try replica.put(content, heads: [stamp], rivals: [])
        guard let placement = try replica.entry(original)?.placement else { return }
        try showCopy(copy, stamp, content.modified, beside: placement)
        conflicts.append(.copied(entry: original, copy: copy.entry))
    }

    private mutating func showCopy(_ copy: Copy, _ stamp: Stamp, _ saved: Timestamp, beside placement: EntryChange)
        throws(SyncError)
    {
        var placement = placement
        (placement.entry, placement.lineage) = (copy.entry, copy.lineage)
        // Any placement that somebody makes is later than this.
        placement.stamp = Stamp(lamport: stamp.lamport, device: .none)
        placement.name = naming.name(placement.name, copy: copy.entry, by: stamp.device, saved: saved)
        try place(EntryRegister(placement: placement, isShown: false))
    }

    /// The copies follow the entry that they stand beside, in place and mode, until somebody touches them.
    mutating func showRivals(of lineage: Identifier) throws(SyncError) {
        guard let known = try replica.lineage(lineage), !known.rivals.isEmpty,
            let placement = try replica.entry(entry(of: lineage))?.placement
        else { return }
        for rival in known.rivals {
            let copy = Copy(of: lineage, rival)
            guard let shown = try replica.entry(copy.entry), shown.isUntouchedCopy,
                let content = try replica.content(of: copy.lineage)
            else { continue }
            try dress(copy, as: known.attributes)
            try showCopy(copy, rival, content.modified, beside: placement)
        }
    }

    /// Gives a copy mode, owner and extended attributes of what it is a copy of: those every device comes to.
    private func dress(_ copy: Copy, as original: AttributesChange) throws(SyncError) {
        guard let worn = try replica.lineage(copy.lineage)?.attributes, worn.stamp == Copy.stamp else { return }
        var attributes = original
        (attributes.lineage, attributes.stamp) = (copy.lineage, Copy.stamp)
        (attributes.accessed, attributes.modified, attributes.changed) = (worn.accessed, worn.modified, worn.changed)
        if attributes != worn { try replica.put(attributes) }
    }

    /// Somebody has edited a copy here: it is an entry like any other.
    mutating func detachCopy(_ lineage: Identifier) throws(SyncError) {
        for entry in try replica.entries(of: lineage) {
            guard var copy = try replica.entry(entry), copy.isUntouchedCopy, copy.isShown else { continue }
            try makeOwn(&copy)
            try show(copy)
        }
    }

    /// A rival was replaced by somebody who went on from it: its copy goes, unless somebody has made it his own.
    private mutating func dropCopy(of lineage: Identifier, _ stamp: Stamp, beside rivals: [Stamp]) throws(SyncError) {
        let copy = Copy(of: lineage, stamp)
        guard let register = try replica.entry(copy.entry), register.isUntouchedCopy,
            let content = try replica.content(of: copy.lineage), content.stamp == stamp
        else { return }
        try replica.withdraw(copy.entry)
        // Others that came to the same bytes had no copy of their own.
        for rival in rivals {
            if try replica.lineage(Copy(of: lineage, rival).lineage) == nil {
                var same = content
                same.lineage = lineage
                return try showCopy(of: same, as: rival)
            }
        }
    }
}

/// What a rival is shown as: identifiers that every device computes alike.
struct Copy {
    let entry: Identifier
    let lineage: Identifier

    init(of lineage: Identifier, _ stamp: Stamp) {
        let clock = Identifier(low: stamp.lamport, high: 0)
        let version = lineage.bytes + clock.bytes + stamp.device.bytes
        self.lineage = Identifier(hashing: Array("copy".utf8) + version)
        entry = Identifier(hashing: Array("name".utf8) + version)
    }

    /// Of what nobody has set.
    static let stamp = Stamp(lamport: 0, device: .none)
}

extension EntryRegister {
    /// It stands where it was put as a copy.
    var isUntouchedCopy: Bool { placement.stamp.device == Identifier.none && removals.isEmpty }
}

extension RawSpan {
    /// Whether both are the same bytes.
    func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        for index in 0..<byteCount {
            let one = unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
            let two = unsafe other.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            if one != two { return false }
        }
        return true
    }
}
