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
    /// Chunks that are named and do not come along.
    var chunks: [Int64] = []
}

/// What this device has changed, for the next segment.
extension ReplicationTransaction {
    /// What programs have changed since ``endSegment()``, each register once with its present value: attributes and
    /// contents first, then entries, directories before what is in them, then removals.
    ///
    /// Registers come in the order of their clocks, so that a segment that is cut behind `atMost` bytes has all up to a
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
            guard found.size < bytes else { break }
            for subject in group.subjects { try found.add(subject, upTo: group.lamport) }
            (done.lamport, done.lastRow) = (max(done.lamport, group.lamport), groups.lastRow)
        }
        let changes = found.ordered()
        for case .content(let content) in changes {
            done.chunks += content.chunks.lazy.filter(\.embedded.isEmpty).map(\.slot)
        }
        gathered = done
        // Nothing that would make a segment: what was looked through is done with.
        if changes.isEmpty, done.isComplete,
            committer.root.isIncomplete || done.lastRow > committer.root.droppedOperations
        {
            try endGathered()
        }
        return changes
    }

    /// What ``ownChanges(atMost:)`` gave last is in a segment now.
    public func endSegment() throws(Errno) {
        ended = gathered?.chunks ?? []
        try endGathered()
    }

    private func endGathered() throws(Errno) {
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
    /// The clock up to which removals of an entry are among them.
    private var removed: [Identifier: UInt64] = [:]
    /// Encoded, in bytes.
    private(set) var size = 0

    init(_ transaction: ReplicationTransaction) { self.transaction = transaction }

    mutating func add(_ subject: OwnSubject, upTo lamport: UInt64) throws(Errno) {
        switch subject.kind {
        case .file: try addFile(subject.identifier, upTo: lamport)
        case .whole: try addWhole(subject.identifier)
        case .entry:
            let stamp = try transaction.entry(subject.identifier)?.placement.stamp
            if let stamp, isNew(stamp), stamp.lamport <= lamport { try addEntry(subject.identifier) }
        case .removal: try addRemovals(subject.identifier, upTo: lamport)
        }
    }

    private func isNew(_ stamp: Stamp) -> Bool { !committer.isAnnounced(stamp) }

    private mutating func addFile(_ identifier: Identifier, upTo lamport: UInt64) throws(Errno) {
        guard let (lineage, slot) = try known(identifier) else { return }
        let record = try committer.loadFile(slot).0
        let stamps = [record.stamp] + record.heads.prefix(1)
        guard stamps.contains(where: { isNew($0) && $0.lamport <= lamport }), try !isOnlyHeldOpen(lineage, record)
        else { return }
        try add(record, slot)
        try addNames(of: lineage, record)
    }

    /// A program has a removed file open, and has written into it since: as anywhere, that is gone when it is closed. Where
    /// somebody else's edit brings the file back, it is told.
    private func isOnlyHeldOpen(_ lineage: Identifier, _ record: FileRecord) throws(Errno) -> Bool {
        guard let written = record.heads.first else { return false }
        var isRemoved = false
        for entry in transaction.entries(of: lineage) {
            // What has no register is there: the rule, and no row is read for it.
            guard committer.sync.registers[entry] != nil, let register = try transaction.entry(entry),
                !register.isShown
            else { return false }
            // It was removed with what is written in it.
            if register.removals.contains(where: { $0.saw.contains(written) }) { return false }
            if register.removals.contains(where: { $0.stamp < written }) { isRemoved = true }
        }
        return isRemoved
    }

    private mutating func addWhole(_ identifier: Identifier) throws(Errno) {
        guard let (lineage, slot) = try known(identifier) else { return }
        let record = try committer.loadFile(slot).0
        try add(record, slot, isWhole: true)
        try addNames(of: lineage, record)
    }

    /// A file without a name would be nothing to the others. One that is removed is not told once more: whoever has forgotten
    /// it by now would take it for a new one.
    private mutating func addNames(of lineage: Identifier, _ record: FileRecord) throws(Errno) {
        let isDirectory = record.mode & FileType.mask == FileType.directory
        for entry in transaction.entries(of: lineage) {
            if committer.sync.registers[entry] != nil {
                guard let register = try transaction.entry(entry), register.isShown,
                    register.removals.isEmpty || !isDirectory
                else { continue }
            }
            try addEntry(entry)
        }
    }

    /// A file that other devices hear of, by its own identifier: it has a name, or they have to hear that it is removed.
    private func known(_ identifier: Identifier) throws(Errno) -> (lineage: Identifier, slot: Int64)? {
        guard let lineage = transaction.lineage(ofFile: identifier), let file = try transaction.file(of: lineage),
            file.identifier == identifier
        else { return nil }
        guard lineage == transaction.vault.identifier || !transaction.entries(of: lineage).isEmpty else { return nil }
        return (lineage, file.slot)
    }

    /// Attributes and content of a lineage. A copy that somebody has touched is told whole: another device may not have
    /// it.
    private mutating func add(_ record: FileRecord, _ slot: Int64, isWhole: Bool = false) throws(Errno) {
        add(AttributesChange(record))
        guard contents[record.lineage] == nil, let stamp = record.heads.first,
            isWhole || record.isCopy || isNew(stamp),
            let change = try transaction.content(of: record, slot)
        else { return }
        contents[record.lineage] = change
        size += Change.content(change).encodedSize
    }

    private mutating func add(_ change: AttributesChange) {
        guard attributes.updateValue(change, forKey: change.lineage) == nil else { return }
        size += Change.attributes(change).encodedSize
    }

    /// An entry with what has to be known before it: its file, and the directories above it.
    private mutating func addEntry(_ entry: Identifier) throws(Errno) {
        guard entries[entry] == nil, let change = try transaction.entry(entry)?.placement else { return }
        entries[entry] = change
        size += Change.entry(change).encodedSize
        try addNew(change.lineage)
        guard change.parent != transaction.vault.identifier else { return }
        try addNew(change.parent)
        for above in transaction.entries(of: change.parent) {
            if let stamp = try transaction.entry(above)?.placement.stamp, isNew(stamp) { try addEntry(above) }
        }
    }

    private mutating func addNew(_ lineage: Identifier) throws(Errno) {
        guard attributes[lineage] == nil, let file = try transaction.file(of: lineage) else { return }
        let record = try committer.loadFile(file.slot).0
        if isNew(record.stamp) || record.isCopy { try add(record, file.slot) }
    }

    private mutating func addRemovals(_ entry: Identifier, upTo lamport: UInt64) throws(Errno) {
        let before = removed[entry] ?? 0
        guard before < lamport, let register = try committer.keptRegister(of: entry) else { return }
        let new = register.removals.filter { removal in
            isNew(removal.stamp) && removal.stamp.lamport > before && removal.stamp.lamport <= lamport
        }
        guard !new.isEmpty else { return }
        removed[entry] = lamport
        removals += new
        size += new.reduce(0) { $0 + Change.removal($1).encodedSize }
    }

    func ordered() -> [Change] {
        let lineages = Set(attributes.keys).union(contents.keys).sorted()
        var changes: [Change] = []
        for lineage in lineages {
            // The content first: whoever has another one names the loser by the time that it was saved at.
            if let change = contents[lineage] { changes.append(.content(change)) }
            if let change = attributes[lineage] { changes.append(.attributes(change)) }
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

extension FileRecord {
    /// It was made of a rival, and nobody has set its attributes.
    var isCopy: Bool { stamp.device == Identifier.none && stamp.lamport == 0 && !heads.isEmpty }
}
