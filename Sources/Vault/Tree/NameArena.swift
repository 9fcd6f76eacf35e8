/// The names of all entries in one growing buffer: 16 to 256 bytes each, in steps of 16, freed places
/// used again. An array a name would cost another 48 bytes and an allocation an entry.
struct NameArena {
    /// Where a name stands.
    struct Reference {
        /// In units of 16 bytes.
        var block: UInt32
        var count: UInt8
    }

    private static let unit = 16
    private var storage: [UInt8] = []
    /// Freed blocks by their length in units, 1 to 16.
    private var free = [[UInt32]](repeating: [], count: 17)

    mutating func reserve(_ names: Int) {
        storage.reserveCapacity(names * NameArena.unit * 3 / 2)
    }

    mutating func insert(_ name: RawSpan) -> Reference {
        let units = (name.byteCount + NameArena.unit - 1) / NameArena.unit
        let block: UInt32
        if let reused = free[units].popLast() {
            block = reused
        } else {
            block = UInt32(storage.count / NameArena.unit)
            for _ in 0..<(units * NameArena.unit) { storage.append(0) }
        }
        let start = Int(block) * NameArena.unit
        for offset in 0..<name.byteCount {
            storage[start + offset] = unsafe name.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        }
        return Reference(block: block, count: UInt8(truncatingIfNeeded: name.byteCount))
    }

    mutating func remove(_ reference: Reference) {
        let units = (Int(reference.count) + NameArena.unit - 1) / NameArena.unit
        let start = Int(reference.block) * NameArena.unit
        for offset in start..<(start + Int(reference.count)) { storage[offset] = 0 }
        free[units].append(reference.block)
    }

    func matches(_ reference: Reference, _ name: RawSpan) -> Bool {
        guard Int(reference.count) == name.byteCount else { return false }
        return withName(reference) { stored in
            unsafe stored.withUnsafeBytes { left in
                unsafe name.withUnsafeBytes { right in unsafe left.elementsEqual(right) }
            }
        }
    }

    func withName<R>(_ reference: Reference, _ body: (RawSpan) -> R) -> R {
        let start = Int(reference.block) * NameArena.unit
        return unsafe body(storage.span.bytes.extracting(start..<(start + Int(reference.count))))
    }

    func name(_ reference: Reference) -> [UInt8] {
        let start = Int(reference.block) * NameArena.unit
        return [UInt8](storage[start..<(start + Int(reference.count))])
    }
}
