internal import Format
internal import Sealing

/// Reading the other devices' logs.
extension SyncEngine {
    /// How many segments of a device are read at once.
    private static var batch: Int { 8 }

    /// - Parameter only: the logs to read, in a short look; nil for all, and then the own log is looked at, too.
    func pull(only: [Identifier]?) async throws(SyncError) {
        replica.nameCopies(naming(state), by: own)
        let logs = try await listLogs(only)
        if only == nil { try await checkOwn(logs) }
        let devices = (only ?? Set(logs.segments.keys).union(state.seen.positions.keys).sorted()).filter { $0 != own }
        var reading = Reading()
        standing = Standing()
        loadCuts()
        var losses: [Identifier: SyncError] = [:]
        for device in devices {
            do throws(SyncError) {
                try await settingLogAside(of: device) { () async throws(SyncError) in
                    try await checkKnown(device, logs)
                }
            } catch {
                guard case .rolledBack = error else { throw error }
                losses[device] = error
            }
        }
        reading.stopped = Set(faults.keys).union(losses.keys)
        try await readLogs(devices, logs, &reading)
        let back = try await returnToCounted()
        if !back.isEmpty {
            for device in back { reading.queues[device] = [] }
            reading.stopped.subtract(back)
            try await readLogs(devices, logs, &reading)
        }
        try checkLosses(losses)
        while only == nil {
            guard try await catchUp(devices, logs, &reading) else { break }
            reading.stopped.formUnion(faults.keys)
            try await readLogs(devices, logs, &reading)
        }
        if only == nil { try takeBack() }
        if report.pulledSegments > 0 { try retrySetAside() }
        if !report.conflicts.isEmpty { try mergeEdits() }
        let waiting = reading.queues.values.flatMap { $0 }
        report.waiting += waiting.count + standing.counts.waiting
        report.refused += standing.counts.refused
        if only == nil { gaps = devices.filter { isGap($0, logs, reading) } }
        waitingFor = [:]
        for segment in waiting {
            for (device, position) in segment.record.seen.positions {
                waitingFor[device] = max(waitingFor[device] ?? 0, position.sequence)
            }
        }
        lookForAwaited(only, logs, reading)
        if state.members[own]?.revokedAfter != nil { throw .revoked }
    }

    /// A log has become shorter. That of a device that is shut out may, as far as it does not count; the others' logs had to be
    /// read first to know that.
    private func checkLosses(_ losses: [Identifier: SyncError]) throws(SyncError) {
        for (device, error) in losses.sorted(by: { $0.key < $1.key }) {
            guard let cut = standing.cuts[device], state.seen[device]?.sequence ?? 0 >= cut.sequence else {
                throw error
            }
        }
    }

