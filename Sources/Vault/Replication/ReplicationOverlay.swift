internal import Format

/// What a running ``ReplicationTransaction`` has done and the tree does not show yet. What a row says is read from the
/// store, which has it already; here is where rows are, and what is to be done to the tree.
struct ReplicationOverlay {
    /// An entry that is shown.
    struct Placed: Equatable {
        var slot: Int64
        var parent: Identifier
        var name: [UInt8]
        var lineage: Identifier
    }

    /// A file: its row, and its own identifier.
    struct File {
        var slot: Int64
        var identifier: Identifier
    }

    struct Name: Hashable {
        var parent: Identifier
        var name: [UInt8]
    }

    /// What came to a set of entries, and what went.
    struct Delta {
        private(set) var added: Set<Identifier> = []
        private(set) var removed: Set<Identifier> = []

        mutating func add(_ entry: Identifier) {
            removed.remove(entry)
            added.insert(entry)
        }

        mutating func remove(_ entry: Identifier) {
            added.remove(entry)
            removed.insert(entry)
        }

        func applied(to entries: [Identifier]) -> [Identifier] {
            entries.filter { !removed.contains($0) && !added.contains($0) } + added
        }
    }

    /// One change of the tree.
    enum Step {
        /// The tree has the file from now on, if it has not yet; without a name.
        case file(Inode, lineage: Identifier)
        case attributes(Inode, hasAttributes: Bool)
        /// A new file without a reader gets its content.
        case content(Inode)
        /// One file takes the place of another at all its names.
        case replace(Identifier, Inode, lineage: Identifier)
        case place(entry: Identifier, Placed, file: Identifier, isDirectory: Bool)
        case hide(entry: Identifier)
        /// Its row goes with the last who has it open.
        case doom(Identifier)
        case trash(Trash.Item)
        case takeFromTrash(entrySlot: Int64)
    }

    /// nil for what is not shown any more.
    private(set) var entries: [Identifier: Placed?] = [:]
    private(set) var names: [Name: Identifier?] = [:]
    private(set) var children: [Identifier: Delta] = [:]
    /// By the lineage.
    private(set) var links: [Identifier: Delta] = [:]
    /// By the lineage; nil for one that is not known any more.
    private(set) var files: [Identifier: File?] = [:]
    /// Lineages by the files' own identifiers.
    private(set) var lineages: [Identifier: Identifier] = [:]
    /// The last entry that a lineage lost, as its row was: it goes into the trash with it.
    var lost: [Identifier: (EntryRecord, slot: Int64)] = [:]
    /// Lineages that may have no name left.
    var loose: Set<Identifier> = []
    /// Lineages that were not known before.
    var made: Set<Identifier> = []
    /// Rows of entries that were taken out of the trash.
    private(set) var adopted: Set<Int64> = []
    /// How many these are of each file, by the file's row.
    private var adoptedOfFile: [Int64: Int] = [:]
    private(set) var steps: [Step] = []

    mutating func add(_ step: Step) { steps.append(step) }

    mutating func adopt(_ item: Trash.Item) {
        adopted.insert(item.entrySlot)
        adoptedOfFile[item.fileSlot, default: 0] += 1
        add(.takeFromTrash(entrySlot: item.entrySlot))
    }

    func adopted(ofFile slot: Int64) -> Int { adoptedOfFile[slot] ?? 0 }

    mutating func set(_ file: File?, of lineage: Identifier) {
        if case .some(.some(let old)) = files[lineage] { lineages[old.identifier] = nil }
        files.updateValue(file, forKey: lineage)
        if let file { lineages[file.identifier] = lineage }
    }

    mutating func show(_ entry: Identifier, _ placed: Placed) {
        entries[entry] = .some(placed)
        names[Name(parent: placed.parent, name: placed.name)] = .some(entry)
        children[placed.parent, default: Delta()].add(entry)
        links[placed.lineage, default: Delta()].add(entry)
    }

    mutating func hide(_ entry: Identifier, _ placed: Placed) {
        entries.updateValue(nil, forKey: entry)
        names.updateValue(nil, forKey: Name(parent: placed.parent, name: placed.name))
        children[placed.parent, default: Delta()].remove(entry)
        links[placed.lineage, default: Delta()].remove(entry)
        loose.insert(placed.lineage)
    }
}
