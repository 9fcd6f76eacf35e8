public import Format
internal import Synchronization
public import SystemPackage

/// What ``ReplicationTransaction/ownChanges(atMost:)`` has gathered, and how far it came.
struct GatheredChanges {
    var lamport: UInt64
    /// Rows of operations that are done with.
    var lastRow: Int64
    /// Nothing is left.
    var isComplete: Bool
}

/// What this device has changed, for the next segment.
extension ReplicationTransaction {
    /// What programs have changed since ``endSegment()``, each register once with its present value: attributes and
    /// contents first, then entries, directories before what is in them, then removals.
    ///
    /// Registers come in the order of their clocks, so that a segment that is cut at `atMost` bytes has all up to a
    /// clock. A directory that would come later comes with what is in it.
    public func ownChanges(atMost bytes: Int) throws(Errno) -> [Change] {
        try committer.appendOperations()
        committer.operations.removeAll()
        if committer.root.isIncomplete,
            committer.scan == nil || (committer.scan?.lastOperation ?? 0) < committer.root.droppedOperations
        {
            committer.scan = try OwnScan(vault, committer)
        }
        if !committer.root.isIncomplete { committer.scan = nil }
        var groups = OwnGroups(committer)
        var found = OwnChanges(self)
        var done = GatheredChanges(
            lamport: committer.root.segmented, lastRow: groups.lastRow, isComplete: false)
        while true {
            guard let group = try groups.next() else {
                (done.lamport, done.isComplete) = (committer.root.lamport, true)
                done.lastRow = committer.root.lastOperation
                break
            }
            let before = found
            for subject in group.subjects { try found.add(subject, upTo: group.lamport) }
            if found.size > bytes, before.size > 0 {
                found = before
                break
            }
            (done.lamport, done.lastRow) = (max(done.lamport, group.lamport), groups.lastRow)
        }
        gathered = done
        return found.ordered()
    }

    /// What ``ownChanges(atMost:)`` gave last is in a segment now.
    public func endSegment() throws(Errno) {
        guard let gathered else { return }
        self.gathered = nil
        committer.root.segmented = max(committer.root.segmented, gathered.lamport)
        committer.root.heard = max(committer.root.heard, committer.root.lamport)
        if gathered.isComplete { committer.root.isIncomplete = false }
        // Those that the scan covers are of use until it is through: it may have to be made again.
        if !committer.root.isIncomplete { try committer.dropOperations(through: gathered.lastRow) }
    }
}

/// The changes of a segment while they are gathered.
struct OwnChanges {
    private let transaction: ReplicationTransaction
    private var committer: Committer { transaction.committer }
    private var attributes: [Identifier: AttributesChange] = [:]
    private var contents: [Identifier: ContentChange] = [:]
    private var entries: [Identifier: EntryChange] = [:]
    private var removals: [RemovalChange] = []
    private var removed: Set<Identifier> = []
    /// Encoded, in bytes.
    private(set) var size = 0

    init(_ transaction: ReplicationTransaction) { self.transaction = transaction }

    mutating func add(_ subject: OwnSubject, upTo lamport: UInt64) throws(Errno) {
        switch subject.kind {
        case .file: try addFile(subject.identifier, upTo: lamport)
        case .entry: try addEntry(subject.identifier) { $0.lamport <= lamport }
        case .removal: try addRemovals(subject.identifier, upTo: lamport)
        }
    }

    private func isNew(_ stamp: Stamp) -> Bool { !committer.isAnnounced(stamp) }
    private func isOwn(_ stamp: Stamp) -> Bool { stamp.device == committer.root.device }

    private mutating func addFile(_ identifier: Identifier, upTo lamport: UInt64) throws(Errno) {
        guard let (lineage, slot) = known(identifier) else { return }
        let record = try committer.loadFile(slot).0
        let committer = committer
        if isNew(record.stamp), record.stamp.lamport <= lamport {
            add(AttributesChange(record))
            // A file without a name would be nothing to the others.
            for entry in transaction.names(of: lineage) { try addEntry(entry) { !committer.isAnnounced($0) } }
        }
        guard let stamp = record.heads.first, isNew(stamp), stamp.lamport <= lamport, contents[lineage] == nil,
            let change = try transaction.content(of: record, slot)
        else { return }
        contents[lineage] = change
        size += Change.content(change).encodedSize
        if isOwn(record.stamp) { add(AttributesChange(record)) }
        for entry in transaction.names(of: lineage) { try addEntry(entry) { _ in true } }
    }

