internal import Format

/// Where the rows of the table `sync` are, by what they are asked for. Follows the running operation, and goes back to
/// what it was when that fails.
struct SyncIndex {
    /// A register's row.
    struct Place: Sendable {
        var slot: Int64
        var lineage: Identifier
    }

    /// A chunk that several files name.
    struct Shared: Sendable {
        var slot: Int64
        /// Beyond the first.
        var count: UInt32
    }

    /// The row of the engine's state.
    static let state: Int64 = 1
    /// The row of the account keys of later epochs.
    static let keys: Int64 = 3

    /// By the entry.
    private(set) var registers = LoggedDictionary<Identifier, Place>()
    /// Entries of ``registers`` by their lineage.
    private(set) var entries = LoggedDictionary<Identifier, [Identifier]>()
    /// Rows of chunks that no content names yet, by the chunk.
    var waiting = LoggedDictionary<Int64, Int64>()
    /// By the chunk.
    var shared = LoggedDictionary<Int64, Shared>()

    mutating func setRegister(_ entry: Identifier, _ place: Place?) {
        if let old = registers[entry] {
            let rest = (entries[old.lineage] ?? []).filter { $0 != entry }
            entries[old.lineage] = rest.isEmpty ? nil : rest
        }
        registers[entry] = place
        if let place { entries[place.lineage] = (entries[place.lineage] ?? []) + [entry] }
    }

    /// Notes a row that was read.
    mutating func add(_ record: SyncRecord, slot: Int64) {
        switch record {
        case .state, .keys: break
        case .register(let register):
            setRegister(register.placement.entry, Place(slot: slot, lineage: register.placement.lineage))
        case .waiting(let chunk): waiting[chunk] = slot
        case .shared(let chunk, let count): shared[chunk] = Shared(slot: slot, count: count)
        }
    }

    /// What was done is kept.
    mutating func commit() {
        registers.commit()
        entries.commit()
        waiting.commit()
        shared.commit()
    }

    /// What was done since the last ``commit()`` is undone.
    mutating func rollBack() {
        registers.rollBack()
        entries.rollBack()
        waiting.rollBack()
        shared.rollBack()
    }
}

/// A dictionary that remembers what a running operation has changed in it.
struct LoggedDictionary<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private(set) var values: [Key: Value] = [:]
    private var log: [(Key, Value?)] = []

    subscript(key: Key) -> Value? {
        get { values[key] }
        set {
            log.append((key, values[key]))
            values[key] = newValue
        }
    }

    mutating func commit() {
        if !log.isEmpty { log.removeAll() }
    }

    mutating func rollBack() {
        for (key, value) in log.reversed() { values[key] = value }
        log.removeAll()
    }
}
