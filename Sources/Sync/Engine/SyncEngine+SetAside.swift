internal import Format

/// Going on where the replica refuses a change.
extension SyncEngine {
    /// Runs a transaction that applies changes. Where the replica refuses one, it is run again without that one.
    ///
    /// - Parameter body: is given what was refused, entries or lineages, and says what it is at.
    nonisolated func settingAside<T: Sendable>(
        _ body: (R.Transaction, Set<Identifier>, inout Identifier?) throws(SyncError) -> T
    ) throws(SyncError) -> T {
        var refused: Set<Identifier> = []
        while true {
            var subject: Identifier?
            do throws(SyncError) {
                return try replica.transaction { (replica) throws(SyncError) in try body(replica, refused, &subject) }
            } catch {
                guard environment.rules.setsAside, error.isRefusal, let subject, refused.count < SetAside.most,
                    refused.insert(subject).inserted
                else { throw error }
            }
        }
    }

    /// Keeps the changes of a segment that are refused, or build on such ones.
    ///
    /// - Returns: those that can be applied.
    /// - Throws: EFBIG where too many wait already.
    nonisolated func setAside(
        _ segment: SetAside, refused: Set<Identifier>, _ replica: R.Transaction
    ) throws(SyncError) -> [Change] {
        let all = try setAside(in: replica)
        let waiting = all.filter { SetAside.precedes($0.value, segment) }
        let held = waiting.reduce(into: refused) { $0.formUnion($1.value.subjects) }
        let (applied, kept) = try SetAside.divide(segment.record.changes, holding: held) {
            (lineage) throws(SyncError) in try replica.lineage(lineage) != nil
        }
        guard !kept.isEmpty else { return applied }
        var rest = segment
        rest.record.changes = kept
        let rows = rest.rows
        guard all.count + rows.count <= SetAside.rowsMost else { throw .store(27) }
        for row in rows { try replica.setAside(row) }
        return applied
    }

    /// Tries again what was set aside, in the order in which it was written.
    func retrySetAside() throws(SyncError) {
        let waiting = try replica.transaction { (replica) throws(SyncError) in try setAside(in: replica) }
        guard !waiting.isEmpty else { return }
        var groups: [[(number: UInt64, value: SetAside)]] = []
        for item in waiting.sorted(by: { SetAside.precedes($0.value, $1.value) }) {
            if let last = groups.last?.first?.value, last.author == item.value.author,
                last.sequence == item.value.sequence
            {
                groups[groups.count - 1].append(item)
            } else {
                groups.append([item])
            }
        }
        for group in groups { try retry(group) }
        report.refusedChanges = try replica.transaction { (replica) throws(SyncError) in
            try refusedChanges(in: replica)
        }
    }

    private func retry(_ group: [(number: UInt64, value: SetAside)]) throws(SyncError) {
        guard var segment = group.first?.value else { return }
        segment.record.changes = group.flatMap(\.value.record.changes)
        let (whole, before) = (segment, state)
        let conflicts = try settingAside { (replica, refused, subject) throws(SyncError) in
            for item in group { try replica.removeSetAside(item.number) }
            replica.attribute(to: whole.author, segment: whole.sequence)
            var applied = before.seen
            applied[whole.author] = whole.before
            let merge = try apply(whole, refused, applied, replica, before, &subject)
            return merge.conflicts
        }
        report.conflicts += conflicts
    }

    /// Merges what can be applied of a segment.
    nonisolated func apply(
        _ segment: SetAside, of group: SegmentGroup = SegmentGroup(), _ refused: Set<Identifier>,
        _ applied: VersionVector, _ replica: R.Transaction, _ state: SyncState, _ subject: inout Identifier?
    ) throws(SyncError) -> Merge<R.Transaction> {
        let changes = try setAside(segment, refused: refused, replica)
        var merge = Merge(
            replica, own: own, author: segment.author, seen: segment.record.seen, applied: applied, top: keys.vault,
            naming: naming(state))
        merge.settlements = settlements(in: segment.record.notices)
        merge.group = group
        do throws(SyncError) { try merge.apply(changes) } catch {
            subject = merge.subject
            throw error
        }
        return merge
    }

    private nonisolated func setAside(
        in replica: R.Transaction
    ) throws(SyncError) -> [(number: UInt64, value: SetAside)] {
        var found: [(number: UInt64, value: SetAside)] = []
        for (number, row) in try replica.setAside() {
            do throws(FormatError) { found.append((number, try SetAside(decoding: row))) } catch { throw .store(5) }
        }
        return found
    }

    /// What waits, by the entries that it is of.
    nonisolated func refusedChanges(in replica: R.Transaction) throws(SyncError) -> [RefusedChange] {
        var found: [RefusedChange] = []
        for (_, segment) in try setAside(in: replica) {
            var named: Set<Identifier> = []
            for case .entry(let entry) in segment.record.changes {
                named.formUnion([entry.entry, entry.lineage])
                found.append(RefusedChange(entry: entry.entry, name: entry.name, device: segment.author))
            }
            for change in segment.record.changes where !named.contains(change.subject) {
                let entry = try change.lineage.map { (lineage) throws(SyncError) in
                    try replica.entries(of: lineage).first ?? lineage
                }
                let register = try replica.entry(entry ?? change.subject)
                found.append(
                    RefusedChange(
                        entry: entry ?? change.subject, name: register?.placement.name ?? [], device: segment.author))
            }
        }
        return found.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// Changes wait: what is shown here is not all that the logs say.
    func hasSetAside() throws(SyncError) -> Bool {
        try replica.transaction { (replica) throws(SyncError) in try !replica.setAside().isEmpty }
    }
}
