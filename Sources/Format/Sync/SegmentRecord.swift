/// One piece of a device's log: what it has seen, and what it changed since the piece before. Sealed and signed as a
/// whole.
public struct SegmentRecord: Equatable, Sendable {
    /// The hash of the segment before it; none for the first.
    public var previous: Identifier
    /// The Lamport clock at its end: all of the device's changes up to it are in this segment or before it.
    public var lamport: UInt64
    /// The next segment belongs to it: they are applied together or not at all, and the clock stands still in between.
    public var isContinued: Bool
    /// What the device had seen of the others when it made these changes.
    public var seen: VersionVector
    /// Snapshots that the device has checked and could start from.
    public var acknowledged: [SnapshotName]
    public var notices: [Notice]
    public var changes: [Change]

    public init(
        previous: Identifier, lamport: UInt64, isContinued: Bool = false, seen: VersionVector,
        acknowledged: [SnapshotName] = [],
        notices: [Notice] = [], changes: [Change] = []
    ) {
        (self.previous, self.lamport, self.isContinued, self.seen) = (previous, lamport, isContinued, seen)
        (self.acknowledged, self.notices, self.changes) = (acknowledged, notices, changes)
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(previous)
        sink.append(lamport)
        sink.append(UInt8(isContinued ? 1 : 0))
        seen.encode(into: &sink)
        sink.append(UInt16(truncatingIfNeeded: acknowledged.count))
        for name in acknowledged { name.encode(into: &sink) }
        sink.append(UInt16(truncatingIfNeeded: notices.count))
        for notice in notices { notice.encode(into: &sink) }
        sink.append(UInt32(truncatingIfNeeded: changes.count))
        for change in changes { change.encode(into: &sink) }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        previous = try cursor.identifier(bytes)
        lamport = try cursor.integer(bytes)
        let flag: UInt8 = try cursor.integer(bytes)
        guard flag <= 1 else { throw .invalid(field: "continued") }
        isContinued = flag == 1
        seen = try VersionVector(bytes, &cursor)
        (acknowledged, notices, changes) = ([], [], [])
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            acknowledged.append(try SnapshotName(bytes, &cursor))
        }
        notices = try Notice.list(bytes, &cursor)
        let count = Int(try cursor.integer(bytes, as: UInt32.self))
        // What is announced and not there ends the loop before it costs anything: each change has some bytes.
        for _ in 0..<count { changes.append(try Change(bytes, &cursor)) }
        try cursor.padding(bytes)
    }
}

/// A snapshot: the device that wrote it, and its number.
public struct SnapshotName: Hashable, Sendable {
    public var device: Identifier
    public var sequence: UInt64

    public init(device: Identifier, sequence: UInt64) { (self.device, self.sequence) = (device, sequence) }

    func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(device)
        sink.append(sequence)
    }

    init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        device = try cursor.identifier(bytes)
        sequence = try cursor.integer(bytes)
    }
}

/// What concerns the vault rather than an entry. The bytes are laid out and signed by the module Sealing.
public struct Notice: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// A device was admitted.
        case enrolment = 1
        /// A device was shut out.
        case revocation = 2
        /// The admin key, wrapped; the one with the highest stamp counts.
        case adminWrap = 3
        /// About kits: the identifier of one that was issued, or the address that they are bound to.
        case kit = 4
        /// The account key of a new epoch, sealed for each device.
        case rotation = 5
        /// What people call the device that says so; UTF-8.
        case name = 6
        /// Account keys of one epoch become one of the next.
        case merge = 7
        /// Which placements of the segment a merge has made.
        case settlements = 8
    }

    public var kind: Kind
    public var bytes: [UInt8]

    public init(kind: Kind, bytes: [UInt8]) { (self.kind, self.bytes) = (kind, bytes) }

    func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(kind.rawValue)
        sink.append(UInt32(truncatingIfNeeded: bytes.count))
        sink.append(bytes: bytes)
    }

    /// A count (u16), and so many notices. What a later version may say by a kind that this one does not know is left
    /// out: the rest of a segment counts without it.
    static func list(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) -> [Notice] {
        var notices: [Notice] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            let kind = Kind(rawValue: try cursor.integer(bytes))
            let length = Int(try cursor.integer(bytes, as: UInt32.self))
            guard length <= Limits.notice else { throw .overLimit(field: "notice") }
            let said = try cursor.array(bytes, count: length)
            if let kind { notices.append(Notice(kind: kind, bytes: said)) }
        }
        return notices
    }
}

extension Limits {
    /// The longest notice, in bytes: a rotation for all devices.
    public static let notice = 262_144
    /// What a segment holds is cut at about this many bytes…
    public static let segmentTarget = 1 << 20
    /// …and never longer than this, header and signature included.
    public static let segment = 8 << 20
    /// The least padded size of a segment's record, in bytes.
    public static let segmentFloor = 1024
    /// The longest receipt, in bytes: one that names ``devices`` logs has 48 KiB.
    public static let receipt = 131_072
}
