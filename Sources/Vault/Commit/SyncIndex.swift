internal import Format

/// Where the rows of the table `sync` are, by what they are asked for. Follows the running operation, and goes back to
/// what it was when that fails.
struct SyncIndex {
    /// A register's row.
    struct Place: Sendable {
        var slot: Int64
        var lineage: Identifier
        var parent: Identifier
        /// Though it was removed: something is in it, or a version of it is live that the removal has not seen.
        var isShown: Bool
    }

    /// A chunk that several files name.
    struct Shared: Sendable {
        var slot: Int64
        /// Beyond the first.
        var count: UInt32
    }

    /// What competes with the content of a lineage.
    struct Rivals: Sendable {
        var slot: Int64
        var stamps: [Stamp]
    }

    /// A row of what another device has changed.
    struct Traces: Sendable {
        var slot: Int64
        var author: Identifier
        /// Of the last that is in it.
        var time: Int64
        /// In bytes.
        var size: Int
    }

    /// The row of the engine's state.
    static let state: Int64 = 1
    /// The row of the settings.
    static let settings: Int64 = 2
    /// The row of the account keys of later epochs.
    static let keys: Int64 = 3

    /// By the entry.
    private(set) var registers = LoggedDictionary<Identifier, Place>()
    /// Entries of ``registers`` by their lineage.
    private(set) var entries = LoggedDictionary<Identifier, [Identifier]>()
    /// How many of ``registers`` are of entries in a directory.
    private(set) var children = LoggedDictionary<Identifier, Int>()
    /// Rows of chunks that no content names yet, by the chunk.
    var waiting = LoggedDictionary<Int64, Int64>()
    /// By the chunk.
    var shared = LoggedDictionary<Int64, Shared>()
    /// Entries of ``registers`` that are shown.
    private(set) var shown = LoggedDictionary<Identifier, Bool>()
    /// By the lineage.
    var rivals = LoggedDictionary<Identifier, Rivals>()
    /// Rows of notices by their number.
    var notices = LoggedDictionary<UInt64, Int64>()
    /// Rows of changes that wait, by their number.
    var setAside = LoggedDictionary<UInt64, Int64>()
    /// Rows of what other devices have changed, by their number.
    var traces = LoggedDictionary<UInt64, Traces>()
    /// Rows of chunks that a segment in the outbox names, by the segment.
    private(set) var pins = LoggedDictionary<UInt64, [Int64]>()
    /// How many of these rows name a chunk.
    private(set) var pinned = LoggedDictionary<Int64, Int>()

    mutating func pin(_ chunks: [Int64], for sequence: UInt64, row: Int64) {
        pins[sequence] = (pins[sequence] ?? []) + [row]
        for chunk in chunks { pinned[chunk] = (pinned[chunk] ?? 0) + 1 }
    }

    /// - Returns: the chunks that no other segment names.
    mutating func unpin(_ chunks: [Int64]) -> [Int64] {
        chunks.filter { chunk in
            let rest = (pinned[chunk] ?? 1) - 1
            pinned[chunk] = rest > 0 ? rest : nil
            return rest <= 0
        }
    }

    mutating func removePins(of sequence: UInt64) { pins[sequence] = nil }

    mutating func setRegister(_ entry: Identifier, _ place: Place?) {
        if let old = registers[entry] {
            let rest = (entries[old.lineage] ?? []).filter { $0 != entry }
            entries[old.lineage] = rest.isEmpty ? nil : rest
            let others = (children[old.parent] ?? 0) - 1
            children[old.parent] = others > 0 ? others : nil
        }
        registers[entry] = place
        shown[entry] = place?.isShown == true ? true : nil
        guard let place else { return }
        entries[place.lineage] = (entries[place.lineage] ?? []) + [entry]
        children[place.parent] = (children[place.parent] ?? 0) + 1
    }

    /// Notes a row that was read.
    mutating func add(_ record: SyncRecord, slot: Int64) {
        switch record {
        case .state, .settings, .keys: break
        case .register(let register): setRegister(register.placement.entry, Place(register, slot: slot))
        case .waiting(let chunk): waiting[chunk] = slot
        case .shared(let chunk, let count): shared[chunk] = Shared(slot: slot, count: count)
        case .rivals(let lineage, let stamps): rivals[lineage] = Rivals(slot: slot, stamps: stamps)
        case .notice(let number, _, _): notices[number] = slot
        case .setAside(let number, _): setAside[number] = slot
        case .trace(let number, let author, let time, let bytes):
            traces[number] = Traces(slot: slot, author: author, time: time, size: bytes.count)
        case .pinned(let sequence, let chunks): pin(chunks, for: sequence, row: slot)
        }
    }

    /// What was done is kept.
    mutating func commit() {
        registers.commit()
        entries.commit()
        children.commit()
        waiting.commit()
        shared.commit()
        shown.commit()
        rivals.commit()
        notices.commit()
        setAside.commit()
        traces.commit()
        pins.commit()
        pinned.commit()
    }

    /// What was done since the last ``commit()`` is undone.
    mutating func rollBack() {
        registers.rollBack()
        entries.rollBack()
        children.rollBack()
        waiting.rollBack()
        shared.rollBack()
        shown.rollBack()
        rivals.rollBack()
        notices.rollBack()
        setAside.rollBack()
        traces.rollBack()
        pins.rollBack()
        pinned.rollBack()
    }
}

extension SyncIndex.Place {
    init(_ register: EntryRegister, slot: Int64) {
        self.init(
            slot: slot, lineage: register.placement.lineage, parent: register.placement.parent,
            isShown: register.isShown)
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
