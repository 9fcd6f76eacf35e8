internal import Format

/// The names in the remote's logs. Names say nothing yet: whoever can write there can make them.
struct Logs: Sendable {
    /// By device and sequence number; more than one hash for a number is a fork or somebody's litter.
    private(set) var segments: [Identifier: [UInt64: [Identifier]]] = [:]

    mutating func add(_ device: Identifier, _ items: [RemoteItem]) {
        for item in items where !item.isFolder {
            guard let (number, hash) = Layout.numbered(item.name) else { continue }
            segments[device, default: [:]][number, default: []].append(hash)
        }
        for number in segments[device, default: [:]].keys { segments[device]?[number]?.sort() }
    }

    func last(of device: Identifier) -> UInt64 { segments[device]?.keys.max() ?? 0 }

    /// The paths of a device's segments up to a number, the newest one left out.
    func paths(_ device: Identifier, upTo last: UInt64) -> [RemotePath] {
        let newest = self.last(of: device)
        return (segments[device] ?? [:]).filter { $0.key <= last && $0.key < newest }.sorted { $0.key < $1.key }
            .flatMap { sequence, hashes in hashes.map { Layout.segment(device, sequence, $0) } }
    }

    /// How many segments there are behind a position.
    func remaining(_ device: Identifier, _ position: LogPosition?) -> UInt64 {
        last(of: device) - min(last(of: device), position?.sequence ?? 0)
    }

    func hashes(_ device: Identifier, _ sequence: UInt64) -> [Identifier] { segments[device]?[sequence] ?? [] }
}

extension SyncEngine {
    /// - Parameter devices: whose; nil for all.
    func listLogs(_ devices: [Identifier]? = nil) async throws(SyncError) -> Logs {
        var logs = Logs()
        var found = devices ?? []
        if devices == nil {
            for item in try await list(Layout.logs).sorted(by: { $0.name < $1.name }) where item.isFolder {
                guard let device = Identifier(hexadecimal: Substring(item.name)), device != .none else { continue }
                found.append(device)
            }
        }
        for device in found { logs.add(device, try await list(Layout.log(device))) }
        return logs
    }

    /// The own log at the remote is the one that this database has written: where it goes further, somebody else goes on
    /// under this device's name from a copy of the database, or the database is the copy.
    func checkOwn(_ logs: Logs) async throws(SyncError) {
        guard environment.rules.checksOwnLog else { return }
        let built = state.seen[own]
        let further = (logs.segments[own] ?? [:]).keys.sorted().filter { $0 >= built?.sequence ?? 0 }
        for sequence in further {
            for hash in logs.hashes(own, sequence) where sequence != built?.sequence || hash != built?.hash {
                if try await isWritten(own, sequence, hash) { throw .cloned }
            }
        }
        if try await twin(own, until: built?.sequence ?? 0, logs) != nil { throw .cloned }
        if let published = state.published {
            try await checkLength(own, published, logs)
            try await checkGaps(until: published, logs)
        }
    }

    /// Something of the own log is gone below what was pushed last, which was pushed after the loss: nobody else could ever
    /// read on from there.
    private func checkGaps(until published: LogPosition, _ logs: Logs) async throws(SyncError) {
        guard environment.rules.checksRollback, !acceptsLoss else { return }
        guard let sequence = try await gap(until: published, logs) else { return }
        for snapshot in try await manifests(isAnnounced: false)
        where snapshot.manifest.seen[own]?.sequence ?? 0 >= sequence { return }
        throw .rolledBack(Alarm(device: own, sequence: sequence, object: Layout.log(own).description))
    }

