internal import Format
internal import Sealing

/// Contents of one lineage that did not know of each other.
extension Merge {
    /// Takes a version into a lineage that is known.
    mutating func take(_ change: ContentChange) throws(SyncError) {
        try update(change.lineage, without: Set(change.replaces), adding: change)
    }

    func hasSameBytes(_ left: ContentChange, _ right: ContentChange) throws(SyncError) -> Bool {
        guard left.reference.size == right.reference.size else { return false }
        if left.reference.kind == right.reference.kind, left.reference.seal == right.reference.seal { return true }
        guard let one = try replica.open(left), let other = try replica.open(right) else { return false }
        return one.withBytes { one in other.withBytes { other in one.isEqual(to: other) } }
    }

    /// The first of a lineage's entries, of those that nobody has removed: removed ones are forgotten, by each device in its
    /// own time.
    func entry(of lineage: Identifier) throws(SyncError) -> Identifier {
        let entries = try replica.entries(of: lineage).sorted()
        for entry in entries {
            if let register = try replica.entry(entry), register.isShown, try !isRemoved(register) { return entry }
        }
        return try nameThatStays(of: lineage) ?? entries.first ?? .none
    }

    // MARK: Copies

    /// Shows versions that have lost, all with these bytes, as an entry of its own.
    ///
    /// - Parameter stamps: the earliest first.
    mutating func showCopy(of content: ContentChange, as stamps: [Stamp], isNews: Bool = true) throws(SyncError) {
        let copy = Copy(of: content.lineage, stamps[0])
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
        (content.lineage, content.stamp) = (copy.lineage, stamps[0])
        try replica.put(content, heads: stamps, rivals: [])
        guard let placement = try replica.entry(original)?.placement else { return }
        try showCopy(copy, stamps[0], content.modified, beside: placement)
        if isNews { conflicts.append(.copied(entry: original, copy: copy.entry)) }
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

    /// A copy that nobody has touched is as old as the version that it shows, on every device.
    mutating func setTimes(_ time: Timestamp, of copy: Identifier) throws(SyncError) {
        guard var attributes = try replica.lineage(copy)?.attributes, attributes.stamp == Copy.stamp,
            attributes.modified != time
        else { return }
        (attributes.accessed, attributes.modified, attributes.changed) = (time, time, time)
        try replica.put(attributes)
    }

    /// Gives a copy mode, owner and extended attributes of what it is a copy of: those every device comes to.
    private func dress(_ copy: Copy, as original: AttributesChange) throws(SyncError) {
        guard let worn = try replica.lineage(copy.lineage)?.attributes, worn.stamp == Copy.stamp else { return }
        var attributes = original
        (attributes.lineage, attributes.stamp) = (copy.lineage, Copy.stamp)
        (attributes.accessed, attributes.modified, attributes.changed) = (worn.accessed, worn.modified, worn.changed)
        if attributes != worn { try replica.put(attributes) }
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

extension Identifier {
    /// Of the entry under which a content stays whose entry leads to another lineage now.
    static func ofKept(_ entry: Identifier, _ lineage: Identifier) -> Identifier {
        Identifier(hashing: Array("kept".utf8) + entry.bytes + lineage.bytes)
    }
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
