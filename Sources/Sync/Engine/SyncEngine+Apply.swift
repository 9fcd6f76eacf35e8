internal import Format
internal import Sealing

/// Taking other devices' segments into the replica.
extension SyncEngine {
    /// Applies segments that belong together; false where something of them is not at the remote yet.
    func apply(_ group: [CheckedSegment]) async throws(SyncError) -> Bool {
        var fetched = 0
        for segment in group {
            guard let bytes = try await fetchBlobs(of: chunks(of: segment.record.changes)) else { return false }
            fetched += bytes
        }
        let before = state
        let rules = environment.rules
        let arrived = fetched
        var gathered = SegmentGroup()
        if group.count > 1 { for segment in group { gathered.add(segment.record.changes) } }
        let whole = gathered
        let (after, conflicts) = try settingAside { (replica, refused, subject) throws(SyncError) in
            var next = before
            if rules.buildsBeforeApplying { try build(replica, &next) }
            var conflicts: [Conflict] = []
            // Who joins takes what there is for given.
            if let last = group.last, next.members[own] != nil {
                replica.attribute(to: last.device, segment: last.position.sequence)
            }
            for segment in group {
                conflicts += try apply(segment, of: whole, refused, replica, before.seen, &next, &subject)
            }
            next.volume.add(arrived)
            try save(next, after: before, in: replica)
            return (next, conflicts)
        }
        state = after
        report.pulledSegments += group.count
        report.pulledChanges += group.reduce(0) { $0 + $1.record.changes.count }
        report.conflicts += conflicts
        return true
    }

    private nonisolated func apply(
        _ segment: CheckedSegment, of group: SegmentGroup, _ refused: Set<Identifier>, _ replica: R.Transaction,
        _ applied: VersionVector, _ state: inout SyncState, _ subject: inout Identifier?
    ) throws(SyncError) -> [Conflict] {
        try take(segment, into: &state)
        try count(segment.record, replica, in: &state)
        let said = SetAside(
            author: segment.device, sequence: segment.position.sequence, before: applied[segment.device],
            record: segment.record)
        let merge = try apply(said, of: group, refused, applied, replica, state, &subject)
        replica.lamport = max(replica.lamport, segment.position.lamport)
        state.advance(segment.device, to: segment.position)
        return merge.conflicts
    }

    nonisolated func settlements(in notices: [Notice]) -> [Identifier: EntryRecord.Settlement] {
        var found: [Identifier: EntryRecord.Settlement] = [:]
        for notice in notices where notice.kind == .settlements {
            // What cannot be read is as if it were not said: entries stay that could go.
            let record = unsafe try? SettlementsRecord(decoding: notice.bytes.span.bytes)
            found.merge(record?.settlements ?? [:]) { $1 }
        }
        return found
    }

    nonisolated func naming(_ state: SyncState) -> ConflictNaming {
        let names = state.members.compactMapValues { $0.name.isEmpty ? nil : $0.name }
        return ConflictNaming(devices: names, date: environment.date())
    }

    /// What a segment says about the vault's devices, and about what its writer knows.
    private nonisolated func take(_ segment: CheckedSegment, into state: inout SyncState) throws(SyncError) {
        admit(segment.record, to: &state)
        note(segment.record.notices, of: segment.device, in: &state)
        try takeKeys(segment, into: &state)
        var known = segment.record.seen
        known[segment.device] = segment.position
        // What it says of others than members is of no use, and would grow without a bound.
        for device in known.positions.keys where state.members[device] == nil { known[device] = nil }
        state.seenBy[segment.device] = known
        state.acknowledged[segment.device] = Array(segment.record.acknowledged.prefix(SyncState.snapshotsMost))
    }

    /// Takes notices into the state: those of others as they are applied, own ones as they are put into a segment.
    nonisolated func note(_ notices: [Notice], of device: Identifier, in state: inout SyncState) {
        for notice in notices {
            switch notice.kind {
            case .revocation: revoke(notice.bytes, in: &state)
            case .name: state.members[device]?.name = Array(notice.bytes.prefix(255))
            case .kit:
                guard let kit = Identifier(bytes: notice.bytes) else {
                    keep(address: notice, in: &state)
                    continue
                }
                state.add(kit: kit, of: device)
            case .adminWrap:
                guard notice.bytes.count == Wrap.size else { continue }
                keep(notice, of: device, in: &state)
            case .rotation, .merge:
                guard isWhole(notice, state.ring) else { continue }
                keep(notice, of: device, in: &state)
            case .enrolment, .settlements: break
            }
        }
    }