    /// A file that other devices hear of, by its own identifier.
    private func known(_ identifier: Identifier) -> (lineage: Identifier, slot: Int64)? {
        if let made = transaction.overlay.files.first(where: { $0.value.identifier == identifier }) {
            return transaction.names(of: made.key).isEmpty ? nil : (made.key, made.value.slot)
        }
        return transaction.vault.tree.withLock { tree in
            guard let node = tree.node(of: identifier), tree.node(ofLineage: tree.lineage(of: node)) == node,
                node == .root || tree.isKnown(node)
            else { return nil }
            return (tree.lineage(of: node), tree.inode(at: UInt32(truncatingIfNeeded: node.index)).slot)
        }
    }

    private mutating func add(_ change: AttributesChange) {
        guard attributes.updateValue(change, forKey: change.lineage) == nil else { return }
        size += Change.attributes(change).encodedSize
    }

    /// An entry with what has to be known before it: attributes of its file, and the directories above it.
    private mutating func addEntry(_ entry: Identifier, where isWanted: (Stamp) -> Bool) throws(Errno) {
        guard entries[entry] == nil, let placed = transaction.placed(entry), placed.slot != 0, leaves(entry) else {
            return
        }
        let record = try committer.loadEntry(placed.slot).0
        guard isOwn(record.stamp), isNew(record.stamp) || contents[placed.lineage] != nil, isWanted(record.stamp) else {
            return
        }
        let change = EntryChange(
            entry: entry, parent: placed.parent, lineage: placed.lineage, stamp: record.stamp, name: placed.name)
        entries[entry] = change
        size += Change.entry(change).encodedSize
        try addNewAttributes(of: placed.lineage)
        guard placed.parent != transaction.vault.identifier else { return }
        try addNewAttributes(of: placed.parent)
        let committer = committer
        for above in transaction.names(of: placed.parent) { try addEntry(above) { !committer.isAnnounced($0) } }
    }

    private mutating func addNewAttributes(of lineage: Identifier) throws(Errno) {
        guard attributes[lineage] == nil, let file = try transaction.file(of: lineage) else { return }
        let record = try committer.loadFile(file.slot).0
        if isNew(record.stamp) { add(AttributesChange(record)) }
    }

    /// Not one of the names that never leave this device.
    private func leaves(_ entry: Identifier) -> Bool {
        transaction.vault.tree.withLock { tree in
            guard let index = tree.dentry(of: entry) else { return true }
            let dentry = tree.dentry(at: index)
            return !dentry.isLocal && !tree.isLocal(Node(index: Int(dentry.parent)))
        }
    }

    private mutating func addRemovals(_ entry: Identifier, upTo lamport: UInt64) throws(Errno) {
        guard !removed.contains(entry), let register = try committer.keptRegister(of: entry) else { return }
        let new = register.removals.filter { isNew($0.stamp) && $0.stamp.lamport <= lamport }
        guard !new.isEmpty else { return }
        removed.insert(entry)
        removals += new
        size += new.reduce(0) { $0 + Change.removal($1).encodedSize }
    }

    func ordered() -> [Change] {
        let lineages = Set(attributes.keys).union(contents.keys).sorted()
        var changes: [Change] = []
        for lineage in lineages {
            if let change = attributes[lineage] { changes.append(.attributes(change)) }
            if let change = contents[lineage] { changes.append(.content(change)) }
        }
        changes += fromTheTop().map { .entry($0) }
        return changes + removals.sorted { $0.stamp < $1.stamp }.map { .removal($0) }
    }

    /// Directories before what is in them.
    private func fromTheTop() -> [EntryChange] {
        let directories = Dictionary(entries.values.map { ($0.lineage, $0) }) { first, _ in first }
        func depth(_ entry: EntryChange) -> Int {
            var (walk, depth) = (entry.parent, 0)
            while let above = directories[walk], depth < entries.count { (walk, depth) = (above.parent, depth + 1) }
            return depth
        }
        return entries.values.map { (depth($0), $0) }
            .sorted { ($0.0, $0.1.entry) < ($1.0, $1.1.entry) }.map(\.1)
    }
}
