internal import Format
internal import Sealing

/// What an alarm is about: which entries. Found out when it is shown, and kept nowhere.
extension SyncEngine {
    /// The entries that a failed run is about: for a rollback those whose last changes the remote has lost, for a fork those
    /// that the two histories change, for a copied database those that it has changed and sent to nobody. None for
    /// anything else.
    ///
    /// Looks at the remote again; nothing is changed on either side.
    public func affected(by error: SyncError) async throws(SyncError) -> AffectedEntries {
        try loadState()
        return switch error {
        case .rolledBack(let alarm): try resolve(try await lost(alarm))
        case .forked(let alarm): try resolve(try await contested(alarm))
        case .cloned: try resolve(try unpublished())
        default: AffectedEntries()
        }
    }

    // MARK: Rollback

    private func lost(_ alarm: Alarm) async throws(SyncError) -> Concerned {
        // Without its first record all of the remote may be gone, and the alarm names this device only because it is here.
        let isAll = alarm.object == Layout.vault.description
        let devices = isAll ? Array(state.seen.positions.keys) : [alarm.device]
        var spans: [Identifier: ClockSpan] = [:]
        for device in devices {
            // What was never there is not lost.
            guard let known = device == own ? state.published : state.seen[device] else { continue }
            spans[device] = ClockSpan(after: try await remainingClock(of: device, known), last: known.lamport)
        }
        return try search(spans)
    }

    /// A device's clock at the end of the last segment of it that is still there; 0 where none is. Names say nothing: it is
    /// the last one that the device has signed.
    private func remainingClock(of device: Identifier, _ known: LogPosition) async throws(SyncError) -> UInt64 {
        let names = try await list(Layout.log(device)).compactMap { Layout.numbered($0.name) }
            .filter { $0.number <= known.sequence }.sorted { $0.number > $1.number }
        for name in names.prefix(SyncEngine.looksForRest) {
            if let record = try await segment(device, name.number, name.hash), record.lamport <= known.lamport {
                return record.lamport
            }
        }
        return 0
    }

    /// Whoever can write to the remote can put any number of names there.
    private static var looksForRest: Int { 32 }

    // MARK: Fork

    private func contested(_ alarm: Alarm) async throws(SyncError) -> Concerned {
        let device = alarm.device
        let (sides, isOnlyPart) = try await sides(alarm)
        var concerned = Concerned()
        var count = sides.count
        // The side that was read here may be gone from the remote; what it has changed is here.
        if let known = state.seen[device], known.sequence == alarm.sequence, sides[known.hash] == nil {
            if let before = try await clock(before: alarm.sequence, sides.values.map(\.previous), of: device) {
                concerned = try search([device: ClockSpan(after: before, last: known.lamport)])
                count += 1
            }
        }
        let found = concerned
        concerned = try replica.transaction { (replica) throws(SyncError) in
            var next = found
            for side in sides.values { try next.note(side.changes, replica) }
            return next
        }
        concerned.isIncomplete = isOnlyPart || count < 2
        return concerned
    }

    /// The segments of the two histories that are there, by their hashes; whether the histories have more than these.
    private func sides(_ alarm: Alarm) async throws(SyncError) -> ([Identifier: SegmentRecord], isOnlyPart: Bool) {
        var sides: [Identifier: SegmentRecord] = [:]
        let names = try await list(Layout.log(alarm.device)).compactMap { Layout.numbered($0.name) }
        let contested = names.filter { $0.number == alarm.sequence }.map(\.hash).sorted()
        for hash in contested.prefix(SyncEngine.looksForRest) {
            sides[hash] = try await segment(alarm.device, alarm.sequence, hash)
        }
        var isOnlyPart = names.contains { $0.number > alarm.sequence }
        // One that does not follow what was read here: the end of that is the other side, and where they part is unknown.
        if let known = state.seen[alarm.device], known.sequence + 1 == alarm.sequence,
            sides.values.contains(where: { $0.previous != known.hash })
        {
            sides[known.hash] = try await segment(alarm.device, known.sequence, known.hash)
            isOnlyPart = true
        }
        return (sides, isOnlyPart)
    }

    /// The clock at the end of the segment that both sides follow; nil where it is not there any more.
    private func clock(
        before sequence: UInt64, _ hashes: [Identifier], of device: Identifier
    ) async throws(SyncError) -> UInt64? {
        guard sequence > 1 else { return 0 }
        for hash in hashes {
            if let record = try await segment(device, sequence - 1, hash) { return record.lamport }
        }
        return nil
    }

    /// What a device has really written: hash, signature and seal are right.
    private func segment(
        _ device: Identifier, _ sequence: UInt64, _ hash: Identifier
    ) async throws(SyncError) -> SegmentRecord? {
        try checkCancellation()
        let path = Layout.segment(device, sequence, hash)
        guard case .bytes(let bytes)? = try await read([path], limit: Limits.segment).first,
            reader.isWritten(bytes, by: device, sequence, hash, state)
        else { return nil }
        return open(bytes, state.ring)?.record
    }

    // MARK: Copy

    private func unpublished() throws(SyncError) -> Concerned {
        let ring = state.ring
        return try replica.transaction { (replica) throws(SyncError) in
            var concerned = Concerned()
            for (_, bytes) in try replica.outbox() {
                guard let record = open(bytes, ring)?.record else { continue }
                try concerned.note(record.changes, replica)
            }
            // They are left where they are: nothing has become a segment.
            let changes = try replica.ownChanges(atMost: Limits.segment)
            concerned.isIncomplete = changes.reduce(0) { $0 + $1.encodedSize } >= Limits.segment
            try concerned.note(changes, replica)
            return concerned
        }
    }

    // MARK: Registers

    /// The entries with a change that is within a span of its device's clock.
    private func search(_ spans: [Identifier: ClockSpan]) throws(SyncError) -> Concerned {
        var concerned = Concerned()
        guard spans.contains(where: { !$0.value.isEmpty }) else { return concerned }
        let top = keys.vault
        var waiting = try replica.transaction { (replica) throws(SyncError) in
            try replica.children(of: top) + replica.removed()
        }
        // In parts, so that no program waits long for the vault.
        while !waiting.isEmpty {
            try checkCancellation()
            let part = Array(waiting.suffix(512))
            waiting.removeLast(part.count)
            let (found, inside) = try replica.transaction { (replica) throws(SyncError) in
                var found = Concerned()
                var inside: [Identifier] = []
                for entry in part {
                    guard let register = try replica.entry(entry) else { continue }
                    let lineage = try replica.lineage(register.placement.lineage)
                    found.note(register, lineage, within: spans)
                    if register.isShown, lineage?.isDirectory == true {
                        inside += try replica.children(of: register.placement.lineage)
                    }
                }
                return (found, inside)
            }
            concerned.add(found)
            waiting += inside
        }
        return concerned
    }

    /// The latest of them, with what they are called.
    private func resolve(_ concerned: Concerned) throws(SyncError) -> AffectedEntries {
        let top = keys.vault
        return try replica.transaction { (replica) throws(SyncError) in
            var affected = AffectedEntries()
            (affected.count, affected.isIncomplete) = (concerned.stamps.count, concerned.isIncomplete)
            affected.saved = concerned.saved?.time
            for entry in concerned.latest(AffectedEntries.most) {
                guard let placement = try replica.entry(entry)?.placement ?? concerned.said[entry] else { continue }
                var directory: Identifier?
                if placement.parent != top {
                    directory = try replica.entries(of: placement.parent).first
                }
                affected.entries.append(
                    AffectedEntries.Entry(entry: entry, directory: directory, name: placement.name))
            }
            return affected
        }
    }
}
