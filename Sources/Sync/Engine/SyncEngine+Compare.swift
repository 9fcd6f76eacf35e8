internal import Format
internal import Sealing

/// Checking other devices' snapshots: whether they are whole, and whether they show what this device shows.
extension SyncEngine {
    /// Checks the snapshots that their writers have announced and that this device has not read yet. What is right is
    /// acknowledged in the next own segment.
    func checkSnapshots() async throws(SyncError) {
        // What waits here is no difference to be mended.
        guard try !hasSetAside() else { return }
        for name in unchecked {
            guard let found = try await manifests([name]).first, state.seen.covers(found.manifest.seen) else {
                continue
            }
            guard try await agrees(found) else { continue }
            guard let read = try await readParts(found) else { continue }
            if try differs(found, read.parts) {
                guard try await fetchBlobs(of: read.chunks) != nil else { continue }
                try settle(found, read.parts)
            }
            let bytes = read.parts.reduce(found.size + read.chunkBytes) { $0 + $1.count }
            let behind = state.seen.positions.reduce(0 as UInt64) {
                $0 + $1.value.sequence - min($1.value.sequence, found.manifest.seen[$1.key]?.sequence ?? 0)
            }
            let before = state
            state = try replica.transaction { (replica) throws(SyncError) in
                var next = before
                next.add(found.known)
                next.volume.restart(UInt64(bytes))
                next.volume.add(Int(clamping: behind) * (Limits.segmentFloor + 200))
                try forgetRemovals(replica, &next)
                try replica.saveState(next.encoded)
                return next
            }
        }
    }

    /// Announced by its writer, and later than what all devices agree on.
    var unchecked: [SnapshotName] {
        let agreed = state.agreed(own: own)
        return state.active.filter { $0 != own }.compactMap { device in
            let own = state.acknowledged[device]?.filter { $0.device == device } ?? []
            return own.max { $0.sequence < $1.sequence }
        }.filter { name in
            !state.snapshots.contains { $0.name == name } && agreed?.seen[name.device]?.sequence ?? 0 < name.sequence
        }
    }

    /// Removals that every device has seen are of no use any more; notes how far that goes.
    ///
    /// That of a directory is, as long as one of something in it is: somebody who has not seen that yet may have brought it
    /// back, and shows the directory for it. Whoever has forgotten the directory would not know where to put it.
    nonisolated func forgetRemovals(_ replica: R.Transaction, _ state: inout SyncState) throws(SyncError) {
        let stable = state.stable(own: own)
        var (known, needed) = ([EntryRegister](), Set<Identifier>())
        for entry in try replica.removed() {
            guard let register = try replica.entry(entry) else { continue }
            let isKnown =
                !register.removals.isEmpty && stable.covers(register.placement.stamp)
                && register.removals.allSatisfy { stable.covers($0.stamp) }
            if isKnown { known.append(register) } else { needed.insert(register.placement.parent) }
        }
        var count: Int
        repeat {
            count = known.count
            known.removeAll { register in
                let stays = needed.contains(register.placement.lineage)
                if stays { needed.insert(register.placement.parent) }
                return stays
            }
        } while known.count != count
        for register in known { try replica.forget(register.placement.entry) }
        for (device, position) in stable.positions
        where position.sequence > state.forgotten[device]?.sequence ?? 0 {
            state.forgotten[device] = position
        }
    }

    // MARK: Whether both show the same

    /// Part by part, in transactions of their own: it is the rule that all is the same, and others want the vault meanwhile.
    private func differs(_ found: FoundSnapshot, _ parts: [[UInt8]]) throws(SyncError) -> Bool {
        guard environment.rules.comparesSnapshots else { return false }
        let before = state
        var outline = Merge<R.Transaction>.Outline()
        for (index, bytes) in parts.enumerated() {
            try checkCancellation()
            let registers = SnapshotReader(keys: keys).part(bytes, found, index, state.ring) ?? []
            let known = outline
            let (differs, next) = try replica.transaction { (replica) throws(SyncError) in
                var next = known
                return (try merge(replica, found, before).differs(registers, &next), next)
            }
            if differs { return true }
            outline = next
        }
        let all = outline
        return try replica.transaction { (replica) throws(SyncError) in
            try !merge(replica, found, before).extra(all).isEmpty
        }
    }

    private func settle(_ found: FoundSnapshot, _ parts: [[UInt8]]) throws(SyncError) {
        let before = state
        let conflicts = try replica.transaction { (replica) throws(SyncError) in
            try settle(registers(of: found, parts, before.ring), found, before, replica)
        }
        report.conflicts += conflicts
    }

    /// Mends, within a transaction, what is shown otherwise in a snapshot that this replica has all of.
    nonisolated func settle(
        _ registers: [SnapshotRegister], _ found: FoundSnapshot, _ state: SyncState, _ replica: R.Transaction
    ) throws(SyncError) -> [Conflict] {
        guard environment.rules.comparesSnapshots else { return [] }
        var merge = merge(replica, found, state)
        try merge.settle(registers)
        return merge.conflicts
    }

    nonisolated func registers(of found: FoundSnapshot, _ parts: [[UInt8]], _ ring: KeyRing) -> [SnapshotRegister] {
        let reader = SnapshotReader(keys: keys)
        return parts.enumerated().flatMap { index, bytes in reader.part(bytes, found, index, ring) ?? [] }
    }

    private nonisolated func merge(
        _ replica: R.Transaction, _ found: FoundSnapshot, _ state: SyncState
    ) -> Merge<R.Transaction> {
        var merge = Merge(
            replica, own: own, author: .none, seen: found.manifest.seen, applied: state.seen, top: keys.vault,
            naming: naming(state))
        merge.remembersRemovals = found.manifest.seen.covers(state.forgotten)
        return merge
    }
}
