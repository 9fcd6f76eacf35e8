internal import Format
internal import Synchronization
internal import SystemPackage

/// A register that this device may have changed.
struct OwnSubject: Hashable {
    enum Kind: UInt8 {
        /// Attributes and content of a file; by the file's own identifier.
        case file
        /// The same, with the content though that is not new.
        case whole
        case entry
        case removal
    }

    var kind: Kind
    var identifier: Identifier

    init(_ kind: Kind, _ identifier: Identifier) { (self.kind, self.identifier) = (kind, identifier) }

    init(_ operation: Operation) {
        let kind: Kind =
            switch operation.kind {
            case .entry: .entry
            case .removal: .removal
            case .attributes, .content: .file
            case .whole: .whole
            }
        self.init(kind, operation.subject)
    }
}

/// Own registers of all rows in the order of their clocks: what segments are made from where the operations do not tell.
///
/// The order makes it resumable without a note of its own: what is in segments is what ``RootRecord/segmented`` covers.
struct OwnScan {
    /// By the clock.
    private(set) var subjects: [(lamport: UInt64, subject: OwnSubject)] = []
    /// The operations up to this one are covered.
    let lastOperation: Int64

    /// Reads all rows.
    init(_ vault: Vault, _ committer: Committer) throws(Errno) {
        lastOperation = committer.root.lastOperation
        let (entries, files) = vault.tree.withLock { tree in
            (
                tree.dentries.dropFirst().filter { $0.parent != 0 && $0.slot != 0 && !$0.isLocal }.map(\.slot),
                tree.inodes.dropFirst().filter { $0.isLive && $0.links > 0 && $0.slot != 0 }.map(\.slot)
            )
        }
        for slot in entries {
            let record = try committer.loadEntry(slot).0
            add(record.stamp, OwnSubject(.entry, record.identifier), committer)
        }
        for slot in files {
            let record = try committer.loadFile(slot).0
            add(record.stamp, OwnSubject(.file, record.identifier), committer)
            if let stamp = record.heads.first { add(stamp, OwnSubject(.file, record.identifier), committer) }
        }
        for (lineage, _) in committer.sync.entries.values {
            // Removed with contents that nobody has heard of.
            guard let item = vault.trash.withLock({ $0.item(lineage: lineage) }) else { continue }
            let record = try committer.loadFile(item.fileSlot).0
            if let stamp = record.heads.first { add(stamp, OwnSubject(.file, record.identifier), committer) }
        }
        for entry in committer.sync.registers.values.keys {
            for removal in try committer.keptRegister(of: entry)?.removals ?? [] {
                add(removal.stamp, OwnSubject(.removal, entry), committer)
            }
        }
        subjects.sort { $0.lamport < $1.lamport }
    }

    private mutating func add(_ stamp: Stamp, _ subject: OwnSubject, _ committer: Committer) {
        if !committer.isAnnounced(stamp) { subjects.append((stamp.lamport, subject)) }
    }

    /// The first subject behind a clock.
    func first(after lamport: UInt64) -> Int {
        var (low, high) = (0, subjects.count)
        while low < high {
            let middle = (low + high) / 2
            if subjects[middle].lamport <= lamport { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Own changes group by group, a group being all registers with one clock.
struct OwnGroups {
    private let committer: Committer
    private let scan: OwnScan?
    private var place = 0
    /// The next row of operations.
    private var row: Int64
    /// The last row that was read.
    private(set) var lastRow: Int64

    init(_ committer: Committer) {
        self.committer = committer
        scan = committer.scan
        place = committer.scan?.first(after: committer.root.segmented) ?? 0
        row = max(committer.root.droppedOperations, committer.scan?.lastOperation ?? 0) + 1
        lastRow = row - 1
    }

    /// nil behind the last.
    mutating func next() throws(Errno) -> (lamport: UInt64, subjects: [OwnSubject])? {
        if let scan, place < scan.subjects.count {
            let lamport = scan.subjects[place].lamport
            var subjects: [OwnSubject] = []
            while place < scan.subjects.count, scan.subjects[place].lamport == lamport {
                subjects.append(scan.subjects[place].subject)
                place += 1
            }
            return (lamport, subjects)
        }
        var group: (lamport: UInt64, subjects: [OwnSubject])?
        while row <= committer.root.lastOperation {
            guard try committer.has(.operation, slot: row) else {
                row += 1
                continue
            }
            let record = try committer.loadOperation(row).0
            if let known = group, known.lamport != record.lamport { break }
            group = (record.lamport, (group?.subjects ?? []) + record.operations.map { OwnSubject($0) })
            lastRow = row
            row += 1
        }
        return group
    }
}
