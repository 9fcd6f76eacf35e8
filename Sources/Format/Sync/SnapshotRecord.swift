/// The first part of a snapshot: what it covers, who the vault's devices are, and which other parts belong to it. It is
/// written last, so that a snapshot is there as a whole or not at all, and names the other parts by their hashes, so
/// that parts of two attempts are never mixed.
public struct SnapshotManifest: Equatable, Sendable {
    /// The Lamport clock of the device that wrote it.
    public var lamport: UInt64
    /// The segments whose outcome the registers are, those of the writer included.
    public var seen: VersionVector
    public var members: [SnapshotMember]
    /// The kits that were issued.
    public var kits: [Identifier]
    /// Notices that a newcomer has to know though their segments are gone: the admin key, rotations.
    public var notices: [Notice]
    /// The hashes of the other parts' objects, from the second on.
    public var parts: [Identifier]

    public init(
        lamport: UInt64, seen: VersionVector, members: [SnapshotMember], kits: [Identifier] = [],
        notices: [Notice] = [], parts: [Identifier] = []
    ) {
        (self.lamport, self.seen, self.members) = (lamport, seen, members)
        (self.kits, self.notices, self.parts) = (kits, notices, parts)
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(lamport)
        seen.encode(into: &sink)
        sink.append(UInt16(truncatingIfNeeded: members.count))
        for member in members { member.encode(into: &sink) }
        sink.append(UInt32(truncatingIfNeeded: kits.count))
        for kit in kits { sink.append(kit) }
        sink.append(UInt16(truncatingIfNeeded: notices.count))
        for notice in notices { notice.encode(into: &sink) }
        sink.append(UInt32(truncatingIfNeeded: parts.count))
        for part in parts { sink.append(part) }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        lamport = try cursor.integer(bytes)
        seen = try VersionVector(bytes, &cursor)
        (members, kits, notices, parts) = ([], [], [], [])
        let devices: UInt16 = try cursor.integer(bytes)
        guard devices <= Limits.devices else { throw .overLimit(field: "devices") }
        // What is announced and not there ends each loop before it costs anything.
        for _ in 0..<devices { members.append(try SnapshotMember(bytes, &cursor)) }
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) { kits.append(try cursor.identifier(bytes)) }
        notices = try Notice.list(bytes, &cursor)
        let count: UInt32 = try cursor.integer(bytes)
        guard count <= Limits.snapshotParts else { throw .overLimit(field: "parts") }
        for _ in 0..<count { parts.append(try cursor.identifier(bytes)) }
        try cursor.padding(bytes)
    }
}

/// A device of the vault, as a newcomer has to know it. The signed records are laid out by the module Sealing.
public struct SnapshotMember: Equatable, Sendable {
    public var device: Identifier
    /// Signed by the admin key; empty for the device that made the vault.
    public var enrolment: [UInt8]
    /// Signed by the admin key; empty unless the device was shut out.
    public var revocation: [UInt8]
    /// What people call it; UTF-8, at most 255 bytes.
    public var name: [UInt8]
    /// What it has said that it has seen.
    public var seen: VersionVector
    /// The snapshots that it has said it can start from.
    public var acknowledged: [SnapshotName]

    public init(
        device: Identifier, enrolment: [UInt8] = [], revocation: [UInt8] = [], name: [UInt8] = [],
        seen: VersionVector = VersionVector(), acknowledged: [SnapshotName] = []
    ) {
        (self.device, self.enrolment, self.revocation) = (device, enrolment, revocation)
        (self.name, self.seen, self.acknowledged) = (name, seen, acknowledged)
    }

    func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(device)
        for field in [enrolment, revocation] {
            sink.append(UInt16(truncatingIfNeeded: field.count))
            sink.append(bytes: field)
        }
        let label = Array(name.prefix(255))
        sink.append(UInt8(truncatingIfNeeded: label.count))
        sink.append(bytes: label)
        seen.encode(into: &sink)
        sink.append(UInt16(truncatingIfNeeded: acknowledged.count))
        for name in acknowledged { name.encode(into: &sink) }
    }

    init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        device = try cursor.identifier(bytes)
        enrolment = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt16.self)))
        revocation = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt16.self)))
        name = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt8.self)))
        seen = try VersionVector(bytes, &cursor)
        acknowledged = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            acknowledged.append(try SnapshotName(bytes, &cursor))
        }
    }
}

/// A part of a snapshot from the second on: registers.
public struct SnapshotPart: Equatable, Sendable {
    public var registers: [SnapshotRegister]

    public init(registers: [SnapshotRegister]) { self.registers = registers }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(UInt32(truncatingIfNeeded: registers.count))
        for register in registers { register.encode(into: &sink) }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        registers = []
        // What is announced and not there ends the loop before it costs anything: each register has some bytes.
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            registers.append(try SnapshotRegister(bytes, &cursor))
        }
        try cursor.padding(bytes)
    }
}

extension Limits {
    /// A part of a snapshot is cut at about this many bytes; none is longer than ``segment``.
    public static let snapshotTarget = 1 << 20
    /// The most parts of a snapshot: about 64 GiB of registers.
    public static let snapshotParts = 65_536
}
