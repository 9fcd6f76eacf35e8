internal import Format
internal import Sealing

/// Reading the other devices' logs.
extension SyncEngine {
    /// How many segments of a device are read at once.
    private static var batch: Int { 8 }

    func pull() async throws(SyncError) {
        let logs = try await listLogs()
        try await checkOwn(logs)
        let devices = Set(logs.segments.keys).union(state.seen.positions.keys).subtracting([own]).sorted()
        for device in devices { try await checkKnown(device, logs) }
        var queues: [Identifier: [CheckedSegment]] = [:]
        var stopped = Set<Identifier>()
        standing = Standing()
        var hasMoved = true
        while hasMoved {
            hasMoved = false
            for device in devices {
                while !stopped.contains(device), queues[device, default: []].allSatisfy(\.record.isContinued) {
                    let (segments, isEnd) = try await fetch(device, behind: queues[device, default: []], logs)
                    queues[device, default: []] += segments
                    standing.vouch(by: segments)
                    if isEnd { stopped.insert(device) }
                }
                while let group = nextGroup(queues[device, default: []]), try isReady(group) {
                    guard isInStanding(group), try await apply(group) else {
                        stopped.insert(device)
                        queues[device] = []
                        break
                    }
                    queues[device]?.removeFirst(group.count)
                    hasMoved = true
                }
            }
            let released = standing.release(keys: state.ring.links.count)
            if !released.isEmpty {
                stopped.subtract(released)
                hasMoved = true
            }
        }
        report.refused += standing.counts.refused
        report.waiting += standing.counts.waiting + queues.values.reduce(0) { $0 + $1.count }
        if state.members[own]?.revokedAfter != nil { throw .revoked }
    }

    /// The segments up to the first that nothing belongs to any more; nil where that is not there yet.
    private func nextGroup(_ queue: [CheckedSegment]) -> [CheckedSegment]? {
        queue.firstIndex { !$0.record.isContinued }.map { Array(queue[...$0]) }
    }

    /// The next segments of a device, checked; whether there are no more that count.
    private func fetch(
        _ device: Identifier, behind queue: [CheckedSegment], _ logs: Logs
    ) async throws(SyncError) -> ([CheckedSegment], isEnd: Bool) {
        var position = queue.last?.position ?? state.seen[device]
        // A device that introduces itself in a segment that is still to be applied.
        var known = state
        for segment in queue { admit(segment.record, to: &known) }
        let first = (position?.sequence ?? 0) + 1
        var wanted: [(sequence: UInt64, hash: Identifier)] = []
        var sequence = first
        while wanted.count < SyncEngine.batch, case let hashes = logs.hashes(device, sequence), !hashes.isEmpty {
            wanted += hashes.map { (sequence, $0) }
            sequence += 1
        }
        guard !wanted.isEmpty else { return ([], true) }
        let paths = wanted.map { Layout.segment(device, $0.sequence, $0.hash) }
        let found = try await read(paths, limit: Limits.segment)
        var segments: [CheckedSegment] = []
        for sequence in first..<sequence {
            var valid: [CheckedSegment] = []
            for (index, name) in wanted.enumerated() where name.sequence == sequence && index < found.count {
                guard case .bytes(let bytes) = found[index] else { continue }
                if let segment = try check(bytes, device, name, after: position, known) { valid.append(segment) }
            }
            if valid.count > 1, environment.rules.checksChain {
                throw .forked(Alarm(device: device, sequence: sequence, object: valid[1].path.description))
            }
            guard let segment = valid.first else { return (segments, true) }
            segments.append(segment)
            admit(segment.record, to: &known)
            position = segment.position
        }
        return (segments, false)
    }

    private func check(
        _ bytes: [UInt8], _ device: Identifier, _ name: (sequence: UInt64, hash: Identifier),
        after position: LogPosition?, _ known: SyncState
    ) throws(SyncError) -> CheckedSegment? {
        do throws(LogReader.Refusal) {
            return try reader.check(
                bytes, device: device, sequence: name.sequence, hash: name.hash, after: position, known,
                vouched: standing.vouched(device), rules: environment.rules)
        } catch {
            let path = Layout.segment(device, name.sequence, name.hash).description
            switch error {
            case .damaged: report.damaged.append(path)
            case .revoked: standing.hold(device, shutOutAt: name.sequence)
            case .unknownKey: standing.hold(device, keys: state.ring.links.count)
            case .forked: throw .forked(Alarm(device: device, sequence: name.sequence, object: path))
            }
            return nil
        }
    }

    private func isReady(_ group: [CheckedSegment]) throws(SyncError) -> Bool {
        for segment in group where try !isReady(segment) { return false }
        return true
    }

    /// Whether everything that the writer had seen is here; and that it has seen the same.
    private func isReady(_ segment: CheckedSegment) throws(SyncError) -> Bool {
        for (device, theirs) in segment.record.seen.positions {
            let ours = state.seen[device]
            if device == own, environment.rules.checksOwnLog, theirs.sequence > ours?.sequence ?? 0 { throw .cloned }
            if environment.rules.comparesSeen, let ours, ours.sequence == theirs.sequence, ours.hash != theirs.hash {
                throw .forked(Alarm(device: device, sequence: theirs.sequence, object: segment.path.description))
            }
        }
        return !environment.rules.waitsForCauses || state.seen.covers(segment.record.seen)
    }

