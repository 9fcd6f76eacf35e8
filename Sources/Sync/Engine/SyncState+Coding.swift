internal import Format
internal import Sealing
internal import Vault

extension SyncState {
    /// 2 has what was forgotten at its end. What receipts say comes behind it, and programs from before them read over it.
    /// 3 is laid out as 2 is, by programs in whose hands devices that know the same show the same.
    private static let version: UInt8 = 3

    /// The version of a state that a newer program has saved; nil for all others.
    static func newerFormat(_ bytes: [UInt8]) -> Int? {
        bytes.first.flatMap { $0 > SyncState.version ? Int($0) : nil }
    }

    var encoded: [UInt8] {
        var sink = PlainBuffer(capacity: 1024)
        sink.append(SyncState.version)
        sink.append(device)
        seen.encode(into: &sink)
        sink.append(position: published)
        sink.append(removed)
        sink.append(UInt16(truncatingIfNeeded: members.count))
        let kept = devicesWithVectors
        for (device, member) in members.sorted(by: { $0.key < $1.key }) {
            encode(device, member, keepsVector: kept.contains(device), into: &sink)
        }
        sink.append(UInt16(truncatingIfNeeded: snapshots.count))
        for snapshot in snapshots {
            sink.append(snapshot.name.device)
            sink.append(snapshot.name.sequence)
            snapshot.seen.encode(into: &sink)
        }
        sink.append(UInt16(truncatingIfNeeded: kits.count))
        for kit in kits { sink.append(kit) }
        for list in [standing, pending] { SyncState.encode(list, into: &sink) }
        for name in [canary, retired] { for word in [name?.low ?? 0, name?.high ?? 0] { sink.append(word) } }
        for number in [
            volume.snapshot, volume.tail, volume.segments, volume.live, volume.registers, volume.countedTail,
            volume.countedSegments,
        ] {
            sink.append(number)
        }
        sink.append(UInt16(truncatingIfNeeded: overdue.count))
        for (device, count) in overdue.sorted(by: { $0.key < $1.key }) {
            sink.append(device)
            sink.append(count)
        }
        sink.append(alarm?.kind.rawValue ?? 0)
        sink.append(alarm?.alarm.device ?? .none)
        sink.append(alarm?.alarm.sequence ?? 0)
        let object = Array((alarm?.alarm.object ?? "").utf8.prefix(512))
        sink.append(UInt16(truncatingIfNeeded: object.count))
        sink.append(bytes: object)
        forgotten.encode(into: &sink)
        sink.append(UInt8(owesSnapshot ? 1 : 0))
        encodeReceipts(of: kept, into: &sink)
        for list in [authors.kits, authors.standing] {
            sink.append(UInt16(truncatingIfNeeded: list.count))
            for author in list { sink.append(author) }
        }
        encodeTrails(into: &sink)
        return sink.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    /// The devices of which it is kept what they have seen: this one, and others as long as there is room. Nobody waits for a
    /// device that was shut out.
    private var devicesWithVectors: Set<Identifier> {
        var kept: Set<Identifier> = []
        var room = SyncState.vectorsMost
        for id in [device] + active where members[id] != nil {
            guard !kept.contains(id) else { continue }
            room -= (seenBy[id]?.positions.count ?? 0) * 48 + (readBy[id]?.count ?? 0) * 24
            guard room >= 0 else { break }
            kept.insert(id)
        }
        return kept
    }

    private func encode(
        _ device: Identifier, _ member: Member, keepsVector: Bool, into sink: inout PlainBuffer
    ) {
        sink.append(device)
        sink.append(bytes: member.keys)
        for field in [member.enrolment, member.revocation, Array(member.name.prefix(255))] {
            sink.append(UInt16(truncatingIfNeeded: field.count))
            sink.append(bytes: field)
        }
        sink.append(member.revokedAfter ?? .max)
        let said = keepsVector ? seenBy[device] ?? VersionVector() : VersionVector()
        said.encode(into: &sink)
        let names = acknowledged[device] ?? []
        sink.append(UInt16(truncatingIfNeeded: names.count))
        for name in names {
            sink.append(name.device)
            sink.append(name.sequence)
        }
    }

    private func encodeReceipts(of kept: Set<Identifier>, into sink: inout PlainBuffer) {
        let receipts = readBy.filter { kept.contains($0.key) }
        sink.append(UInt16(truncatingIfNeeded: receipts.count))
        for (device, read) in receipts.sorted(by: { $0.key < $1.key }) {
            sink.append(device)
            sink.append(UInt16(truncatingIfNeeded: read.count))
            for (other, sequence) in read.sorted(by: { $0.key < $1.key }) {
                sink.append(other)
                sink.append(sequence)
            }
        }
    }

    private mutating func decodeReceipts(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        guard cursor.offset < bytes.byteCount else { return }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            let device = try cursor.identifier(of: bytes)
            for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
                readBy[device, default: [:]][try cursor.identifier(of: bytes)] = try cursor.integer(bytes)
            }
        }
    }

    private static func encode(_ notices: [Notice], into sink: inout PlainBuffer) {
        sink.append(UInt16(truncatingIfNeeded: notices.count))
        for notice in notices {
            sink.append(notice.kind.rawValue)
            sink.append(UInt32(truncatingIfNeeded: notice.bytes.count))
            sink.append(bytes: notice.bytes)
        }
    }

    init(decoding array: [UInt8], ring: KeyRing) throws(FormatError) {
        self = try unsafe SyncState(array.span.bytes, ring)
    }

    private init(_ bytes: RawSpan, _ ring: KeyRing) throws(FormatError) {
        var cursor = Cursor()
        let version = try cursor.integer(bytes, as: UInt8.self)
        guard (1...SyncState.version).contains(version) else { throw .invalid(field: "sync state") }
        self.init(device: try cursor.identifier(of: bytes), ring: ring)
        seen = try VersionVector(bytes, &cursor)
        published = try cursor.position(bytes)
        removed = try cursor.integer(bytes)
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) { try decodeMember(bytes, &cursor) }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            let name = SnapshotName(device: try cursor.identifier(of: bytes), sequence: try cursor.integer(bytes))
            snapshots.append(KnownSnapshot(name: name, seen: try VersionVector(bytes, &cursor)))
        }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) { kits.append(try cursor.identifier(of: bytes)) }
        standing = try SyncState.notices(bytes, &cursor)
        pending = try SyncState.notices(bytes, &cursor)
        (canary, retired) = (try cursor.keyName(bytes), try cursor.keyName(bytes))
        volume = Volume(
            snapshot: try cursor.integer(bytes), tail: try cursor.integer(bytes), segments: try cursor.integer(bytes),
            live: try cursor.integer(bytes), registers: try cursor.integer(bytes),
            countedTail: try cursor.integer(bytes), countedSegments: try cursor.integer(bytes))
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            overdue[try cursor.identifier(of: bytes)] = try cursor.integer(bytes)
        }
        let kind = SyncAlarm.Kind(rawValue: try cursor.integer(bytes))
        let device = try cursor.identifier(of: bytes)
        let sequence: UInt64 = try cursor.integer(bytes)
        let object = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt16.self)))
        alarm = kind.map {
            let text = String(decoding: object, as: UTF8.self)
            return SyncAlarm(kind: $0, alarm: Alarm(device: device, sequence: sequence, object: text))
        }
        defer { completeAuthors() }
        guard version > 1 else { return }
        forgotten = try VersionVector(bytes, &cursor)
        owesSnapshot = try cursor.integer(bytes, as: UInt8.self) != 0
        // Programs from before may have left devices that show different things: they compare themselves, once.
        if version < 3, members.count > 1 { owesSnapshot = true }
        try decodeReceipts(bytes, &cursor)
        try decodeAuthors(bytes, &cursor)
        try decodeTrails(bytes, &cursor)
    }

    private func encodeTrails(into sink: inout PlainBuffer) {
        sink.append(UInt16(truncatingIfNeeded: trails.count))
        for (device, trail) in trails.sorted(by: { $0.key < $1.key }) {
            sink.append(device)
            sink.append(UInt16(truncatingIfNeeded: trail.count))
            for position in trail { sink.append(position: position) }
        }
        sink.append(UInt16(truncatingIfNeeded: takenBack.count))
        for (device, sequence) in takenBack.sorted(by: { $0.key < $1.key }) {
            sink.append(device)
            sink.append(sequence)
        }
    }

    private mutating func decodeTrails(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        guard cursor.offset < bytes.byteCount else { return }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            let device = try cursor.identifier(of: bytes)
            for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
                if let position = try cursor.position(bytes) { trails[device, default: []].append(position) }
            }
        }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            takenBack[try cursor.identifier(of: bytes)] = try cursor.integer(bytes)
        }
    }

    /// Programs from before have not kept who has said what.
    private mutating func decodeAuthors(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        guard cursor.offset < bytes.byteCount else { return }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            authors.kits.append(try cursor.identifier(of: bytes))
        }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            authors.standing.append(try cursor.identifier(of: bytes))
        }
    }

    /// As many authors as there are things that they have said.
    private mutating func completeAuthors() {
        func complete(_ list: [Identifier], _ count: Int) -> [Identifier] {
            Array((list + Array(repeating: .none, count: max(0, count - list.count))).prefix(count))
        }
        authors.kits = complete(authors.kits, kits.count)
        authors.standing = complete(authors.standing, standing.count)
    }

    private mutating func decodeMember(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        let device = try cursor.identifier(of: bytes)
        var member = Member(keys: try cursor.array(bytes, count: 64))
        member.enrolment = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt16.self)))
        member.revocation = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt16.self)))
        member.name = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt16.self)))
        let revoked: UInt64 = try cursor.integer(bytes)
        member.revokedAfter = revoked == .max ? nil : revoked
        members[device] = member
        seenBy[device] = try VersionVector(bytes, &cursor)
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            let name = SnapshotName(device: try cursor.identifier(of: bytes), sequence: try cursor.integer(bytes))
            acknowledged[device, default: []].append(name)
        }
    }

    private static func notices(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) -> [Notice] {
        var notices: [Notice] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            guard let kind = Notice.Kind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "notice") }
            let length = Int(try cursor.integer(bytes, as: UInt32.self))
            notices.append(Notice(kind: kind, bytes: try cursor.array(bytes, count: length)))
        }
        return notices
    }
}

extension PlainBuffer {
    fileprivate mutating func append(_ identifier: Identifier) {
        append(identifier.low)
        append(identifier.high)
    }

    fileprivate mutating func append(position: LogPosition?) {
        append(position?.sequence ?? 0)
        append(position?.hash ?? .none)
        append(position?.lamport ?? 0)
    }
}

extension Cursor {
    fileprivate mutating func identifier(of bytes: RawSpan) throws(FormatError) -> Identifier {
        Identifier(low: try integer(bytes), high: try integer(bytes))
    }

    fileprivate mutating func keyName(_ bytes: RawSpan) throws(FormatError) -> KeyName? {
        let name = KeyName(low: try integer(bytes), high: try integer(bytes))
        return name == KeyName(low: 0, high: 0) ? nil : name
    }

    fileprivate mutating func position(_ bytes: RawSpan) throws(FormatError) -> LogPosition? {
        let position = LogPosition(
            sequence: try integer(bytes), hash: try identifier(of: bytes), lamport: try integer(bytes))
        return position.sequence == 0 ? nil : position
    }
}
