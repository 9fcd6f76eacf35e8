internal import Format
internal import Sealing
internal import Vault

/// What synchronisation remembers: no secrets, and no more than it needs to tell what is new from what is wrong.
struct SyncState: Equatable, Sendable {
    /// How far each device's log has been applied; for this device, how far its own has been built.
    var seen = VersionVector()
    /// Own segments up to this one are at the remote.
    var published: UInt64 = 0
    /// Own segments up to this one have been removed there, because snapshots cover them.
    var removed: UInt64 = 0
    /// The devices that were admitted, this one included.
    var members: [Identifier: Member] = [:]
    /// What each device has said that it has seen.
    var seenBy: [Identifier: VersionVector] = [:]
    /// The snapshots that each device has said it can start from.
    var acknowledged: [Identifier: [SnapshotName]] = [:]
    /// Kits that were issued: a remote that does not know the kit is older than it.
    var kits: [Identifier] = []
    /// What is to go into the next own segment.
    var pending: [Notice] = []
    /// The key whose canary was at the remote when it was looked at last.
    var canary: KeyName?
    /// The key that has replaced all others, whose canaries are gone.
    var retired: KeyName?
    /// The admin key, wrapped under the master password: the latest that anybody announced.
    var adminWrap: [UInt8] = []
    var adminWrapStamp = Stamp(lamport: 0, device: .none)
    /// The account keys; kept apart from the rest, because they are secret.
    var ring: KeyRing

    init(ring: KeyRing) { self.ring = ring }

    struct Member: Equatable, Sendable {
        /// Ed25519, then X25519.
        var keys: [UInt8]
        var name: [UInt8] = []
        /// The last segment that counts, where it was shut out.
        var revokedAfter: UInt64?

        var signingKey: [UInt8] { Array(keys.prefix(32)) }
    }

    /// Everything up to here is known to every device that is not shut out.
    func stable(own: Identifier) -> VersionVector {
        var stable = seen
        for (device, member) in members where member.revokedAfter == nil && device != own {
            let theirs = seenBy[device] ?? VersionVector()
            for (other, position) in stable.positions {
                if other == device { continue }
                if theirs[other]?.sequence ?? 0 < position.sequence { stable[other] = theirs[other] }
            }
        }
        return stable
    }
}

extension SyncState {
    /// What a device says of itself and of the vault, in a segment that ends at a clock.
    mutating func note(_ notice: Notice, by device: Identifier, at lamport: UInt64) {
        switch notice.kind {
        case .name: members[device]?.name = Array(notice.bytes.prefix(255))
        case .kit:
            if let kit = Identifier(bytes: notice.bytes), !kits.contains(kit) { kits.append(kit) }
        case .adminWrap:
            let stamp = Stamp(lamport: lamport, device: device)
            guard notice.bytes.count == Wrap.size, stamp >= adminWrapStamp || adminWrap.isEmpty else { return }
            (adminWrap, adminWrapStamp) = (notice.bytes, stamp)
        case .enrolment, .revocation, .rotation, .merge: break
        }
    }
}

extension SyncState {
    private static let version: UInt8 = 1

    var encoded: [UInt8] {
        var sink = PlainBuffer(capacity: 1024)
        sink.append(SyncState.version)
        seen.encode(into: &sink)
        sink.append(published)
        sink.append(removed)
        sink.append(UInt16(truncatingIfNeeded: members.count))
        for (device, member) in members.sorted(by: { $0.key < $1.key }) {
            sink.append(device.low)
            sink.append(device.high)
            sink.append(bytes: member.keys)
            sink.append(UInt8(truncatingIfNeeded: min(255, member.name.count)))
            sink.append(bytes: Array(member.name.prefix(255)))
            sink.append(member.revokedAfter ?? .max)
            (seenBy[device] ?? VersionVector()).encode(into: &sink)
            let names = acknowledged[device] ?? []
            sink.append(UInt16(truncatingIfNeeded: names.count))
            for name in names { for word in [name.device.low, name.device.high, name.sequence] { sink.append(word) } }
        }
        sink.append(UInt16(truncatingIfNeeded: kits.count))
        for kit in kits { for word in [kit.low, kit.high] { sink.append(word) } }
        sink.append(UInt16(truncatingIfNeeded: pending.count))
        for notice in pending {
            sink.append(notice.kind.rawValue)
            sink.append(UInt32(truncatingIfNeeded: notice.bytes.count))
            sink.append(bytes: notice.bytes)
        }
        for name in [canary, retired] { for word in [name?.low ?? 0, name?.high ?? 0] { sink.append(word) } }
        sink.append(UInt16(truncatingIfNeeded: adminWrap.count))
        sink.append(bytes: adminWrap)
        for word in [adminWrapStamp.lamport, adminWrapStamp.device.low, adminWrapStamp.device.high] {
            sink.append(word)
        }
        return sink.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    init(decoding array: [UInt8], ring: KeyRing) throws(FormatError) {
        self = try unsafe SyncState(array.span.bytes, ring)
    }

    private init(_ bytes: RawSpan, _ ring: KeyRing) throws(FormatError) {
        self.init(ring: ring)
        var cursor = Cursor()
        func identifier(_ cursor: inout Cursor) throws(FormatError) -> Identifier {
            Identifier(low: try cursor.integer(bytes), high: try cursor.integer(bytes))
        }
        guard try cursor.integer(bytes, as: UInt8.self) == SyncState.version else {
            throw .invalid(field: "sync state")
        }
        seen = try VersionVector(bytes, &cursor)
        published = try cursor.integer(bytes)
        removed = try cursor.integer(bytes)
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            let device = try identifier(&cursor)
            var member = Member(keys: try cursor.array(bytes, count: 64))
            member.name = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt8.self)))
            let revoked: UInt64 = try cursor.integer(bytes)
            member.revokedAfter = revoked == .max ? nil : revoked
            members[device] = member
            seenBy[device] = try VersionVector(bytes, &cursor)
            for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
                let name = SnapshotName(device: try identifier(&cursor), sequence: try cursor.integer(bytes))
                acknowledged[device, default: []].append(name)
            }
        }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) { kits.append(try identifier(&cursor)) }
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            guard let kind = Notice.Kind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "notice") }
            let length = Int(try cursor.integer(bytes, as: UInt32.self))
            pending.append(Notice(kind: kind, bytes: try cursor.array(bytes, count: length)))
        }
        (canary, retired) = (try SyncState.keyName(bytes, &cursor), try SyncState.keyName(bytes, &cursor))
        adminWrap = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt16.self)))
        adminWrapStamp = Stamp(lamport: try cursor.integer(bytes), device: try identifier(&cursor))
    }

    private static func keyName(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) -> KeyName? {
        let name = KeyName(low: try cursor.integer(bytes), high: try cursor.integer(bytes))
        return name == KeyName(low: 0, high: 0) ? nil : name
    }
}
