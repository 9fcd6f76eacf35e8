public import Format
public import Sealing

/// Account keys of later epochs: making them, learning of them, and their canaries.
extension SyncEngine {
    /// Puts a new account key in the place of the present one, and shuts devices out: they can read nothing that is
    /// written from here on, and what they write counts no more.
    ///
    /// What is new is pulled first, and all of it is at the remote when this returns. Where it throws after the new key was
    /// made, the next ``sync()`` goes on.
    ///
    /// - Parameters:
    ///   - admin: the vault's admin key.
    ///   - devices: those to be shut out, each with the last segment of it that counts; nil is what was read of it.
    ///   - seconds: now, since 1970: for people only.
    /// - Throws: ``SyncError/store(_:)`` with EINVAL for another vault's admin key.
    public func rotate(
        admin: borrowing AdminKey, shuttingOut devices: [Identifier: UInt64?] = [:], seconds: Int64
    ) async throws(SyncError) -> SyncReport {
        guard admin.publicKey == Genesis.adminKey(keys.genesis) else { throw .store(22) }
        shortLooks = nil
        try await synchronise(whole: true)
        try addRotation(admin, devices.filter { $0.key != own }, seconds)
        try await publish()
        return report
    }

    /// This device takes itself out: what it has is at the remote, the others have a key that is none of its own any more,
    /// and what it might still write counts for nobody. Where that was done before and cut off, it is brought to its end.
    ///
    /// - Throws: ``SyncError/revoked`` where another device has shut this one out, and it has something that nobody has.
    public func leave(admin: borrowing AdminKey, seconds: Int64) async throws(SyncError) -> SyncReport {
        guard admin.publicKey == Genesis.adminKey(keys.genesis) else { throw .store(22) }
        shortLooks = nil
        try begin()
        if state.members[own]?.revokedAfter == nil {
            do throws(SyncError) {
                try await synchronise(whole: true)
                try addRotation(admin, [own: nil], seconds)
            } catch {
                guard error == .revoked else { throw error }
            }
        }
        let last = state.members[own]?.revokedAfter ?? 0
        let isLost = try replica.transaction { (replica) throws(SyncError) in
            let changes = try replica.ownChanges(atMost: 1)
            let waiting = try replica.outbox()
            return !changes.isEmpty || waiting.contains { $0.sequence > last }
        }
        guard !isLost else { throw .revoked }
        try await publishCanary()
        try await sendOutbox()
        return report
    }

