internal import Format

/// A part of a device's clock: what it changed in that time.
struct ClockSpan: Sendable {
    var after: UInt64
    var last: UInt64

    var isEmpty: Bool { last <= after }

    func contains(_ lamport: UInt64) -> Bool { lamport > after && lamport <= last }
}

/// The entries that an alarm is about, while they are gathered.
struct Concerned: Sendable {
    /// When each of them was changed last, among the changes that the alarm is about.
    private(set) var stamps: [Identifier: Stamp] = [:]
    /// Where segments place them: the registers may not know them.
    private(set) var said: [Identifier: EntryChange] = [:]
    /// The latest content, and when it was saved.
    private(set) var saved: (stamp: Stamp, time: Timestamp)?
    /// There may be others.
    var isIncomplete = false

    /// The entries that were changed last, the latest first.
    func latest(_ count: Int) -> [Identifier] {
        stamps.sorted { ($0.value, $0.key) > ($1.value, $1.key) }.prefix(count).map(\.key)
    }

    private mutating func note(_ entry: Identifier, _ stamp: Stamp) {
        stamps[entry] = max(stamps[entry] ?? .zero, stamp)
    }

    private mutating func noteContent(_ stamp: Stamp, saved time: Timestamp) {
        if stamp > saved?.stamp ?? .zero { saved = (stamp, time) }
    }

    /// Takes in what was gathered elsewhere.
    mutating func add(_ other: Concerned) {
        for (entry, stamp) in other.stamps { note(entry, stamp) }
        if let content = other.saved { noteContent(content.stamp, saved: content.time) }
    }

    // MARK: From registers

    /// Notes an entry where something of it was changed within the spans.
    mutating func note(_ entry: EntryRegister, _ lineage: LineageRegister?, within spans: [Identifier: ClockSpan]) {
        let contents = (lineage?.heads ?? []) + (lineage?.rivals ?? [])
        let attributes = lineage.map { [$0.attributes.stamp] } ?? []
        let stamps = contents + attributes + [entry.placement.stamp] + entry.removals.map(\.stamp)
        func isWithin(_ stamp: Stamp) -> Bool { spans[stamp.device]?.contains(stamp.lamport) ?? false }
        guard let stamp = stamps.filter(isWithin).max() else { return }
        note(entry.placement.entry, stamp)
        // A file's time of modification is that of its content; the content itself would have to be read, chunks and all.
        if let lineage, let head = lineage.heads.filter(isWithin).max() {
            noteContent(head, saved: lineage.attributes.modified)
        }
    }

    // MARK: From segments

    /// Notes the entries that changes are about.
    mutating func note(_ changes: [Change], _ replica: some ReplicaTransaction) throws(SyncError) {
        var names: [Identifier: [Identifier]] = [:]
        for case .entry(let placement) in changes {
            names[placement.lineage, default: []].append(placement.entry)
            if placement.stamp >= said[placement.entry]?.stamp ?? .zero { said[placement.entry] = placement }
        }
        for change in changes {
            switch change {
            case .entry(let placement): note(placement.entry, placement.stamp)
            case .removal(let removal): note(removal.entry, removal.stamp)
            case .attributes(let attributes):
                try note(lineage: attributes.lineage, attributes.stamp, names, replica)
            case .content(let content):
                try note(lineage: content.lineage, content.stamp, names, replica)
                noteContent(content.stamp, saved: content.modified)
            }
        }
    }

    private mutating func note(
        lineage: Identifier, _ stamp: Stamp, _ names: [Identifier: [Identifier]], _ replica: some ReplicaTransaction
    ) throws(SyncError) {
        for entry in try replica.entries(of: lineage) + (names[lineage] ?? []) { note(entry, stamp) }
    }
}
