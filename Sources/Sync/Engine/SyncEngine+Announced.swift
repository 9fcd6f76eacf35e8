internal import Format
internal import Sealing

/// Which snapshots count. Whoever ever had a device's keys can sign one; so a snapshot is believed only where a device that is
/// not shut out says in its log that it could start from it: its writer, or one that has compared it with what it had.
extension SyncEngine {
    /// Leaves out what does not count. Those of the present account key come first: a device that is shut out has not got it.
    func counting(_ found: [FoundSnapshot]) async throws(SyncError) -> [FoundSnapshot] {
        let unknown = found.filter { !isAnnounced($0.name) }
        guard !unknown.isEmpty else { return found }
        let announced = try await announcements(besides: found)
        let counting = found.filter { isAnnounced($0.name) || announced.contains($0.name) }
        let present = state.ring.current.epoch
        return counting.filter { $0.epoch == present } + counting.filter { $0.epoch != present }
    }

    /// Whether a snapshot's writer is not shut out, as far as is known here. That is enough where a snapshot only shows that
    /// something is not lost: where objects come in any order it may be there before the segment that announces it.
    func isInStanding(_ name: SnapshotName) -> Bool {
        isAnnounced(name) || state.members[name.device].map { $0.revokedAfter == nil } ?? true
    }

    /// What this device has made or checked itself, or read of in a log.
    private func isAnnounced(_ name: SnapshotName) -> Bool {
        if name.device == own || state.snapshots.contains(where: { $0.name == name }) { return true }
        return state.active.contains { state.acknowledged[$0]?.contains(name) == true }
    }

    /// What devices that are not shut out say in the segments that are there. A revocation counts wherever it is said,
    /// since the admin key has signed it.
    private func announcements(besides found: [FoundSnapshot]) async throws(SyncError) -> Set<SnapshotName> {
        var known = state
        for member in found.flatMap(\.manifest.members) { admit(member.enrolment, to: &known) }
        for member in found.flatMap(\.manifest.members) { revoke(member.revocation, in: &known) }
        let logs = try await listLogs()
        var said: [Identifier: Set<SnapshotName>] = [:]
        for (device, segments) in logs.segments.sorted(by: { $0.key < $1.key }).prefix(Limits.devices) {
            let paths = segments.sorted { $0.key > $1.key }.prefix(Self.looksForAnnouncements)
                .flatMap { number, hashes in hashes.prefix(8).map { Layout.segment(device, number, $0) } }
            for start in stride(from: 0, to: paths.count, by: 8) {
                try checkCancellation()
                let part = Array(paths[start..<min(start + 8, paths.count)])
                for case .bytes(let bytes) in try await read(part, limit: Limits.segment) {
                    note(bytes, of: device, in: &known, &said)
                }
            }
        }
        return known.active.reduce(into: []) { $0.formUnion(said[$1] ?? []) }
    }

    /// How many segments of a log are looked through: between two snapshots there are fewer, unless they are very large.
    private static var looksForAnnouncements: Int { 4096 }

    private func note(
        _ bytes: [UInt8], of device: Identifier, in known: inout SyncState,
        _ said: inout [Identifier: Set<SnapshotName>]
    ) {
        guard let (record, _) = open(bytes, known.ring), let object = SignedObject(.segment, bytes),
            object.header.device == device.pair
        else { return }
        for notice in record.notices {
            switch notice.kind {
            case .enrolment: admit(notice.bytes, to: &known)
            case .revocation: revoke(notice.bytes, in: &known)
            default: continue
            }
        }
        guard let member = known.members[device], object.isSigned(by: member.signingKey) else { return }
        said[device, default: []].formUnion(record.acknowledged.prefix(SyncState.snapshotsMost))
    }
}