    private func addRotation(
        _ admin: borrowing AdminKey, _ devices: [Identifier: UInt64?], _ seconds: Int64
    ) throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            // What was changed until now is of the old epoch.
            try build(replica, &next)
            try mergeKeys(replica, &next)
            var notices: [Notice] = []
            for (device, last) in devices.sorted(by: { $0.key < $1.key }) {
                guard next.members[device] != nil else { continue }
                let end = end(of: device, last, next)
                let revocation = Revocation(
                    vault: keys.vault.pair, device: device.bytes, last: end.sequence, hash: end.hash.bytes,
                    lamport: end.lamport, seconds: seconds, admin: admin)
                notices.append(Notice(kind: .revocation, bytes: revocation.bytes))
                revoke(revocation.bytes, in: &next)
            }
            let staying = next.members.filter { $0.value.revokedAfter == nil }.sorted { $0.key < $1.key }
            let key = next.ring.nextKey()
            let rotation = Rotation(
                key, in: next.ring, for: staying.map { ($0.key.pair, $0.value.keys) }, seconds: seconds, admin: admin)
            notices.append(Notice(kind: .rotation, bytes: rotation.bytes))
            let sequence = try announce(notices, replica, &next)
            next.ring.add(key, parents: rotation.parents, origin: .init(device: own.pair, sequence: sequence))
            try save(next, after: before, in: replica)
            return next
        }
    }

    /// The last segment of a device that is to count.
    nonisolated func end(of device: Identifier, _ last: UInt64?, _ state: SyncState) -> LogPosition {
        let read = state.seen[device] ?? LogPosition(sequence: 0, hash: .none, lamport: 0)
        if device == own {
            // The segment that says so is the last.
            return LogPosition(sequence: read.sequence + 1, hash: .none, lamport: read.lamport)
        }
        guard let last, last != read.sequence else { return read }
        let known = state.trails[device]?.first { $0.sequence == last }
        return known ?? LogPosition(sequence: last, hash: .none, lamport: 0)
    }

    /// Where rotations did not know of each other: their keys make one together, which is used from here on.
    ///
    /// - Returns: whether a segment says so.
    @discardableResult
    nonisolated func mergeKeys(_ replica: R.Transaction, _ state: inout SyncState) throws(SyncError) -> Bool {
        let heads = state.ring.heads
        guard heads.count > 1, state.members[own] != nil else { return false }
        let merge = KeyMerge(of: heads.suffix(KeyRing.parentLimit).map(\.name))
        guard let key = state.ring.merged(merge.parents) else { return false }
        let sequence = try announce([Notice(kind: .merge, bytes: merge.bytes)], replica, &state)
        state.ring.add(key, parents: merge.parents, origin: .init(device: own.pair, sequence: sequence))
        return true
    }

    /// A segment of notices alone, under the present key: nothing that anybody has changed is in it, because who is shut out
    /// by what it says can still read it.
    private nonisolated func announce(
        _ notices: [Notice], _ replica: R.Transaction, _ state: inout SyncState
    ) throws(SyncError) -> UInt64 {
        var seen = state.seen
        seen[own] = nil
        let previous = state.seen[own]
        let record = SegmentRecord(
            previous: previous?.hash ?? .none, lamport: previous?.lamport ?? 0, seen: seen,
            acknowledged: state.snapshots.map(\.name), notices: notices)
        let sequence = try append(record, replica, &state)
        note(notices, of: own, in: &state)
        state.acknowledged[own] = record.acknowledged
        try count(record, replica, in: &state)
        return sequence
    }

    // MARK: What others say

    /// What a segment says of account keys.
    nonisolated func takeKeys(_ segment: CheckedSegment, into state: inout SyncState) throws(SyncError) {
        guard let admin = Genesis.adminKey(keys.genesis) else { return }
        for notice in segment.record.notices {
            switch notice.kind {
            case .rotation:
                guard let rotation = Rotation(notice.bytes, vault: keys.vault.pair, admin: admin) else { continue }
                try take(rotation, segment, into: &state)
            case .merge: if let merge = KeyMerge(notice.bytes) { take(merge, segment, into: &state) }
            default: break
            }
        }
    }

    /// What a snapshot says of account keys whose segments are gone: who has no box in a later rotation than the one that it
    /// was enrolled after is shut out.
    nonisolated func takeKeys(_ manifest: SnapshotManifest, into state: inout SyncState) {
        guard let admin = Genesis.adminKey(keys.genesis) else { return }
        for notice in manifest.notices {
            if notice.kind == .merge, let merge = KeyMerge(notice.bytes), let key = state.ring.merged(merge.parents) {
                state.ring.add(key, parents: merge.parents, origin: nil)
            }
            guard notice.kind == .rotation,
                let rotation = Rotation(notice.bytes, vault: keys.vault.pair, admin: admin), rotation.parents.count == 1
            else { continue }
            if state.ring[rotation.name] == nil,
                let key = rotation.open(for: own.bytes, keys: keys.signer, in: state.ring)
            {
                state.ring.add(key, parents: rotation.parents, origin: nil)
            }
            shutOut(by: rotation, seen: manifest.seen, besides: .none, isKnown: true, &state)
        }
    }

    /// A device has rotated: its key is taken out of this device's box, and who has none is shut out.
    nonisolated func take(_ rotation: Rotation, _ segment: CheckedSegment, into state: inout SyncState)
        throws(SyncError)
    {
        let known = state.ring[rotation.name]
        // Once: said again by somebody, it would shut out who has come since.
        guard rotation.parents.count == 1, known?.origin == nil else { return }
        let origin = KeyRing.Origin(device: segment.device.pair, sequence: segment.position.sequence)
        let opened = known?.keys.account ?? rotation.open(for: own.bytes, keys: keys.signer, in: state.ring)
        if let opened {
            state.ring.add(opened, parents: rotation.parents, origin: origin)
        } else if state.members[own] == nil {
            // About to join with a kit from before: nobody would admit this device.
            throw .revoked
        }
        shutOut(by: rotation, seen: segment.record.seen, besides: segment.device, isKnown: known != nil, &state)
    }

    /// Who has no box is shut out. Where the key was known before, from a kit or a snapshot, those that were enrolled later
    /// are not meant.
    private nonisolated func shutOut(
        by rotation: Rotation, seen: VersionVector, besides writer: Identifier, isKnown: Bool, _ state: inout SyncState
    ) {
        let admin = Genesis.adminKey(keys.genesis) ?? []
        let staying = Set(rotation.devices.compactMap { Identifier(bytes: $0) }).union([writer])
        for (device, member) in state.members where !staying.contains(device) {
            let enrolment = Enrolment(member.enrolment, vault: keys.vault.pair, admin: admin)
            if isKnown, enrolment?.epoch ?? 1 >= rotation.epoch { continue }
            revoke(device, after: seen[device]?.sequence ?? 0, &state)
        }
    }

    /// What a device wrote counts up to a place in its log. Where more was taken in here before that was known, the others
    /// hear of it: a segment of this device vouches for what it has seen.
    nonisolated func revoke(_ device: Identifier, after last: UInt64, _ state: inout SyncState) {
        guard let member = state.members[device], member.revokedAfter ?? .max > last else { return }
        state.members[device]?.revokedAfter = last
        guard state.seen[device]?.sequence ?? 0 > last, state.pending.isEmpty, let own = state.members[own] else {
            return
        }
        state.pending.append(Notice(kind: .name, bytes: own.name))
    }

    nonisolated func take(_ merge: KeyMerge, _ segment: CheckedSegment, into state: inout SyncState) {
        guard let key = state.ring.merged(merge.parents) else { return }
        let origin = KeyRing.Origin(device: segment.device.pair, sequence: segment.position.sequence)
        state.ring.add(key, parents: merge.parents, origin: origin)
    }

    /// Whether segments that were read may still be applied: since then their device may have been shut out, or they are of
    /// an older epoch than what their writer had seen.
    func isInStanding(_ group: [CheckedSegment]) -> Bool {
        for segment in group {
            let sequence = segment.position.sequence
            let last = state.members[segment.device]?.revokedAfter ?? .max
            if sequence > max(last, standing.vouched(segment.device)) {
                standing.hold(segment.device, shutOutAt: sequence)
                return false
            }
            guard segment.epoch >= state.ring.epoch(knownTo: segment) else {
                report.damaged.append(segment.path.description)
                return false
            }
        }
        return true
    }

    // MARK: Canaries

    /// The present key's canary goes to the remote before what is sealed with that key.
    func publishCanary() async throws(SyncError) {
        let link = state.ring.current
        guard state.canary != link.name else { return }
        try await create([RemoteObject(path: Layout.canary(link), bytes: state.ring.canaryObject(of: link))])
        try changeState { $0.canary = link.name }
    }

    /// Once every device has read of a key, the canaries of those before it go. Not sooner: where objects arrive in any order,
    /// a device would miss its canary before it can know why.
    func retireCanaries() async throws(SyncError) {
        let link = state.ring.current
        guard state.retired != link.name, let origin = link.origin, isKnownToAll(origin) else { return }
        let old = state.ring.links.filter { $0.name != link.name }.suffix(16).map(Layout.canary)
        try await remove(old)
        try changeState { $0.retired = link.name }
    }

    private func isKnownToAll(_ origin: KeyRing.Origin) -> Bool {
        let writer = Identifier(low: origin.device.0, high: origin.device.1)
        return state.members.allSatisfy { device, member in
            member.revokedAfter != nil || device == own || device == writer
                || state.seenBy[device]?[writer]?.sequence ?? 0 >= origin.sequence
        }
    }

    /// Keeps state and keys.
    nonisolated func save(
        _ state: SyncState, after before: SyncState, in replica: R.Transaction
    ) throws(SyncError) {
        if state.ring != before.ring { try replica.saveKeys(state.ring.stored) }
        try replica.saveState(state.encoded)
    }
}

extension KeyRing {
    /// The epoch of the latest key that the writer of a segment knew of.
    func epoch(knownTo segment: CheckedSegment) -> UInt32 {
        var epoch: UInt32 = 1
        for link in links where link.epoch > epoch {
            guard let origin = link.origin else { continue }
            let device = Identifier(low: origin.device.0, high: origin.device.1)
            let known =
                device == segment.device
                ? segment.position.sequence - 1 : segment.record.seen[device]?.sequence ?? 0
            if origin.sequence <= known { epoch = link.epoch }
        }
        return epoch
    }

    /// Whether there was a rotation that a device which introduces itself had not heard of.
    func hasRotation(unknownTo record: SegmentRecord) -> Bool {
        links.contains { link in
            guard !link.isMerge, let origin = link.origin else { return false }
            let device = Identifier(low: origin.device.0, high: origin.device.1)
            return origin.sequence > record.seen[device]?.sequence ?? 0
        }
    }
}
