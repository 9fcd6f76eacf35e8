internal import Format
internal import Synchronization
internal import SystemPackage

/// What was removed and is kept for 30 days, the latest 10,000 of it: rows of the store, of which only
/// the whereabouts are in memory.
struct Trash {
    struct Item {
        var entry: Identifier
        var entrySlot: Int64
        var file: Identifier
        var lineage: Identifier
        /// The file's row.
        var fileSlot: Int64
        /// In seconds since 1970.
        var removed: Int64
        /// By directory and name, to find the entry again when its name comes back.
        var nameHash: UInt64
        var isTaken = false
    }

    /// Oldest first.
    private var items: [Item] = []
    private var first = 0
    /// How many items are not in ``items`` any more.
    private var dropped = 0
    /// By the entry's row, counted from the first item there ever was.
    private var places: [Int64: Int] = [:]
    /// Rows of entries, by what they are looked for.
    private var byName: [UInt64: Int64] = [:]
    private var byEntry: [Identifier: Int64] = [:]
    private var byLineage: [Identifier: Int64] = [:]
    private var byFile: [Identifier: Int64] = [:]
    private(set) var count = 0

    mutating func add(_ item: Item) {
        items.append(item)
        index(item, at: items.count - 1)
        count += 1
    }

    private mutating func index(_ item: Item, at place: Int) {
        places[item.entrySlot] = place + dropped
        byName[item.nameHash] = item.entrySlot
        byEntry[item.entry] = item.entrySlot
        byLineage[item.lineage] = item.entrySlot
        byFile[item.file] = item.entrySlot
    }

    private mutating func forget(_ item: Item) {
        places[item.entrySlot] = nil
        if byName[item.nameHash] == item.entrySlot { byName[item.nameHash] = nil }
        if byEntry[item.entry] == item.entrySlot { byEntry[item.entry] = nil }
        if byLineage[item.lineage] == item.entrySlot { byLineage[item.lineage] = nil }
        if byFile[item.file] == item.entrySlot { byFile[item.file] = nil }
        count -= 1
    }

    mutating func sort() {
        items.sort { $0.removed < $1.removed }
        for (place, item) in items.enumerated() { index(item, at: place) }
    }

    private func place(of entrySlot: Int64?) -> Int? { entrySlot.flatMap { places[$0] }.map { $0 - dropped } }

    private func item(_ entrySlot: Int64?) -> Item? { place(of: entrySlot).map { items[$0] } }

    func item(entry: Identifier) -> Item? { item(byEntry[entry]) }
    func item(lineage: Identifier) -> Item? { item(byLineage[lineage]) }
    func item(file: Identifier) -> Item? { item(byFile[file]) }
    /// The last removed entry of that directory and name.
    func item(nameHash: UInt64) -> Item? { item(byName[nameHash]) }

    /// Takes out the item of an entry's row.
    @discardableResult
    mutating func take(entrySlot: Int64) -> Item? {
        guard let place = place(of: entrySlot) else { return nil }
        items[place].isTaken = true
        forget(items[place])
        return items[place]
    }

    mutating func putBack(_ item: Item) {
        guard let place = items.lastIndex(where: { $0.entrySlot == item.entrySlot && $0.isTaken }) else { return }
        items[place].isTaken = false
        index(items[place], at: place)
        count += 1
    }

    /// Takes out what is too old or too much, at most `most` items.
    mutating func takeExpired(now: Int64, most: Int) -> [Item] {
        var expired: [Item] = []
        while first < items.count, expired.count < most {
            let item = items[first]
            if !item.isTaken {
                guard count > Limits.trashCount || item.removed < now - Limits.trashAge else { break }
                expired.append(item)
                forget(item)
            }
            first += 1
        }
        if first > 1024, first * 2 > items.count {
            items.removeFirst(first)
            (dropped, first) = (dropped + first, 0)
        }
        return expired
    }
}

extension Vault {
    /// Empties the trash of what is too old or too much, a bounded part at a time.
    func purgeTrash() {
        let expired = trash.withLock { $0.takeExpired(now: Timestamp.now().seconds, most: 256) }
        guard !expired.isEmpty else { return }
        committer.withLock { committer in
            do throws(Errno) {
                try committer.transaction { () throws(Errno) in
                    for item in expired { try erase(item, in: committer) }
                }
            } catch {
                // They stay in the store and are met again at the next unlock.
                return
            }
        }
    }

    private func erase(_ item: Trash.Item, in committer: Committer) throws(Errno) {
        let (_, seal) = try committer.loadEntry(item.entrySlot)
        try committer.deleteEntry(item.entrySlot, seal)
        let isInUse = tree.withLock { tree in
            guard let node = tree.node(of: item.file) else { return false }
            let inode = tree.inode(at: UInt32(truncatingIfNeeded: node.index))
            // Still open, or alive under another name: the row stays.
            if inode.links == 0 { tree.update(node) { $0.isDoomed = true } }
            return true
        }
        try committer.setRivals([], of: item.lineage)
        if !isInUse { try eraseFile(item.fileSlot, in: committer) }
    }
}
