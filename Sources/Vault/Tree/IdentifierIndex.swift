internal import Format

/// Finds a node by its file's identifier: open addressing with linear probing, 4 bytes a place. The
/// identifiers are random, so their own bits are the hash.
struct IdentifierIndex {
    private var places: [UInt32] = [UInt32](repeating: 0, count: 1024)
    private var used = 0

    mutating func reserve(_ count: Int, in inodes: [Inode]) {
        guard count * 2 > places.count else { return }
        var size = places.count
        while size < count * 2 { size *= 2 }
        let old = places
        places = [UInt32](repeating: 0, count: size)
        used = 0
        for node in old where node != 0 { insert(node, inodes[Int(node)].identifier) }
    }

    mutating func insert(_ node: UInt32, _ key: Identifier) {
        var place = start(key)
        while places[place] != 0 { place = (place + 1) & (places.count - 1) }
        places[place] = node
        used += 1
    }

    var needsSpace: Bool { used * 2 >= places.count }

    func find(_ key: Identifier, in inodes: [Inode]) -> UInt32? {
        var place = start(key)
        while places[place] != 0 {
            if inodes[Int(places[place])].identifier == key { return places[place] }
            place = (place + 1) & (places.count - 1)
        }
        return nil
    }

    /// Takes a key out and moves back what had been pushed on by it (Knuth 6.4, algorithm R).
    mutating func remove(_ key: Identifier, in inodes: [Inode]) {
        let mask = places.count - 1
        var hole = start(key)
        while places[hole] != 0, inodes[Int(places[hole])].identifier != key { hole = (hole + 1) & mask }
        guard places[hole] != 0 else { return }
        used -= 1
        var scan = hole
        while true {
            places[hole] = 0
            repeat {
                scan = (scan + 1) & mask
                if places[scan] == 0 { return }
            } while IdentifierIndex.isBetween(start(inodes[Int(places[scan])].identifier), hole, scan)
            places[hole] = places[scan]
            hole = scan
        }
    }

    /// Whether `home` lies cyclically in (hole, scan]: then the place must stay.
    private static func isBetween(_ home: Int, _ hole: Int, _ scan: Int) -> Bool {
        hole <= scan ? (hole < home && home <= scan) : (hole < home || home <= scan)
    }

    private func start(_ key: Identifier) -> Int {
        Int(truncatingIfNeeded: key.high & UInt64(places.count - 1))
    }
}
