internal import Format
internal import Synchronization
internal import SystemPackage

/// What was removed and is kept for a time, the latest 10,000 of it: rows of the store, of which only
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
        /// Another device has removed it.
        var isOthers = false
        var isTaken = false
    }

    /// Oldest first, with those among them that were taken out.
    private(set) var items: [Item] = []
    /// How many at the beginning have expired.
    private var first = 0
    /// By the entry's row.
    private var places: [Int64: Int] = [:]
    /// How many items each file has, by the file's row.
    private var held: [Int64: Int] = [:]
    /// Rows of entries, by what they are looked for.
    private var byName: [UInt64: Int64] = [:]
    /// Only what other devices have changed is looked for by identifiers.
    private var byIdentifier: Identifiers?

    private struct Identifiers {
        var entries: [Identifier: Int64] = [:]
        var lineages: [Identifier: Int64] = [:]
        var files: [Identifier: Int64] = [:]

        mutating func insert(_ item: Item) {
            entries[item.entry] = item.entrySlot
            lineages[item.lineage] = item.entrySlot
            files[item.file] = item.entrySlot
        }

        mutating func remove(_ item: Item) {
            if entries[item.entry] == item.entrySlot { entries[item.entry] = nil }
            if lineages[item.lineage] == item.entrySlot { lineages[item.lineage] = nil }
            if files[item.file] == item.entrySlot { files[item.file] = nil }
        }
    }

    var count: Int { places.count }

    /// How many items are of the file with that row: as long as there is one, the row stays.
    func count(ofFile slot: Int64) -> Int { held[slot] ?? 0 }

    mutating func add(_ item: Item) {
        // What is taken out again and again, as by an editor's backups, would stay in here behind one that waits.
        if items.count > count + count / 4 + 1024 { compact() }
        items.append(item)
        index(item, at: items.count - 1)
    }

    private mutating func index(_ item: Item, at place: Int) {
        places[item.entrySlot] = place
        held[item.fileSlot, default: 0] += 1
        byName[item.nameHash] = item.entrySlot
        byIdentifier?.insert(item)
    }

    private mutating func forget(_ item: Item) {
        places[item.entrySlot] = nil
        let rest = count(ofFile: item.fileSlot) - 1
        held[item.fileSlot] = rest > 0 ? rest : nil
        if byName[item.nameHash] == item.entrySlot { byName[item.nameHash] = nil }
        byIdentifier?.remove(item)
    }

    private mutating func compact() {
        items = items[first...].filter { !$0.isTaken }
        first = 0
        for (place, item) in items.enumerated() { places[item.entrySlot] = place }
    }

    mutating func sort() {
        items.sort { $0.removed < $1.removed }
        held.removeAll(keepingCapacity: true)
        for (place, item) in items.enumerated() { index(item, at: place) }
    }

    private func item(_ entrySlot: Int64?) -> Item? { entrySlot.flatMap { places[$0] }.map { items[$0] } }

    private mutating func identifiers() -> Identifiers {
        if let byIdentifier { return byIdentifier }
        var made = Identifiers()
        for item in items[first...] where !item.isTaken { made.insert(item) }
        byIdentifier = made
        return made
    }

    mutating func item(entry: Identifier) -> Item? { item(identifiers().entries[entry]) }
    mutating func item(lineage: Identifier) -> Item? { item(identifiers().lineages[lineage]) }
    mutating func item(file: Identifier) -> Item? { item(identifiers().files[file]) }
    /// The last removed entry of that directory and name.
    func item(nameHash: UInt64) -> Item? { item(byName[nameHash]) }

    /// Takes out the item of an entry's row.
    @discardableResult
    mutating func take(entrySlot: Int64) -> Item? {
        guard let place = places[entrySlot] else { return nil }
        items[place].isTaken = true
        forget(items[place])
        return items[place]
    }

    /// Takes out all items of a file, which is no removed one any more.
    mutating func take(allOfFile slot: Int64) -> [Item] {
        guard count(ofFile: slot) > 0 else { return [] }
        return items[first...].filter { $0.fileSlot == slot && !$0.isTaken }.compactMap {
            take(entrySlot: $0.entrySlot)
        }
    }

    /// Undoes ``take(entrySlot:)``.
    mutating func putBack(_ item: Item) {
        var item = item
        item.isTaken = false
        let place = items.lastIndex { $0.entrySlot == item.entrySlot && $0.isTaken }
        // Those before it may have expired meanwhile, and its place with them.
        guard let place, place >= first else { return add(item) }
        items[place] = item
        index(item, at: place)
    }

    /// All that are in it, oldest first.
    var waiting: [Item] { items[first...].filter { !$0.isTaken } }

    /// Takes out what is too old or too much, at most `most` items.
    ///
    /// - Parameter age: the highest, in seconds.
    mutating func takeExpired(now: Int64, age: Int64 = Limits.trashAge, most: Int) -> [Item] {
        var expired: [Item] = []
        while first < items.count, expired.count < most {
            let item = items[first]
            if !item.isTaken {
                guard count > Limits.trashCount || item.removed < now - age else { break }
                expired.append(item)
                forget(item)
            }
            first += 1
        }
        return expired
    }
}

extension Vault {
    /// Empties the trash of what is too old or too much, a bounded part at a time, and each time a few items in one
    /// transaction: others wait for it, and an item can have 64 versions.
    ///
    /// - Parameter now: in seconds since 1970.
    func purgeTrash(now: Int64 = Timestamp.now().seconds) {
        let age = Int64(keeping.trashDays) * 86400
        for _ in 0..<32 {
            let expired = trash.withLock { $0.takeExpired(now: now, age: age, most: 8) }
            guard !expired.isEmpty, erase(expired) else { return }
        }
    }

    /// - Returns: whether that could be stored; on a full disk the next ones could not either.
    func erase(_ expired: [Trash.Item]) -> Bool {
        committer.withLock { committer in
            committer.removes = true
            defer { committer.removes = false }
            do throws(Errno) {
                try committer.transaction { () throws(Errno) in
                    for item in expired {
                        try committer.deleteEntry(item.entrySlot, committer.loadEntry(item.entrySlot).1)
                    }
                    // One file may have been removed under several names.
                    let files = Dictionary(expired.map { ($0.fileSlot, $0) }) { first, _ in first }
                    for item in files.values { try eraseFile(of: item, in: committer) }
                }
            } catch {
                // Their rows are there still, and with them those of their files.
                trash.withLock { trash in for item in expired { trash.putBack(item) } }
                return false
            }
            return true
        }
    }

    /// Inside a transaction: an item of the file is gone, and with the last one the file.
    private func eraseFile(of item: Trash.Item, in committer: Committer) throws(Errno) {
        guard trash.withLock({ $0.count(ofFile: item.fileSlot) }) == 0 else { return }
        let links = tree.withLock { tree -> UInt32? in
            guard let node = tree.node(of: item.file) else { return nil }
            let inode = tree.inode(at: UInt32(truncatingIfNeeded: node.index))
            // Still open: the row goes with the last who has it so.
            if inode.links == 0 { tree.update(node) { $0.isDoomed = true } }
            return inode.links
        }
        // Alive under another name.
        guard links ?? 0 == 0 else { return }
        try committer.setRivals([], of: item.lineage)
        if links == nil { try eraseFile(item.fileSlot, in: committer) }
    }
}
