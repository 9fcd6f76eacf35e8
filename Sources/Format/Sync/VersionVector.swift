/// How far somebody has read the log of one device.
public struct LogPosition: Equatable, Hashable, Sendable {
    /// Counts the segments, from 1; 0 before the first.
    public var sequence: UInt64
    /// BLAKE2b-128 of that segment, so that two histories with the same number are told apart.
    public var hash: Identifier
    /// The device's Lamport clock at the end of the segment: changes up to it are known.
    public var lamport: UInt64

    public init(sequence: UInt64, hash: Identifier, lamport: UInt64) {
        (self.sequence, self.hash, self.lamport) = (sequence, hash, lamport)
    }
}

/// What has been seen of every device's log (a version vector, Parker et al. 1983).
public struct VersionVector: Equatable, Sendable {
    public private(set) var positions: [Identifier: LogPosition] = [:]

    public init() {}

    public subscript(device: Identifier) -> LogPosition? {
        get { positions[device] }
        set { positions[device] = newValue }
    }

    /// Whether a change was known to whoever had seen this much.
    public func covers(_ stamp: Stamp) -> Bool { stamp.lamport <= positions[stamp.device]?.lamport ?? 0 }

    /// Whether everything that `other` has seen was seen here, too, as far as numbers say.
    public func covers(_ other: VersionVector) -> Bool {
        other.positions.allSatisfy { $0.value.sequence <= positions[$0.key]?.sequence ?? 0 }
    }

    /// Appends the count (u16), and for each device in the order of identifiers: device, sequence, hash, lamport.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(UInt16(truncatingIfNeeded: positions.count))
        for (device, position) in positions.sorted(by: { $0.key < $1.key }) {
            sink.append(device)
            sink.append(position.sequence)
            sink.append(position.hash)
            sink.append(position.lamport)
        }
    }

    public init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        let count: UInt16 = try cursor.integer(bytes)
        guard count <= Limits.devices else { throw .overLimit(field: "devices") }
        for _ in 0..<count {
            let device = try cursor.identifier(bytes)
            positions[device] = LogPosition(
                sequence: try cursor.integer(bytes), hash: try cursor.identifier(bytes),
                lamport: try cursor.integer(bytes))
        }
    }
}

extension Identifier: Comparable {
    public static func < (left: Identifier, right: Identifier) -> Bool {
        (left.low, left.high) < (right.low, right.high)
    }
}

extension Stamp: Comparable {
    /// The order that all devices agree on.
    public static func < (left: Stamp, right: Stamp) -> Bool {
        (left.lamport, left.device) < (right.lamport, right.device)
    }
}

extension Limits {
    /// The most devices that a vault has had: those that were shut out keep their place in what others have seen.
    public static let devices = 2048
}