    /// Applies segments that belong together; false where something of them is not at the remote yet.
    private func apply(_ group: [CheckedSegment]) async throws(SyncError) -> Bool {
        for segment in group {
            guard try await fetchBlobs(of: segment.record.changes) else { return false }
        }
        let before = state
        let rules = environment.rules
        let (after, conflicts) = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            if rules.buildsBeforeApplying { try build(replica, &next) }
            var conflicts: [Conflict] = []
            for segment in group { conflicts += try apply(segment, replica, before.seen, &next) }
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
        _ segment: CheckedSegment, _ replica: R.Transaction, _ applied: VersionVector, _ state: inout SyncState
    ) throws(SyncError) -> [Conflict] {
        try take(segment, into: &state)
        let names = state.members.compactMapValues { $0.name.isEmpty ? nil : $0.name }
        let naming = ConflictNaming(devices: names, date: environment.date())
        var merge = Merge(
            replica, author: segment.device, seen: segment.record.seen, applied: applied, top: keys.vault,
            naming: naming)
        try merge.apply(segment.record.changes)
        replica.lamport = max(replica.lamport, segment.position.lamport)
        state.seen[segment.device] = segment.position
        return merge.conflicts
    }

    /// What a segment says about the vault's devices, and about what its writer knows.
    private nonisolated func take(_ segment: CheckedSegment, into state: inout SyncState) throws(SyncError) {
        let admin = Genesis.adminKey(keys.genesis) ?? []
        admit(segment.record, to: &state)
        for notice in segment.record.notices {
            switch notice.kind {
            case .revocation:
                guard let revocation = Revocation(notice.bytes, vault: keys.vault.pair, admin: admin),
                    let device = Identifier(bytes: revocation.device)
                else { continue }
                revoke(device, after: revocation.last, &state)
            case .rotation:
                guard let rotation = Rotation(notice.bytes, vault: keys.vault.pair, admin: admin) else { continue }
                try take(rotation, segment, into: &state)
            case .merge: if let merge = KeyMerge(notice.bytes) { take(merge, segment, into: &state) }
            case .name, .kit, .adminWrap:
                state.note(notice, by: segment.device, at: segment.position.lamport)
            case .enrolment: break
            }
        }
        var known = segment.record.seen
        known[segment.device] = segment.position
        state.seenBy[segment.device] = known
        state.acknowledged[segment.device] = segment.record.acknowledged
    }

    /// Admits the devices that the admin key vouches for.
    private nonisolated func admit(_ record: SegmentRecord, to state: inout SyncState) {
        guard let admin = Genesis.adminKey(keys.genesis) else { return }
        for notice in record.notices where notice.kind == .enrolment {
            guard let enrolment = Enrolment(notice.bytes, vault: keys.vault.pair, admin: admin),
                let device = Identifier(bytes: enrolment.device), state.members[device] == nil,
                state.members.count < Limits.devices
            else { continue }
            state.members[device] = SyncState.Member(keys: enrolment.deviceKeys)
            // Somebody who had not heard of the rotation has taken it in; it has no part in what came then.
            if state.ring.hasRotation(unknownTo: record) { revoke(device, after: 0, &state) }
        }
    }

    /// Fetches the blobs of contents that are not in the replica.
    private func fetchBlobs(of changes: [Change]) async throws(SyncError) -> Bool {
        var missing: [ChunkReference] = []
        for case .content(let content) in changes {
            for chunk in content.chunks where chunk.embedded.isEmpty { missing.append(chunk) }
        }
        guard !missing.isEmpty else { return true }
        let wanted = missing
        missing = try replica.transaction { (replica) throws(SyncError) in
            var missing: [ChunkReference] = []
            for chunk in wanted where try !replica.hasBlob(chunk.slot) { missing.append(chunk) }
            return missing
        }
        while !missing.isEmpty {
            let part = Array(missing.prefix(16))
            missing.removeFirst(part.count)
            let paths = part.map { Layout.blob(keys.blobName($0.slot), $0.hash) }
            let found = try await read(paths, limit: Limits.blob + SealedBlob.overhead)
            var blobs: [(Int64, [UInt8])] = []
            for (index, chunk) in part.enumerated() {
                guard index < found.count, case .bytes(let object) = found[index],
                    let bytes = SealedBlob.open(object, slot: chunk.slot, ring: state.ring),
                    Identifier(hashing: bytes) == chunk.hash
                else {
                    report.damaged.append(paths[index].description)
                    return false
                }
                blobs.append((chunk.slot, bytes))
            }
            let arrived = blobs
            try replica.transaction { (replica) throws(SyncError) in
                for (slot, bytes) in arrived { try replica.addBlob(slot, bytes) }
            }
        }
        return true
    }
}
