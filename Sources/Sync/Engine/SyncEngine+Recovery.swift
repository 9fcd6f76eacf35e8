public import Format
public import Sealing

/// Alarms, and the ways out of them. None of them loses anything: what the remote has is read, and what this device has
/// and the remote lacks is there again in a snapshot of this device.
extension SyncEngine {
    /// The remote has lost segments (it was restored from a copy, or somebody keeps them back): this device goes on from
    /// what is there, and what it knows besides is in a snapshot. Devices that have read what was lost go on by
    /// themselves, those that have not take it from the snapshot.
    public func acceptRollback() async throws(SyncError) -> SyncReport { try await republish(mayCreate: false) }

    /// Makes an empty remote, or one that has lost everything, this vault's again, with all that this device knows.
    public func rebuildRemote() async throws(SyncError) -> SyncReport { try await republish(mayCreate: true) }

    private func republish(mayCreate: Bool) async throws(SyncError) -> SyncReport {
        try begin()
        acceptsLoss = true
        defer { acceptsLoss = false }
        do throws(SyncError) {
            try await prepare(mayCreate: mayCreate)
            hints = [:]
            knownBlobs = []
            let hints = try await readHints()
            try await pull(only: nil)
            try await publish()
            try await writeSnapshot()
            try await renewHint(hints[own])
            try changeState { $0.alarm = nil }
        } catch {
            await noteAlarm(error)
            throw error
        }
        return report
    }

    /// The epoch of the account key that is in use, as far as was read: whoever is admitted under an older one counts nowhere.
    public func presentEpoch() throws(SyncError) -> UInt32 {
        try loadState()
        return state.ring.current.epoch
    }

