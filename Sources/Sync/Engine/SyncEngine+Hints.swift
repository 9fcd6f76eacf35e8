internal import Format

/// What a device's hint says: how far its log goes.
struct Hint: Equatable, Sendable {
    var sequence: UInt64
    var hash: Identifier
    /// Of the object, as it was when the hint was read; nil where the remote gives none.
    var tag: String?

    /// The text is `sequence.hash` and a line feed; nil for anything else.
    init?(_ bytes: [UInt8], tag: String?) {
        guard bytes.count <= 64, let text = String(validating: bytes, as: UTF8.self), text.hasSuffix("\n"),
            let (sequence, hash) = Layout.numbered(String(text.dropLast()))
        else { return nil }
        (self.sequence, self.hash, self.tag) = (sequence, hash, tag)
    }

    static func bytes(_ position: LogPosition) -> [UInt8] {
        Array("\(position.sequence).\(position.hash.hexadecimal)\n".utf8)
    }
}

/// Looking at the hints instead of the logs. Whoever can write to the remote can make them say anything: they spare work
/// and decide nothing.
extension SyncEngine {
    /// Whether the remote seems to have something that this replica has not: one listing, as a rule. True every so often
    /// whatever the hints say, so that wrong ones hide nothing for good.
    public func hasNews() async throws(SyncError) -> Bool {
        guard let looks = shortLooks, looks < environment.hintsBeforeLook, state.alarm == nil else { return true }
        shortLooks = looks + 1
        return try await readHints().contains { isBehind($0.key, $0.value) }
    }

    /// All hints, and the receipts beside them; those whose tag is the same as before are not read again.
    func readHints() async throws(SyncError) -> [Identifier: Hint] {
        var current: [Identifier: Hint] = [:]
        var unread: [(device: Identifier, tag: String?)] = []
        let items = try await list(Layout.heads).sorted { $0.name < $1.name }
        for item in items where !item.isFolder {
            guard let device = Identifier(hexadecimal: Substring(item.name)) else { continue }
            if let known = hints[device], let tag = item.tag, known.tag == tag {
                current[device] = known
            } else if unread.count < Limits.devices {
                unread.append((device, item.tag))
            }
        }
        if !unread.isEmpty {
            let found = try await read(unread.map { Layout.head($0.device) }, limit: 64)
            for (index, (device, tag)) in unread.enumerated() where index < found.count {
                if case .bytes(let bytes) = found[index] { current[device] = Hint(bytes, tag: tag) }
            }
        }
        hints = current
        try await takeReceipts(items)
        return current
    }

    func isBehind(_ device: Identifier, _ hint: Hint) -> Bool {
        guard device != own else { return false }
        let seen = state.seen[device]
        if hint.sequence == seen?.sequence { return hint.hash != seen?.hash }
        return hint.sequence > seen?.sequence ?? 0
    }

    func writeHint() async throws(SyncError) {
        guard let position = state.published else { return }
        try await replace(RemoteObject(path: Layout.head(own), bytes: Hint.bytes(position)))
        hints[own] = Hint(Hint.bytes(position), tag: nil)
    }

    /// The own hint was lost in a run that was cut off.
    func renewHint(_ found: Hint?) async throws(SyncError) {
        guard let position = state.published, hints[own]?.sequence != position.sequence,
            found?.sequence != position.sequence
        else { return }
        try await writeHint()
    }

    /// Logs that hints and other devices say more of than is there: a look or two is how things travel, more is not.
    func noteOverdue(_ hints: [Identifier: Hint]) throws(SyncError) {
        var said = signedClaims
        for (device, hint) in hints { said[device] = max(said[device] ?? 0, hint.sequence) }
        var overdue: [Identifier: UInt8] = [:]
        for (device, sequence) in said where device != own && overdue.count < SyncState.namedMost {
            let seen = state.seen[device]?.sequence ?? 0
            let isMissed = state.members[device]?.revokedAfter.map { seen < $0 } ?? true
            guard sequence > seen, isMissed || waitingFor[device] ?? 0 > seen else { continue }
            let looks = min(state.overdue[device] ?? 0, 254) + 1
            overdue[device] = looks
            guard isMissed, looks >= SyncEngine.looksUntilOverdue, state.members[device] != nil else { continue }
            report.withheld.append(
                Alarm(device: device, sequence: seen + 1, object: Layout.log(device).description))
        }
        // Names alone alarm nobody, but what is in the place of a gap is looked for.
        for device in gaps where overdue[device] == nil && overdue.count < SyncState.namedMost {
            overdue[device] = 1
        }
        report.withheld.sort { $0.device < $1.device }
        let next = overdue
        try changeState { $0.overdue = next }
    }

    /// After how many whole looks without it something is no more on its way.
    static var looksUntilOverdue: UInt8 { 3 }

    /// How far logs go, as segments that are signed say.
    var signedClaims: [Identifier: UInt64] {
        var said = waitingFor
        for (device, positions) in state.seenBy where state.members[device]?.revokedAfter == nil {
            for (other, position) in positions.positions { said[other] = max(said[other] ?? 0, position.sequence) }
        }
        return said
    }
}
