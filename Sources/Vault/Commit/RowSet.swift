internal import Format
internal import Sealing

/// Where a row stands: its table's number, 0 for the root, and its slot.
struct RowKey: Hashable {
    var table: UInt8
    var slot: Int64

    init(_ table: UInt8, _ slot: Int64) {
        self.table = table
        self.slot = slot
    }

    init(_ table: Table, _ slot: Int64) { self.init(table.rawValue, slot) }

    static let root = RowKey(0, 1)

    /// Slots are random or count up, and no table has the numbers of another: one word tells them apart.
    func hash(into hasher: inout Hasher) { hasher.combine(UInt64(bitPattern: slot) ^ UInt64(table) << 56) }
}

/// One change of a sealed row. `@unsafe`: valid as long as what it points at.
@unsafe
struct RowChange {
    enum Kind: UInt8 {
        case put = 1
        /// Seal and body only; the content column stays.
        case update = 2
        case delete = 3
        /// A version takes over the content column that the store has of a file, whose slot stands as 8 bytes of
        /// body.
        case copyContent = 4
        /// The content column only.
        case content = 5
    }

    var kind: Kind
    var key: RowKey
    var seal = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var body = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var content: UnsafeRawBufferPointer?
    /// Of a whole chunk, which never goes through the journal.
    var cell: Int64?

    init(_ kind: Kind, _ key: RowKey) {
        unsafe self.kind = kind
        unsafe self.key = key
    }

    /// kind u8, table u8, zero u16, lengths of seal, body and content u32 ×3 (2^32-1 for NULL), slot i64.
    static let headerSize = 24
}

/// A row as a set of changes leaves it, copied out.
struct FoundRow {
    var isDeleted: Bool
    var seal: Seal
    var body: [UInt8]
    var content: Content

    enum Content {
        /// What the store has.
        case stored
        case none
        case bytes([UInt8])
        /// What the store has of this file.
        case file(Int64)
    }
}

/// Changes of sealed rows that are not in the store yet: the bytes of a journal's entries, and by each row what
/// they leave of it. Ciphertext only.
struct RowSet {
    private(set) var bytes: [UInt8] = []
    private(set) var states: [RowKey: State] = [:]

    /// What the changes leave of a row: places in `bytes`.
    struct State {
        var isDeleted = false
        var seal = 0..<0
        var body = 0..<0
        var content = Content.stored

        enum Content {
            case stored, none
            case bytes(Range<Int>)
            case file(Int64)
        }

        func moved(by offset: Int) -> State {
            func move(_ range: Range<Int>) -> Range<Int> { range.lowerBound + offset..<range.upperBound + offset }
            var state = self
            (state.seal, state.body) = (move(seal), move(body))
            if case .bytes(let range) = content { state.content = .bytes(move(range)) }
            return state
        }
    }

    init() {}