    /// Notices that newcomers need though their segments are gone. The latest of each kind are enough: who has no box in a
    /// rotation has none in the next ones either.
    ///
    /// - Parameter author: who says so; nil where a snapshot does.
    nonisolated func keep(_ notice: Notice, of author: Identifier?, in state: inout SyncState) {
        if notice.kind == .kit { return keep(address: notice, in: &state) }
        state.keep(notice, of: author)
    }

    /// Whether it is what it says, of keys that there are: others are not kept, whoever has signed the segment.
    private nonisolated func isWhole(_ notice: Notice, _ ring: KeyRing) -> Bool {
        guard notice.kind == .rotation else {
            return KeyMerge(notice.bytes)?.parents.allSatisfy { ring[$0] != nil } ?? false
        }
        guard let admin = Genesis.adminKey(keys.genesis) else { return false }
        return Rotation(notice.bytes, vault: keys.vault.pair, admin: admin) != nil
    }

    /// Keeps the account's address, unless a later one is known: it stands as a notice about kits that is no identifier.
    private nonisolated func keep(address notice: Notice, in state: inout SyncState) {
        guard let found = address(in: notice) else { return }
        if let known = address(in: state), !(known < found) { return }
        state.removeStanding { $0.kind == .kit }
        state.keep(notice, of: nil)
    }

    private nonisolated func address(in notice: Notice) -> AccountAddress? {
        guard notice.kind == .kit, let admin = Genesis.adminKey(keys.genesis),
            let address = AccountAddress(notice.bytes, vault: keys.vault.pair, admin: admin),
            // A clock that is used up would leave none for the next address.
            address.clock < LogReader.lamportLimit
        else { return nil }
        return address
    }

    private nonisolated func address(in state: SyncState) -> AccountAddress? {
        state.standing.compactMap(address(in:)).max(by: <)
    }

    /// The account's e-mail address, as the logs tell it.
    var accountAddress: AccountAddress? { address(in: state) }

    /// Shuts out the device that the admin key says; the lowest end counts.
    nonisolated func revoke(_ bytes: [UInt8], in state: inout SyncState) {
        guard let admin = Genesis.adminKey(keys.genesis),
            let revocation = Revocation(bytes, vault: keys.vault.pair, admin: admin),
            let device = Identifier(bytes: revocation.device), let member = state.members[device]
        else { return }
        revoke(device, after: revocation.last, &state)
        let known = Revocation(member.revocation, vault: keys.vault.pair, admin: admin)
        if known.map({ revocation.position.precedes($0.position) }) ?? true {
            state.members[device]?.revocation = bytes
        }
    }

    /// Admits the devices that the admin key vouches for.
    nonisolated func admit(_ record: SegmentRecord, to state: inout SyncState) {
        for notice in record.notices where notice.kind == .enrolment {
            guard let device = admit(notice.bytes, to: &state) else { continue }
            // Somebody who had not heard of the rotation has taken it in; it has no part in what came then.
            if state.ring.hasRotation(unknownTo: record) { revoke(device, after: 0, &state) }
        }
    }

    /// - Returns: the device, where it was none before.
    @discardableResult
    nonisolated func admit(_ bytes: [UInt8], to state: inout SyncState) -> Identifier? {
        guard let admin = Genesis.adminKey(keys.genesis),
            let enrolment = Enrolment(bytes, vault: keys.vault.pair, admin: admin),
            let device = Identifier(bytes: enrolment.device), state.members[device] == nil,
            state.members.count < SyncState.devicesEver
        else { return nil }
        state.members[device] = SyncState.Member(keys: enrolment.deviceKeys, enrolment: bytes)
        return device
    }

    /// A device that has published nothing yet joins what is there: if that does not know of its kit, it is older.
    func checkKit() throws(SyncError) {
        guard let kit = environment.joinedWithKit, state.published == nil, !state.kits.contains(kit) else { return }
        throw .rolledBack(Alarm(device: own, sequence: 0, object: "kit " + kit.hexadecimal))
    }
}

extension AccountAddress {
    fileprivate static func < (left: AccountAddress, right: AccountAddress) -> Bool {
        (left.clock, Identifier(left.device)) < (right.clock, Identifier(right.device))
    }
}

extension Identifier {
    fileprivate init(_ pair: (UInt64, UInt64)) { self.init(low: pair.0, high: pair.1) }
}
