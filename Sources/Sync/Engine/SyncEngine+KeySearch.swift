internal import Format
internal import Sealing

/// Keys of devices that were shut out.
///
/// A device rotates and does not know that it is out; another one does not know either, reads that, and writes under the
/// new key. What it writes counts, and vouches for what it had read: but whoever knows better needs the key to see that, and
/// the key is in the segments that do not count before it is seen (found by the simulation, with revocations, at seed 197).
/// So the key is taken from there to read with. Who signs is checked as ever, and nothing is written under it, or taken in,
/// before a segment that counts has told of it.
extension SyncEngine {
    /// How many segments of a device that was shut out are looked through in a run.
    private static var searched: UInt64 { 256 }

    func lookForKeys(_ logs: Logs) async throws(SyncError) {
        var ring = standing.spare ?? state.ring
        let before = ring.links.count
        for device in standing.suspects {
            var position = state.seen[device]
            let first = (position?.sequence ?? 0) + 1
            for sequence in first..<(first + SyncEngine.searched) {
                guard let segment = try await unvouched(device, sequence, after: position, ring, logs) else { break }
                position = segment.position
                for notice in segment.record.notices { add(notice, to: &ring) }
            }
        }
        if ring.links.count > before { standing.lend(ring) }
    }

    private func add(_ notice: Notice, to ring: inout KeyRing) {
        if notice.kind == .merge, let merge = KeyMerge(notice.bytes), let key = ring.merged(merge.parents) {
            ring.add(key, parents: merge.parents, origin: nil)
        }
        if notice.kind == .rotation, let admin = Genesis.adminKey(keys.genesis),
            let rotation = Rotation(notice.bytes, vault: keys.vault.pair, admin: admin),
            let key = rotation.open(for: own.bytes, keys: keys.signer, in: ring)
        {
            ring.add(key, parents: rotation.parents, origin: nil)
        }
    }

    /// The next segment of a device, as if it were a member.
    private func unvouched(
        _ device: Identifier, _ sequence: UInt64, after position: LogPosition?, _ ring: KeyRing, _ logs: Logs
    ) async throws(SyncError) -> CheckedSegment? {
        let hashes = logs.hashes(device, sequence).prefix(8)
        let found = try await read(hashes.map { Layout.segment(device, sequence, $0) }, limit: Limits.segment)
        for (hash, found) in zip(hashes, found) {
            guard case .bytes(let bytes) = found,
                let segment = try? reader.check(
                    bytes, device: device, sequence: sequence, hash: hash, after: position, state, spare: ring,
                    vouched: .max, rules: environment.rules)
            else { continue }
            return segment
        }
        return nil
    }
}