    /// Shuts out the device that this one was before: its database is no more. The account key stays, since that device and
    /// this one are the same machine. For a device that has just read everything; all of it is at the remote when this
    /// returns.
    ///
    /// - Parameters:
    ///   - admin: the vault's admin key.
    ///   - seconds: now, since 1970: for people only.
    public func retire(
        _ predecessor: Identifier, admin: borrowing AdminKey, seconds: Int64
    ) async throws(SyncError) -> SyncReport {
        try begin()
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            guard predecessor != own, let member = next.members[predecessor], member.revocation.isEmpty else {
                return next
            }
            let end = end(of: predecessor, nil, next)
            let revocation = Revocation(
                vault: keys.vault.pair, device: predecessor.bytes, last: end.sequence, hash: end.hash.bytes,
                lamport: end.lamport, seconds: seconds, admin: admin)
            revoke(revocation.bytes, in: &next)
            next.pending.append(Notice(kind: .revocation, bytes: revocation.bytes))
            try save(next, after: before, in: replica)
            return next
        }
        try await publish()
        return report
    }

    /// Goes on under another device's name: another database goes on under the one that this one had. For an engine with
    /// the new device's keys and enrolment, over the replica of the old one. The next ``sync()`` reads the old device's log
    /// like any other, and tells the others what nobody has heard of yet.
    public func becomeDevice() throws(SyncError) {
        try loadState()
        guard state.device != own else { return }
        if let error = state.fullness { throw error }
        let before = state
        let device = own
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            let outbox = try replica.outbox().sorted { $0.sequence < $1.sequence }
            let heard = before.published?.lamport ?? 0
            let unpublished = Unpublished(
                outbox.compactMap { open($0.bytes, before.ring)?.record }, of: before.device, after: heard)
            try replica.becomeDevice(device, after: heard, reissuing: unpublished.changes)
            for (lineage, bases) in unpublished.bases {
                try reissue(lineage, replacing: bases, unpublished, replica)
            }
            for (sequence, _) in outbox { try replica.removeFromOutbox(sequence) }
            next.device = device
            next.seen[before.device] = before.published
            next.seenBy[before.device] = nil
            next.readBy[before.device] = nil
            next.acknowledged[before.device] = nil
            next.snapshots = []
            (next.published, next.removed, next.pending, next.alarm) = (nil, 0, [], nil)
            // Where the two histories do not fit, the others see it by that.
            next.owesSnapshot = true
            introduce(in: &next)
            try replica.saveState(next.encoded)
            return next
        }
        shortLooks = nil
    }

    /// Own segments that nobody has seen, put together: what they change, and which versions their contents replace that
    /// others know.
    private struct Unpublished {
        var changes: [OwnChange] = []
        var bases: [Identifier: Set<Stamp>] = [:]
        var stamps: Set<Stamp> = []

        /// - Parameter published: the device's clock up to which others have heard of it. A placement from before comes
        ///   along with its lineage, and is none that is to be told anew: somebody may have removed the entry since.
        init(_ records: [SegmentRecord], of device: Identifier, after published: UInt64) {
            for change in records.flatMap(\.changes) {
                switch change {
                case .entry(let change):
                    guard change.stamp.device == device, change.stamp.lamport > published else { continue }
                    note(.entry(change.entry))
                case .removal(let change): note(.removal(change.entry))
                case .attributes(let change): note(.lineage(change.lineage))
                case .content(let change):
                    note(.lineage(change.lineage))
                    if change.stamp.device == device { stamps.insert(change.stamp) }
                    bases[change.lineage, default: []].formUnion(change.replaces)
                }
            }
            for lineage in bases.keys { bases[lineage]?.subtract(stamps) }
        }

        private mutating func note(_ change: OwnChange) {
            if !changes.contains(change) { changes.append(change) }
        }
    }

    /// The content of a lineage with a stamp of the new device's takes the place of what the unpublished ones did.
    private nonisolated func reissue(
        _ lineage: Identifier, replacing bases: Set<Stamp>, _ unpublished: Unpublished, _ replica: R.Transaction
    ) throws(SyncError) {
        guard let known = try replica.lineage(lineage), var content = try replica.content(of: lineage),
            content.stamp.device == own
        else { return }
        let replaced = Set(content.replaces).union(bases).subtracting(unpublished.stamps)
        content.replaces = Array(replaced.sorted().prefix(Limits.stamps))
        try replica.put(content, heads: known.heads, rivals: known.rivals)
        try replica.noteOwn(.lineage(lineage))
    }

    // MARK: Alarms

    /// Keeps what an error says in the state, and what proves it where the environment wants it.
    func noteAlarm(_ error: SyncError) async {
        let alarm: SyncAlarm
        switch error {
        case .rolledBack(let found): alarm = SyncAlarm(kind: .rolledBack, alarm: found)
        case .forked(let found): alarm = SyncAlarm(kind: .forked, alarm: found)
        case .cloned:
            alarm = SyncAlarm(
                kind: .cloned,
                alarm: Alarm(
                    device: own, sequence: (state.seen[own]?.sequence ?? 0) + 1, object: Layout.log(own).description))
        case .revoked:
            alarm = SyncAlarm(
                kind: .revoked,
                alarm: Alarm(
                    device: own, sequence: state.members[own]?.revokedAfter ?? 0, object: Layout.log(own).description))
        default: return
        }
        shortLooks = nil
        // The alarm itself is what the caller hears of; that it could not be noted is the lesser trouble.
        try? changeState { $0.alarm = alarm }
        try? await keepEvidence(alarm)
    }

    /// The names in the log in question, and the segments that claim the number, within ``EvidenceBounds``. One at a time is in
    /// memory: whoever can write there can make any number of them.
    private func keepEvidence(_ alarm: SyncAlarm) async throws(SyncError) {
        let (device, sequence) = (alarm.alarm.device, alarm.alarm.sequence)
        let items = try await list(Layout.log(device))
        let names = items.map(\.name).sorted().joined(separator: "\n") + "\n"
        let label = "\(alarm.kind)-\(device.hexadecimal)-\(sequence)"
        environment.keepEvidence(label + ".names", Array(names.utf8.prefix(EvidenceBounds.namesMost)))
        if let known = state.seen[device] {
            environment.keepEvidence(label + ".read", Hint.bytes(known))
        }
        var paths = items.compactMap { item in Layout.numbered(item.name).map { (item.name, $0.number) } }
            .filter { $0.1 == sequence }.compactMap { RemotePath(Layout.log(device).components + [$0.0]) }.sorted()
        let object = RemotePath(alarm.alarm.object.split(separator: "/").map(String.init))
        if let object, object.components.count == 4 {
            paths.removeAll { $0 == object }
            paths.insert(object, at: 0)
        }
        var bounds = EvidenceBounds()
        for path in paths.prefix(EvidenceBounds.readMost) {
            try checkCancellation()
            guard case .bytes(let bytes)? = try await read([path], limit: Limits.segment).first,
                bounds.take(bytes.count, isSigned: isSigned(bytes, path))
            else { continue }
            environment.keepEvidence(path.components.joined(separator: "-"), bytes)
        }
    }

    /// Whether the device whose log an object stands in has written it.
    private func isSigned(_ bytes: [UInt8], _ path: RemotePath) -> Bool {
        guard path.components.count == 4, let device = Identifier(hexadecimal: Substring(path.components[2])),
            let (number, hash) = Layout.numbered(path.components[3])
        else { return false }
        return reader.isWritten(bytes, by: device, number, hash, state)
    }

    // MARK: Status

    /// What is known without asking the remote.
    public func status() throws(SyncError) -> SyncStatus {
        try loadState()
        let waiting = try replica.transaction { (replica) throws(SyncError) in try replica.outbox().count }
        let agreed = state.snapshots.max { $0.order < $1.order }
        let devices = state.members.sorted { $0.key < $1.key }.map { device, member in
            let acknowledged = agreed.map { state.acknowledged[device]?.contains($0.name) == true } ?? true
            return SyncStatus.Device(
                identifier: device, name: member.name, isOwn: device == own,
                sequence: state.seen[device]?.sequence ?? 0, lamport: state.seen[device]?.lamport ?? 0,
                isRevoked: member.revokedAfter != nil, isBehind: device != own && state.isBehind(device),
                acknowledged: (state.readBy[device] ?? [:]).values.reduce(0) { $0 &+ $1 },
                hasAcknowledged: acknowledged)
        }
        return SyncStatus(
            devices: devices, published: state.published?.sequence ?? 0, waiting: waiting, alarm: state.alarm,
            snapshot: agreed?.name, address: accountAddress)
    }
}
