internal import Format
internal import SystemPackage

/// The log of operations, the integrity root, and the clock.
extension Committer {
    func appendOperations() throws(Errno) {
        guard !operations.isEmpty else { return }
        didChange?()
        var rest = operations[...]
        while !rest.isEmpty {
            root.lastOperation += 1
            let record = OperationRecord(
                lamport: root.lamport, operations: Array(rest.prefix(Limits.operationsInRow)))
            rest = rest.dropFirst(Limits.operationsInRow)
            let slot = root.lastOperation
            let seal = seal(.operation, slot: slot) { record.encode(into: &$0) }
            unsafe try put(.operation, slot: slot, seal, previous: nil)
        }
        // Those that wait for a segment are worth more than their space, up to where reading all rows is less work.
        let isWaiting = root.isReplicated && !root.isIncomplete
        let most = isWaiting ? Limits.operationsWaiting : Limits.operationsKept + 512
        guard root.lastOperation - root.droppedOperations > most else { return }
        root.isIncomplete = root.isReplicated
        try dropOperations(through: root.lastOperation - Limits.operationsKept)
    }

    /// Without a remote nobody reads the oldest operations: the first push sends the state itself.
    func dropOperations(through last: Int64) throws(Errno) {
        guard last > root.droppedOperations else { return }
        for slot in (root.droppedOperations + 1)...last where try has(.operation, slot: slot) {
            try delete(.operation, slot: slot, seal: try seal(of: .operation, slot: slot))
        }
        root.droppedOperations = last
    }

    func writeRoot() throws(Errno) {
        root.counter += 1
        let record = root.record
        let seal = seal(.root, slot: 1) { record.encode(into: &$0) }
        try unsafe writeSealed(0, slot: 1, seal, isNew: true, content: .none)
    }

    /// The stamp of what the running operation writes: later than all that was seen.
    func nextStamp() -> Stamp {
        Stamp(lamport: root.lamport, device: root.device)
    }

    func advanceClock() { root.lamport &+= 1 }
}

/// Versions that other devices have heard of, and what the present one takes the place of.
extension Committer {
    /// Whether a change with that stamp came from another device, or is in a segment.
    func isAnnounced(_ stamp: Stamp) -> Bool { stamp.device != root.device || stamp.lamport <= root.segmented }

    /// Gives a file's content a stamp of its own: what others have heard of before is replaced by it.
    ///
    /// Own versions that never came into a segment need not be mentioned; what they replaced is replaced by this one.
    func renewHeads(of record: inout FileRecord, replacing old: FileRecord? = nil) {
        let before = old ?? record
        var replaced = before.heads.filter(isAnnounced)
        if replaced.count < before.heads.count {
            for stamp in before.replaced where !replaced.contains(stamp) { replaced.append(stamp) }
        }
        record.replaced = Array(replaced.prefix(Limits.stamps))
        record.heads = [nextStamp()]
        record.saved = nil
    }

    /// A file gets a name that led to another one, or to none. Those who remove the name by which they know the file, or
    /// write another file over it, before they hear of this have nothing left of it: so they are told all of it.
    func noteFurtherName(of file: Identifier) {
        if root.isReplicated { operations.append(Operation(kind: .whole, subject: file)) }
    }

    /// A file gets the first name that other devices hear of: so they have to hear of its attributes and content, too,
    /// whenever those were written.
    func announceAnew(_ record: inout FileRecord) {
        record.stamp = nextStamp()
        if !record.heads.isEmpty { renewHeads(of: &record) }
        operations.append(Operation(kind: .attributes, subject: record.identifier))
        operations.append(
            Operation(kind: .content, subject: record.identifier, version: record.content.version))
    }
}
