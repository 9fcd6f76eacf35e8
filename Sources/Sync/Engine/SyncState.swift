internal import Format
internal import Sealing

/// What synchronisation remembers: no secrets, and no more than it needs to tell what is new from what is wrong.
struct SyncState: Equatable, Sendable {
    /// The device that this is the state of: another one than the keys', where the database goes on under a new name.
    var device: Identifier
    /// How far each device's log has been applied; for this device, how far its own has been built.
    var seen = VersionVector()
    /// The last own segment that is at the remote; nil before the first.
    var published: LogPosition?
    /// Own segments up to this one have been removed there, because a snapshot covers them.
    var removed: UInt64 = 0
    /// The devices that were admitted, this one included.
    var members: [Identifier: Member] = [:]
    /// What each device has said that it has seen.
    var seenBy: [Identifier: VersionVector] = [:]
    /// The snapshots that each device has said it can start from.
    var acknowledged: [Identifier: [SnapshotName]] = [:]
    /// The snapshots that this device knows to be whole: its own, and those of others that it has checked.
    var snapshots: [KnownSnapshot] = []
    /// Kits that were issued: a remote that does not know the kit is older than it.
    var kits: [Identifier] = []
    /// Notices that newcomers need for good.
    var standing: [Notice] = []
    /// Who has issued each of ``kits``, and who has said each of ``standing``; none where that is not known. A member that
    /// says a lot takes the place of what it has said itself.
    var authors = Authors()
    /// What is to go into the next own segment.
    var pending: [Notice] = []
    /// The key whose canary was at the remote when it was looked at last.
    var canary: KeyName?
    /// The key that has replaced all others, whose canaries are gone.
    var retired: KeyName?
    /// The account keys; kept apart from the rest, because they are secret.
    var ring: KeyRing
    var volume = Volume()
    /// For how many whole looks each log has been behind what others say of it.
    var overdue: [Identifier: UInt8] = [:]
    /// The removals up to here were forgotten, where there were any.
    var forgotten = VersionVector()
    /// This device goes on after another one: the others are to compare what they show.
    var owesSnapshot = false
    /// What was found wrong at the last look.
    var alarm: SyncAlarm?
    /// How far each device has read the others' logs, by its receipts: for people to see, and nothing rests on it. Of this
    /// device: what its last segment or receipt has said.
    var readBy: [Identifier: [Identifier: UInt64]] = [:]

    /// What was read last of each of the other devices' logs, in order: where a device turns out to have signed two histories,
    /// it tells how far both are the same.
    var trails: [Identifier: [LogPosition]] = [:]
    /// Up to where the logs of devices that were shut out were taken back, as far as they do not count.
    var takenBack: [Identifier: UInt64] = [:]

    init(device: Identifier, ring: KeyRing) { (self.device, self.ring) = (device, ring) }

    struct Member: Equatable, Sendable {
        /// Ed25519, then X25519.
        var keys: [UInt8]
        /// What admitted it; empty for the device that made the vault.
        var enrolment: [UInt8] = []
        var name: [UInt8] = []
        /// What shut it out; empty unless it was.
        var revocation: [UInt8] = []
        /// The last segment that counts, where it was shut out.
        var revokedAfter: UInt64?

        var signingKey: [UInt8] { Array(keys.prefix(32)) }
    }

    struct Authors: Equatable, Sendable {
        var kits: [Identifier] = []
        var standing: [Identifier] = []
    }

    /// The admin key's wraps, the latest that was heard of first.
    var adminWraps: [[UInt8]] {
        standing.reversed().compactMap { $0.kind == .adminWrap && $0.bytes.count == Wrap.size ? $0.bytes : nil }
    }

    /// The devices whose word counts.
    var active: [Identifier] { members.filter { $0.value.revokedAfter == nil }.map(\.key).sorted() }

    /// Everything up to here is known to every device that is not shut out.
    func stable(own: Identifier) -> VersionVector {
        var stable = seen
        for device in active where device != own {
            let theirs = seenBy[device] ?? VersionVector()
            for (other, position) in stable.positions {
                if other == device { continue }
                if theirs[other]?.sequence ?? 0 < position.sequence { stable[other] = theirs[other] }
            }
        }
        return stable
    }

    /// A segment of another device was applied.
    mutating func advance(_ device: Identifier, to position: LogPosition) {
        seen[device] = position
        trails[device, default: []].append(position)
        let most = max(4, SyncState.trailMost / max(1, trails.count))
        for (device, trail) in trails where trail.count > most { trails[device] = trail.suffix(most) }
    }

    /// What was read of a device's log behind a place does not count; nil is the beginning.
    mutating func goBack(_ device: Identifier, to position: LogPosition?) {
        seen[device] = position
        trails[device]?.removeAll { $0.sequence > position?.sequence ?? 0 }
    }

    /// Whether a device has said that it has read all that was read here.
    func isBehind(_ device: Identifier) -> Bool {
        let (said, read) = (seenBy[device] ?? VersionVector(), readBy[device] ?? [:])
        return seen.positions.contains { other, position in
            other != device && max(said[other]?.sequence ?? 0, read[other] ?? 0) < position.sequence
        }
    }

    /// The snapshot that covers most of those from which every device could start.
    func agreed(own: Identifier) -> KnownSnapshot? {
        let active = active
        return snapshots.filter { known in
            active.allSatisfy { $0 == known.name.device || acknowledged[$0]?.contains(known.name) == true }
        }.max { $0.order < $1.order }
    }

    /// Notes a snapshot as whole.
    mutating func add(_ snapshot: KnownSnapshot) {
        snapshots.removeAll { $0.name == snapshot.name }
        snapshots.append(snapshot)
        snapshots.sort { $0.order < $1.order }
        if snapshots.count > SyncState.snapshotsMost { snapshots.removeFirst() }
    }

    /// The most places that are remembered in ``trails``, all devices together.
    static let trailMost = 256
    /// The most notices of one kind in ``standing``…
    static let standingMost = 8
    /// …of which one member has said at most so many.
    static let standingMostOfOne = 2
    /// The most kits that are remembered of one member…
    static let kitsMostOfOne = 64
    /// …and of all.
    static let kitsMost = 1024
    /// The most snapshots that are remembered.
    static let snapshotsMost = 4
    /// The most logs of which it is told that something of them does not come.
    static let namedMost = 32
    /// The most devices that are active at a time…
    static let devicesMost = 1024
    /// …and that there ever were.
    static let devicesEver = Limits.devices
    /// What devices have said that they have seen is kept of as many as have room in so many bytes. Of the others it is as if
    /// they had said nothing yet: removals are remembered for longer, and that is all.
    static let vectorsMost = 2 << 20
    /// A snapshot tells what devices have seen where there are at most so many.
    static let vectorsInManifest = 256

    /// No more devices can be admitted.
    var fullness: SyncError? {
        if members.count >= SyncState.devicesEver { return .tooManyDevices(isForGood: true) }
        return active.count >= SyncState.devicesMost ? .tooManyDevices(isForGood: false) : nil
    }
}

/// A snapshot with what it covers.
struct KnownSnapshot: Equatable, Sendable {
    var name: SnapshotName
    var seen: VersionVector

    /// Later snapshots have more behind them; the name decides between those that know nothing of each other.
    var order: (UInt64, Identifier) {
        (seen.positions.values.reduce(0) { $0 &+ $1.sequence }, name.device)
    }
}
