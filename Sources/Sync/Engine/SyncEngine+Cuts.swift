internal import Format
internal import Sealing

/// Which segments count of a device that was shut out.
///
/// Its revocation names the last one, by number and hash. The device may go on signing: behind that one, or others in the place
/// of those that count. It stops nobody by that: from the moment on that a revocation was read, what others say they have seen
/// of that log is not compared any more; of two segments with one number the one counts that leads to the last; and whoever has
/// read another one goes back to where both are the same.
///
/// A revocation is believed wherever it is said, since the admin key has signed it: the segment that says it may wait for
/// the very log that is at fault.
extension SyncEngine {
    /// How many segments are walked through towards the beginning of a log.
    private static var steps: UInt64 { 4096 }

    /// The revocations that were applied before this run.
    func loadCuts() {
        for member in state.members.values where !member.revocation.isEmpty { learnCut(member.revocation) }
    }

    /// The revocations in a segment that was checked and may still wait to be applied.
    func learnCuts(from record: SegmentRecord) {
        for notice in record.notices where notice.kind == .revocation { learnCut(notice.bytes) }
    }

    private func learnCut(_ bytes: [UInt8]) {
        guard let admin = Genesis.adminKey(keys.genesis),
            let revocation = Revocation(bytes, vault: keys.vault.pair, admin: admin),
            let device = Identifier(bytes: revocation.device)
        else { return }
        guard standing.cut(device, at: revocation.position) else { return }
        // What it has two histories of is settled by that.
        if faults.removeValue(forKey: device) != nil { standing.reopen(device) }
    }

    /// The hash of the segment with a number on the way to the last one that counts; nil where that cannot be told: behind
    /// it, or because something between is gone.
    func counted(_ device: Identifier, _ sequence: UInt64) async throws(SyncError) -> Identifier? {
        guard let cut = standing.cuts[device], cut.hash != .none, (1...cut.sequence).contains(sequence),
            cut.sequence - sequence < SyncEngine.steps
        else { return nil }
        var (number, hash) = standing.lowestCounted(device) ?? (cut.sequence, cut.hash)
        standing.count(device, number, hash)
        while number > sequence {
            try checkCancellation()
            let path = Layout.segment(device, number, hash)
            guard case .bytes(let bytes)? = try await read([path], limit: Limits.segment).first,
                reader.isWritten(bytes, by: device, number, hash, state),
                let (record, _) = open(bytes, standing.spare ?? state.ring)
            else { return nil }
            (number, hash) = (number - 1, record.previous)
            standing.count(device, number, hash)
        }
        return standing.counted(device, sequence)
    }

    /// Of segments with one number that a device has signed, the one that counts.
    func choose(
        _ segments: [CheckedSegment], of device: Identifier, _ sequence: UInt64
    ) async throws(SyncError) -> CheckedSegment? {
        if standing.cuts[device] != nil {
            if let counted = try await counted(device, sequence) {
                return segments.first { $0.position.hash == counted }
            }
            if segments.count > 1 { return nil }
        }
        if segments.count > 1, environment.rules.checksChain {
            throw .forked(Alarm(device: device, sequence: sequence, object: segments[1].path.description))
        }
        return segments.first
    }

    /// Whether everything was read that a writer says it has seen. What a device signs that was shut out may be gone, or follow
    /// another history than the one that counts: nobody waits for that.
    func hasRead(_ seen: VersionVector) -> Bool {
        seen.positions.allSatisfy { device, theirs in
            let ours = state.seen[device]?.sequence ?? 0
            if theirs.sequence <= ours { return true }
            guard let cut = standing.cuts[device], ours >= cut.sequence else { return false }
            return standing.torn.contains(device) || state.overdue[device] ?? 0 >= SyncEngine.looksUntilOverdue
        }
    }

    /// Goes back to where a log that was read and the one that counts are the same.
    ///
    /// - Returns: the devices whose logs are to be read from there on.
    func returnToCounted() async throws(SyncError) -> Set<Identifier> {
        var devices: Set<Identifier> = []
        for (device, cut) in standing.cuts.sorted(by: { $0.key < $1.key }) where cut.hash != .none {
            guard let read = state.seen[device], try await isApart(device, read, cut),
                let common = try await common(device)
            else { continue }
            report.takenBack[device] = try undo(device, from: .segment(common.sequence + 1))
            try changeState { $0.goBack(device, to: common.sequence > 0 ? common : nil) }
            devices.insert(device)
        }
        return devices
    }

    /// Takes back what a device has written behind the last segment that counts and that was taken in here, by edits of this
    /// device. Each device that has read it does so, to the same: what had been there before.
    func takeBack() throws(SyncError) {
        for (device, cut) in standing.cuts.sorted(by: { $0.key < $1.key }) where device != own {
            guard state.members[own]?.revokedAfter == nil, state.members[device]?.revokedAfter != nil,
                let read = state.seen[device]?.sequence,
                read > max(cut.sequence, state.takenBack[device] ?? 0)
            else { continue }
            report.takenBack[device] = try undo(device, from: .segment(cut.sequence + 1))
            try changeState { $0.takenBack[device] = read }
        }
    }

    private func isApart(
        _ device: Identifier, _ read: LogPosition, _ cut: LogPosition
    ) async throws(SyncError) -> Bool {
        if read.sequence < cut.sequence {
            guard let counted = try await counted(device, read.sequence) else { return false }
            return counted != read.hash
        }
        guard let there = state.trails[device]?.first(where: { $0.sequence == cut.sequence }) else { return false }
        return there.hash != cut.hash
    }

    /// The last position that was read and counts; number 0 for the beginning, nil where that cannot be told.
    private func common(_ device: Identifier) async throws(SyncError) -> LogPosition? {
        let trail = state.trails[device] ?? []
        for position in trail.reversed() where try await counted(device, position.sequence) == position.hash {
            return position
        }
        guard trail.first?.sequence == 1, try await counted(device, 1) != nil else { return nil }
        return LogPosition(sequence: 0, hash: .none, lamport: 0)
    }
}

extension Revocation {
    /// The last segment that counts; without a hash and a clock where the revocation does not say them.
    var position: LogPosition {
        LogPosition(sequence: last, hash: hash.flatMap { Identifier(bytes: $0) } ?? .none, lamport: lamport ?? 0)
    }
}
