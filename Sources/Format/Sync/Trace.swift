/// One thing that another device has changed here, with what was there before. So it can be told what a device did, and be
/// undone.
public enum Trace: Equatable, Sendable {
    /// Where an entry stood.
    public struct Place: Equatable, Sendable {
        public var parent: Identifier
        public var stamp: Stamp
        public var name: [UInt8]

        public init(parent: Identifier, stamp: Stamp, name: [UInt8]) {
            (self.parent, self.stamp, self.name) = (parent, stamp, name)
        }
    }

    /// Attributes as they were, without the extended ones.
    public struct Attributes: Equatable, Sendable {
        public var stamp: Stamp
        public var mode: UInt32
        public var owner: UInt32
        public var group: UInt32
        public var ownedByMounter: Bool
        public var groupOfMounter: Bool
        public var modified: Timestamp

        public init(_ change: AttributesChange) {
            (stamp, mode, owner, group) = (change.stamp, change.mode, change.owner, change.group)
            (ownedByMounter, groupOfMounter) = (change.ownedByMounter, change.groupOfMounter)
            modified = change.modified
        }
    }

    /// An entry is there that was not.
    case made(entry: Identifier, stamp: Stamp)
    case moved(entry: Identifier, stamp: Stamp, from: Place)
    case removed(entry: Identifier, lineage: Identifier, stamp: Stamp, from: Place)
    case attributes(lineage: Identifier, stamp: Stamp, before: Attributes)
    /// A lineage has another content. What it had is a version, unless it had no bytes.
    case content(lineage: Identifier, stamp: Stamp, before: Stamp, wasEmpty: Bool)
    /// A content that did not know of the present one stands beside it, as a copy.
    case beside(lineage: Identifier, stamp: Stamp)

    /// Of the change.
    public var stamp: Stamp {
        switch self {
        case .made(_, let stamp), .moved(_, let stamp, _), .removed(_, _, let stamp, _), .attributes(_, let stamp, _),
            .content(_, let stamp, _, _), .beside(_, let stamp):
            stamp
        }
    }

    private enum Kind: UInt8 { case made = 1, moved, removed, attributes, content, beside }

    public func encode(into sink: inout some ByteSink & ~Copyable) {
        switch self {
        case .made(let entry, let stamp): Trace.encode(.made, entry, stamp, into: &sink)
        case .moved(let entry, let stamp, let place):
            Trace.encode(.moved, entry, stamp, into: &sink)
            place.encode(into: &sink)
        case .removed(let entry, let lineage, let stamp, let place):
            Trace.encode(.removed, entry, stamp, into: &sink)
            sink.append(lineage)
            place.encode(into: &sink)
        case .attributes(let lineage, let stamp, let before):
            Trace.encode(.attributes, lineage, stamp, into: &sink)
            before.encode(into: &sink)
        case .content(let lineage, let stamp, let before, let wasEmpty):
            Trace.encode(.content, lineage, stamp, into: &sink)
            sink.append(before)
            sink.append(UInt8(wasEmpty ? 1 : 0))
        case .beside(let lineage, let stamp): Trace.encode(.beside, lineage, stamp, into: &sink)
        }
    }

    private static func encode(
        _ kind: Kind, _ subject: Identifier, _ stamp: Stamp, into sink: inout some ByteSink & ~Copyable
    ) {
        sink.append(kind.rawValue)
        sink.append(subject)
        sink.append(stamp)
    }

    public init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        guard let kind = Kind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "trace") }
        let (subject, stamp) = (try cursor.identifier(bytes), try cursor.stamp(bytes))
        switch kind {
        case .made: self = .made(entry: subject, stamp: stamp)
        case .moved: self = .moved(entry: subject, stamp: stamp, from: try Place(bytes, &cursor))
        case .removed:
            let lineage = try cursor.identifier(bytes)
            self = .removed(entry: subject, lineage: lineage, stamp: stamp, from: try Place(bytes, &cursor))
        case .attributes:
            self = .attributes(lineage: subject, stamp: stamp, before: try Attributes(bytes, &cursor))
        case .content:
            let before = try cursor.stamp(bytes)
            let wasEmpty: UInt8 = try cursor.integer(bytes)
            guard wasEmpty < 2 else { throw .invalid(field: "empty") }
            self = .content(lineage: subject, stamp: stamp, before: before, wasEmpty: wasEmpty == 1)
        case .beside: self = .beside(lineage: subject, stamp: stamp)
        }
    }
}

extension Trace.Place {
    fileprivate func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(parent)
        sink.append(stamp)
        sink.append(UInt8(truncatingIfNeeded: name.count))
        sink.append(bytes: name)
    }

    fileprivate init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        parent = try cursor.identifier(bytes)
        stamp = try cursor.stamp(bytes)
        name = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt8.self)))
        guard !name.isEmpty, name.allSatisfy({ $0 != 0 && $0 != 0x2F }) else { throw .invalid(field: "name") }
    }
}

extension Trace.Attributes {
    fileprivate func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(stamp)
        sink.append(mode)
        sink.append(owner)
        sink.append(group)
        sink.append(UInt8((ownedByMounter ? 1 : 0) | (groupOfMounter ? 2 : 0)))
        sink.append(modified)
    }

    fileprivate init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        stamp = try cursor.stamp(bytes)
        (mode, owner, group) = (
            try cursor.integer(bytes), try cursor.integer(bytes), try cursor.integer(bytes)
        )
        let flags: UInt8 = try cursor.integer(bytes)
        guard flags & ~3 == 0 else { throw .invalid(field: "flags") }
        (ownedByMounter, groupOfMounter) = (flags & 1 != 0, flags & 2 != 0)
        modified = try cursor.timestamp(bytes)
    }
}

/// What one segment of another device has changed here, and when that was learned.
public struct TraceSection: Equatable, Sendable {
    /// Who has written it; none where it came with a snapshot, which is of all devices.
    public var author: Identifier
    /// The number of the segment; 0 of a snapshot.
    public var sequence: UInt64
    /// When this device learned of it, by its own clock, in seconds since 1970.
    public var time: Int64
    public var traces: [Trace]

    public init(author: Identifier, sequence: UInt64, time: Int64, traces: [Trace]) {
        (self.author, self.sequence, self.time, self.traces) = (author, sequence, time, traces)
    }

    /// Appends it without its author, which the row has.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(sequence)
        sink.append(time)
        sink.append(UInt32(truncatingIfNeeded: traces.count))
        for trace in traces { trace.encode(into: &sink) }
    }

    /// All sections of a row.
    public static func decode(_ bytes: RawSpan, author: Identifier) throws(FormatError) -> [TraceSection] {
        var (cursor, sections) = (Cursor(), [TraceSection]())
        while cursor.offset < bytes.byteCount {
            let (sequence, time): (UInt64, Int64) = (try cursor.integer(bytes), try cursor.integer(bytes))
            var traces: [Trace] = []
            for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) { traces.append(try Trace(bytes, &cursor)) }
            sections.append(TraceSection(author: author, sequence: sequence, time: time, traces: traces))
        }
        return sections
    }
}

extension Limits {
    /// A row of traces is cut at about so many bytes…
    public static let traceRow = 64 << 10
    /// …and one that is shorter than this takes in more of the same device.
    public static let traceRowShort = 4 << 10
    /// All rows of traces, in bytes. Beyond that the oldest of the device with most of them go.
    public static let traces = 8 << 20
    /// Traces are kept for so many seconds (30 days): as long as the versions and removed entries that they lead to.
    public static let traceAge: Int64 = 30 * 86400
}