    /// Once everything is read that is there.
    private func mergeEdits() throws(SyncError) {
        let before = state
        let (after, conflicts, gone) = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            // Copies that were touched here are settled first. A device that is about to join reads only.
            if environment.rules.buildsBeforeApplying { try build(replica, &next) }
            guard next.members[own] != nil else { return (next, [Conflict](), Set<Identifier>()) }
            var merge = Merge(
                replica, own: own, author: own, seen: next.seen, applied: next.seen, top: keys.vault,
                naming: naming(next))
            let gone = try merge.mergeEdits()
            try save(next, after: before, in: replica)
            return (next, merge.conflicts, gone)
        }
        state = after
        report.conflicts.removeAll { conflict in
            if case .copied(_, let copy) = conflict { gone.contains(copy) } else { false }
        }
        report.conflicts += conflicts
    }

    /// Whether a log goes on behind a segment that is not there.
    private func isGap(_ device: Identifier, _ logs: Logs, _ reading: Reading) -> Bool {
        let read = lastRead(device, reading)
        return logs.last(of: device) > read + 1 && logs.hashes(device, read + 1).isEmpty
    }

    /// The last segment of a device that was read, applied or not.
    func lastRead(_ device: Identifier, _ reading: Reading) -> UInt64 {
        reading.queues[device]?.last?.position.sequence ?? state.seen[device]?.sequence ?? 0
    }

    /// Segments that were read and checked and wait for others; and the logs that have no more.
    struct Reading {
        var queues: [Identifier: [CheckedSegment]] = [:]
        var stopped = Set<Identifier>()
    }

    private func readLogs(_ devices: [Identifier], _ logs: Logs, _ reading: inout Reading) async throws(SyncError) {
        var hasMoved = true
        while hasMoved {
            hasMoved = false
            for device in devices {
                while !reading.stopped.contains(device),
                    reading.queues[device, default: []].allSatisfy(\.record.isContinued)
                {
                    let queue = reading.queues[device, default: []]
                    var (segments, isEnd) = ([CheckedSegment](), true)
                    try await settingLogAside(of: device) { () async throws(SyncError) in
                        (segments, isEnd) = try await fetch(device, behind: queue, logs)
                    }
                    reading.queues[device, default: []] += segments
                    standing.vouch(by: segments)
                    if isEnd { reading.stopped.insert(device) }
                }
                while faults[device] == nil, let group = nextGroup(reading.queues[device, default: []]),
                    try await isReady(group)
                {
                    try checkCancellation()
                    guard isInStanding(group), isTrue(group), try await apply(group) else {
                        reading.stopped.insert(device)
                        reading.queues[device] = []
                        break
                    }
                    reading.queues[device]?.removeFirst(group.count)
                    hasMoved = true
                    noteProgress(devices, logs)
                }
            }
            if !hasMoved { try await lookForKeys(logs) }
            let released = standing.release(keys: state.ring.links.count).subtracting(faults.keys)
            if !released.isEmpty {
                reading.stopped.subtract(released)
                hasMoved = true
            }
        }
    }

    private func noteProgress(_ devices: [Identifier], _ logs: Logs) {
        let rest = devices.reduce(0) { $0 + Int(clamping: min(logs.remaining($1, state.seen[$1]), 1 << 32)) }
        environment.progress(
            SyncProgress(
                phase: .pulling, done: report.pulledSegments, total: report.pulledSegments + rest,
                bytes: state.volume.tail))
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
        // Whoever can write there can make any number of names for one number: they are never in memory all at once.
        var found: [RemoteBytes] = []
        var segments: [CheckedSegment] = []
        for sequence in first..<sequence {
            var valid: [CheckedSegment] = []
            for (index, name) in wanted.enumerated() where name.sequence == sequence {
                let place = index % SyncEngine.batch
                if place == 0 {
                    found = try await read(Array(paths[index...].prefix(SyncEngine.batch)), limit: Limits.segment)
                }
                guard place < found.count else { continue }
                // No device writes one that is longer than that.
                if case .tooLong = found[place] { report.damaged.append(paths[index].description) }
                if case .missing = found[place] { hasMissed = true }
                guard case .bytes(let bytes) = found[place] else { continue }
                if let segment = try check(bytes, device, name, after: position, known) { valid.append(segment) }
            }
            guard let segment = try await choose(valid, of: device, sequence) else { return (segments, true) }
            segments.append(segment)
            learnCuts(from: segment.record)
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
                spare: standing.spare, vouched: standing.vouched(device), rules: environment.rules)
        } catch {
            let path = Layout.segment(device, name.sequence, name.hash).description
            switch error {
            case .damaged where isNewer(.segment, bytes, name.hash): report.newer.append(path)
            case .damaged: report.damaged.append(path)
            case .revoked: standing.hold(device, shutOutAt: name.sequence)
            case .unknownKey: standing.hold(device, keys: state.ring.links.count)
            case .forked:
                guard standing.cuts[device] != nil else {
                    throw .forked(Alarm(device: device, sequence: name.sequence, object: path))
                }
                standing.tear(device)
            }
            return nil
        }
    }

    /// Whether an object has arrived whole and is of a newer format. Who wrote it cannot be told: it is waited for, and no alarm.
    nonisolated func isNewer(_ kind: SignedObject.Kind, _ bytes: [UInt8], _ hash: Identifier) -> Bool {
        SignedObject.newerFormat(kind, bytes) != nil && Identifier(hashing: bytes) == hash
    }

    private func isReady(_ group: [CheckedSegment]) async throws(SyncError) -> Bool {
        for segment in group {
            var isReady = false
            try await settingLogAside(of: segment.device) { () async throws(SyncError) in
                isReady = try await self.isReady(segment)
            }
            guard isReady else { return false }
        }
        return true
    }

    /// Whether the clocks that the writers say they have seen are no later than those that there were: with others they would
    /// make room for clocks of their own (``LogReader/lamportSlack``).
    private func isTrue(_ group: [CheckedSegment]) -> Bool {
        for segment in group {
            let isFalse = segment.record.seen.positions.contains { device, theirs in
                guard let ours = state.seen[device], theirs.sequence <= ours.sequence, standing.cuts[device] == nil
                else { return false }
                return theirs.lamport > ours.lamport
            }
            guard isFalse else { continue }
            report.damaged.append(segment.path.description)
            return false
        }
        return true
    }

    /// Whether everything that the writer had seen is here; and that it has seen the same.
    private func isReady(_ segment: CheckedSegment) async throws(SyncError) -> Bool {
        if let claim = segment.record.seen[own], environment.rules.checksOwnLog, try await isInvented(claim) {
            throw .forked(
                Alarm(
                    device: segment.device, sequence: segment.position.sequence, object: segment.path.description))
        }
        try compare(segment.record.seen, segment.path)
        if let key = segment.key, state.ring[key] == nil { return false }
        return !environment.rules.waitsForCauses || hasRead(segment.record.seen)
    }

    /// Whether somebody has seen the same history as this device, as far as both have gone.
    func compare(_ seen: VersionVector, _ path: RemotePath) throws(SyncError) {
        for (device, theirs) in seen.positions {
            let ours = state.seen[device]
            if device == own, environment.rules.checksOwnLog, theirs.sequence > ours?.sequence ?? 0 { throw .cloned }
            // Who has read what does not count is at no fault.
            if standing.cuts[device] != nil { continue }
            if environment.rules.comparesSeen, let ours, ours.sequence == theirs.sequence, ours.hash != theirs.hash {
                throw .forked(Alarm(device: device, sequence: theirs.sequence, object: path.description))
            }
        }
    }
}