    /// The highest number up to which something of the own log is gone; nil where all is there. A listing may lag behind what
    /// was written, as those of object stores do: what it lacks is asked for by the name that the segment behind it tells.
    private func gap(until published: LogPosition, _ logs: Logs) async throws(SyncError) -> UInt64? {
        var (sequence, unlisted) = (published.sequence, [published.sequence: published.hash])
        while sequence > state.removed {
            if logs.hashes(own, sequence).isEmpty {
                if unlisted[sequence] == nil {
                    unlisted[sequence] = try await hash(before: sequence + 1, unlisted[sequence + 1], logs)
                }
                guard unlisted.count <= Self.unlistedMost, let hash = unlisted[sequence],
                    try await isWritten(own, sequence, hash)
                else { return sequence }
            }
            sequence -= 1
        }
        return nil
    }

    /// How many segments a listing may lack.
    private static var unlistedMost: Int { 64 }

    /// What an own segment says that the one before it is.
    private func hash(
        before sequence: UInt64, _ unlisted: Identifier?, _ logs: Logs
    ) async throws(SyncError) -> Identifier? {
        for hash in unlisted.map({ [$0] }) ?? Array(logs.hashes(own, sequence).prefix(8)) {
            let path = Layout.segment(own, sequence, hash)
            guard case .bytes(let bytes)? = try await read([path], limit: Limits.segment).first,
                reader.isWritten(bytes, by: own, sequence, hash, state), let (record, _) = open(bytes, state.ring)
            else { continue }
            return record.previous
        }
        return nil
    }

    /// A number below what was read that the device has signed two segments of, as far as they are still there.
    private func twin(_ device: Identifier, until last: UInt64, _ logs: Logs) async throws(SyncError) -> RemotePath? {
        let doubled = (logs.segments[device] ?? [:]).filter { $0.key < last && $0.value.count > 1 }
        // Whoever can write there can make any number of names.
        for (sequence, hashes) in doubled.sorted(by: { $0.key < $1.key }).prefix(64) {
            var isFound = false
            for hash in hashes.prefix(8) where try await isWritten(device, sequence, hash) {
                if isFound { return Layout.segment(device, sequence, hash) }
                isFound = true
            }
        }
        return nil
    }

    /// What was read of a device's log before is there still, or what came after it.
    func checkKnown(_ device: Identifier, _ logs: Logs) async throws(SyncError) {
        guard let known = state.seen[device], known.sequence > 0 else { return }
        let cut = standing.cuts[device]
        // Behind the last segment that counts of a device that was shut out nothing is missed.
        if cut?.sequence ?? .max > known.sequence { try await checkLength(device, known, logs) }
        guard environment.rules.checksChain, cut == nil else { return }
        for hash in logs.hashes(device, known.sequence) where hash != known.hash {
            guard try await isWritten(device, known.sequence, hash) else { continue }
            throw .forked(
                Alarm(
                    device: device, sequence: known.sequence,
                    object: Layout.segment(device, known.sequence, hash).description))
        }
        if let twin = try await twin(device, until: known.sequence, logs) {
            throw .forked(Alarm(device: device, sequence: known.sequence, object: twin.description))
        }
    }

    /// A log that has become shorter is a rollback, unless a snapshot has what is gone.
    private func checkLength(_ device: Identifier, _ known: LogPosition, _ logs: Logs) async throws(SyncError) {
        guard environment.rules.checksRollback, !acceptsLoss, logs.last(of: device) < known.sequence else { return }
        // The listing may lag behind.
        if try await isWritten(device, known.sequence, known.hash) { return }
        for snapshot in try await manifests(isAnnounced: false)
        where snapshot.manifest.seen[device]?.sequence ?? 0 >= known.sequence { return }
        throw .rolledBack(
            Alarm(device: device, sequence: logs.last(of: device) + 1, object: Layout.log(device).description))
    }

    /// Whether a device has really written a segment: anybody can put a file of such a name there.
    func isWritten(_ device: Identifier, _ sequence: UInt64, _ hash: Identifier) async throws(SyncError) -> Bool {
        let path = Layout.segment(device, sequence, hash)
        guard case .bytes(let bytes)? = try await read([path], limit: Limits.segment).first else { return false }
        return reader.isWritten(bytes, by: device, sequence, hash, state)
    }
}
