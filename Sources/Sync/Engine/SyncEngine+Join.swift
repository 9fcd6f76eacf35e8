internal import Format
internal import Sealing

/// Beginning with a snapshot, and catching up by one.
extension SyncEngine {
    /// A replica that has seen nothing and has nothing begins with the snapshot that covers most, of those that are whole;
    /// where there is none it reads the logs from their start.
    func start() async throws(SyncError) {
        guard state.seen.positions.isEmpty, state.published == nil else { return }
        let isEmpty = try replica.transaction { (replica) throws(SyncError) in
            try replica.ownChanges(atMost: 1).isEmpty
        }
        guard isEmpty else { return }
        for found in try await manifests() {
            guard let read = try await readParts(found), try await fetchBlobs(of: read.chunks) != nil else {
                continue
            }
            do throws(SyncError) {
                try restore(found, read)
            } catch {
                // Its writer has made something that is no vault; another one may be better.
                report.damaged.append(found.path.description)
                continue
            }
            report.startedFrom = found.name
            return
        }
    }

    private func restore(_ found: FoundSnapshot, _ read: SnapshotParts) throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            take(found, into: &next)
            next.seen = found.manifest.seen
            var merge = Merge(
                replica, own: own, author: .none, seen: next.seen, applied: next.seen, top: keys.vault,
                naming: naming(next))
            for (index, bytes) in read.parts.enumerated() {
                for register in SnapshotReader(keys: keys).part(bytes, found, index, next.ring) ?? [] {
                    guard case .entry(let entry) = register, entry.isShown,
                        ReservedName.contains(entry.placement.name, in: entry.placement.parent, top: keys.vault)
                    else {
                        try replica.restore(register)
                        continue
                    }
                    try merge.place(entry)
                }
            }
            replica.lamport = max(replica.lamport, found.manifest.lamport)
            let bytes = read.parts.reduce(found.size + read.chunkBytes) { $0 + $1.count }
            next.volume.restart(UInt64(bytes))
            try save(next, after: before, in: replica)
            return next
        }
    }

    /// Takes the devices, kits and notices of a snapshot into the state.
    private nonisolated func take(_ found: FoundSnapshot, into state: inout SyncState) {
        for member in found.manifest.members { admit(member.enrolment, to: &state) }
        for member in found.manifest.members where state.members[member.device] != nil {
            revoke(member.revocation, in: &state)
            if member.device == own { continue }
            state.members[member.device]?.name = Array(member.name.prefix(255))
            guard !(state.seenBy[member.device] ?? VersionVector()).covers(member.seen) else { continue }
            state.seenBy[member.device] = member.seen
            state.acknowledged[member.device] = Array(member.acknowledged.prefix(SyncState.snapshotsMost))
        }
        for kit in found.manifest.kits.prefix(SyncState.kitsMost) { state.add(kit: kit, of: nil) }
        for notice in found.manifest.notices where !state.standing.contains(notice) {
            keep(notice, of: nil, in: &state)
        }
        takeKeys(found.manifest, into: &state)
        // Its writer could start from it, too.
        let said = state.acknowledged[found.name.device] ?? []
        if found.name.device != own, !said.contains(found.name) {
            state.acknowledged[found.name.device] = said + [found.name]
        }
        state.add(found.known)
    }

    /// What a device would have to read next is gone, because others have agreed on a snapshot without it or because the
    /// remote has lost it: it takes what it lacks from a snapshot that covers it. Not at the first look: things travel.
    ///
    /// - Returns: whether there is more to read now.
    func catchUp(_ devices: [Identifier], _ logs: Logs, _ reading: inout Reading) async throws(SyncError) -> Bool {
        var said: [Identifier: UInt64] = [:]
        for segment in reading.queues.values.joined() {
            for (device, position) in segment.record.seen.positions {
                said[device] = max(said[device] ?? 0, position.sequence)
            }
        }
        let gaps = Set(devices).union(said.keys).subtracting([own]).filter { device in
            // Of segments that belong together the last may be what is gone.
            let read = reading.queues[device]?.last?.position.sequence ?? state.seen[device]?.sequence ?? 0
            let next = read + 1
            let isSaid = said[device] ?? 0 >= next || logs.last(of: device) > next
            return isSaid && logs.hashes(device, next).isEmpty
        }
        guard !gaps.isEmpty, gaps.contains(where: { state.overdue[$0] ?? 0 > 0 }) else { return false }
        for found in try await manifests() {
            var told = state
            for member in found.manifest.members { revoke(member.revocation, in: &told) }
            if told.members[own]?.revokedAfter != nil { throw .revoked }
            let covers = gaps.contains {
                found.manifest.seen[$0]?.sequence ?? 0 > state.seen[$0]?.sequence ?? 0
            }
            guard covers, let read = try await readParts(found), try await fetchBlobs(of: read.chunks) != nil else {
                continue
            }
            guard try await agrees(found) else { continue }
            try adopt(found, read.parts)
            report.startedFrom = found.name
            reading = Reading()
            return true
        }
        return false
    }

    private func adopt(_ found: FoundSnapshot, _ parts: [[UInt8]]) throws(SyncError) {
        let before = state
        let (after, conflicts) = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            try build(replica, &next)
            let registers = registers(of: found, parts, next.ring)
            replica.attribute(to: .none, segment: 0)
            replica.lamport = max(replica.lamport, found.manifest.lamport)
            var merge = Merge(
                replica, own: own, author: .none, seen: found.manifest.seen, applied: next.seen, top: keys.vault,
                naming: naming(next))
            try merge.adopt(registers)
            take(found, into: &next)
            for (device, position) in found.manifest.seen.positions
            where position.sequence > next.seen[device]?.sequence ?? 0 {
                next.seen[device] = position
            }
            let settled = try settle(registers, found, next, replica)
            try save(next, after: before, in: replica)
            return (next, merge.conflicts + settled)
        }
        state = after
        report.conflicts += conflicts
    }
}
