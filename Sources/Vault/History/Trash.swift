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
    private var byName: [UInt64: Int64] = [:]
    private(set) var count = 0

    mutating func add(_ item: Item) {
        items.append(item)
        byName[item.nameHash] = item.entrySlot
        count += 1
    }

    mutating func sort() {
        items.sort { $0.removed < $1.removed }
    }

    /// Takes out the last removed entry of that directory and name.
    mutating func take(nameHash: UInt64) -> Item? {
        guard let slot = byName.removeValue(forKey: nameHash),
            let index = items.lastIndex(where: { $0.entrySlot == slot && !$0.isTaken })
        else { return nil }
        items[index].isTaken = true
        count -= 1
        return items[index]
    }

    mutating func putBack(_ item: Item) {
        if let index = items.lastIndex(where: { $0.entrySlot == item.entrySlot && $0.isTaken }) {
            items[index].isTaken = false
            byName[item.nameHash] = item.entrySlot
            count += 1
        }
    }

    /// The item of an entry, or of a lineage.
    func item(_ matches: (Item) -> Bool) -> Item? {
        items[first...].last { !$0.isTaken && matches($0) }
    }

    /// Takes out the item of an entry's row.
    mutating func take(entrySlot: Int64) {
        guard let index = items.lastIndex(where: { $0.entrySlot == entrySlot && !$0.isTaken }) else { return }
        items[index].isTaken = true
        if byName[items[index].nameHash] == entrySlot { byName[items[index].nameHash] = nil }
        count -= 1
    }

    /// Takes out what is too old or too much, at most `most` items.
    mutating func takeExpired(now: Int64, most: Int) -> [Item] {
        var expired: [Item] = []
        while first < items.count, expired.count < most {
            let item = items[first]
            if !item.isTaken {
                guard count > Limits.trashCount || item.removed < now - Limits.trashAge else { break }
                expired.append(item)
                if byName[item.nameHash] == item.entrySlot { byName[item.nameHash] = nil }
                count -= 1
            }
            first += 1
        }
        if first > 1024, first * 2 > items.count {
            items.removeFirst(first)
            first = 0
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
        if !isInUse { try eraseFile(item.fileSlot, in: committer) }
    }
}