    /// - Parameter capacity: for that many bytes, whose pages are taken when they are used.
    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    var isEmpty: Bool { states.isEmpty }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        states.removeAll(keepingCapacity: true)
    }

    /// Adds a change behind the others.
    mutating func append(_ change: RowChange) {
        let content = unsafe change.content
        unsafe append(UInt32(change.kind.rawValue) | UInt32(change.key.table) << 8)
        unsafe append(UInt32(truncatingIfNeeded: change.seal.count))
        unsafe append(UInt32(truncatingIfNeeded: change.body.count))
        unsafe append(content.map { UInt32(truncatingIfNeeded: $0.count) } ?? .max)
        unsafe append(change.key.slot)
        let start = bytes.count
        unsafe bytes.append(contentsOf: change.seal)
        unsafe bytes.append(contentsOf: change.body)
        if let content = unsafe content { unsafe bytes.append(contentsOf: content) }
        let (seal, body) = unsafe (start + change.seal.count, start + change.seal.count + change.body.count)
        unsafe note(change.kind, change.key, start..<seal, seal..<body, content == nil ? nil : body..<bytes.count)
    }

    private mutating func append(_ integer: some FixedWidthInteger) {
        var integer = integer.littleEndian
        unsafe withUnsafeBytes(of: &integer) { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func note(
        _ kind: RowChange.Kind, _ key: RowKey, _ seal: Range<Int>, _ body: Range<Int>, _ content: Range<Int>?
    ) {
        switch kind {
        case .put:
            states[key] = State(seal: seal, body: body, content: content.map { .bytes($0) } ?? .none)
        case .update:
            states[key] = State(seal: seal, body: body, content: states[key]?.content ?? .stored)
        case .delete:
            states[key] = State(isDeleted: true)
        case .copyContent:
            states[key]?.content = .file(RowSet.integer(bytes, body.lowerBound))
        case .content:
            states[key]?.content = content.map { .bytes($0) } ?? .none
        }
    }

    /// Adds another set's changes behind the own ones.
    mutating func append(_ other: borrowing RowSet) {
        let offset = bytes.count
        bytes.append(contentsOf: other.bytes)
        for (key, state) in other.states {
            var state = state.moved(by: offset)
            if case .stored = state.content, !state.isDeleted, let earlier = states[key] {
                state.content = earlier.content
            }
            states[key] = state
        }
    }

    /// Adds the changes of a journal's entry, as they stand in the file.
    mutating func append(entry: [UInt8]) throws(DatabaseFailure) {
        var offset = bytes.count
        bytes.append(contentsOf: entry)
        while offset < bytes.count {
            guard unsafe bytes.count - offset >= RowChange.headerSize else { throw .corrupt }
            let head: UInt32 = RowSet.integer(bytes, offset)
            let (seal, body, content): (UInt32, UInt32, UInt32) = (
                RowSet.integer(bytes, offset + 4), RowSet.integer(bytes, offset + 8), RowSet.integer(bytes, offset + 12)
            )
            let key = RowKey(UInt8(truncatingIfNeeded: head >> 8), RowSet.integer(bytes, offset + 16))
            let first = unsafe offset + RowChange.headerSize
            let second = first + Int(seal)
            let third = second + Int(body)
            offset = third + (content == .max ? 0 : Int(content))
            guard let kind = RowChange.Kind(rawValue: UInt8(truncatingIfNeeded: head)), offset <= bytes.count,
                Int(key.table) < RowStatements.tableNames.count,
                kind == .copyContent ? body == 8 : kind == .delete || kind == .content || seal == Seal.size
            else { throw .corrupt }
            note(kind, key, first..<second, second..<third, content == .max ? nil : third..<offset)
        }
    }

    /// What the changes leave of a row; nil where none of them touches it.
    func row(_ key: RowKey) -> FoundRow? {
        guard let state = states[key] else { return nil }
        guard !state.isDeleted, let seal = seal(state) else {
            return FoundRow(isDeleted: true, seal: Seal(nonce: (0, 0, 0), tag: (0, 0)), body: [], content: .none)
        }
        let content: FoundRow.Content =
            switch state.content {
            case .stored: .stored
            case .none: .none
            case .bytes(let range): .bytes(Array(bytes[range]))
            case .file(let slot): .file(slot)
            }
        return FoundRow(isDeleted: false, seal: seal, body: Array(bytes[state.body]), content: content)
    }

    private func seal(_ state: State) -> Seal? {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe RowReader.seal(UnsafeRawBufferPointer(rebasing: bytes[state.seal]))
        }
    }

    static func integer<T: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int) -> T {
        unsafe bytes.withUnsafeBytes { bytes in
            T(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
    }
}

extension FoundRow {
    /// What a later set of changes leaves of a row that an earlier one may have changed, too.
    static func latest(_ later: FoundRow?, over earlier: @autoclosure () -> FoundRow?) -> FoundRow? {
        guard var row = later else { return earlier() }
        if case .stored = row.content, !row.isDeleted, let earlier = earlier(), !earlier.isDeleted {
            row.content = earlier.content
        }
        return row
    }
}

extension [UInt8] {
    /// `withUnsafeBytes(_:)` with a typed error.
    func withRawBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe withUnsafeBufferPointer { (buffer) throws(E) in try unsafe body(UnsafeRawBufferPointer(buffer)) }
    }
}
