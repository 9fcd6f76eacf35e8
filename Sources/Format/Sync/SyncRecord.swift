/// A row of the table `sync`: what synchronisation has to remember and the tree does not say.
public enum SyncRecord: Equatable, Sendable {
    /// What the engine keeps for itself.
    case state([UInt8])
    /// A register that is not just an entry of the tree: it is hidden, or shown although it was removed.
    case register(EntryRegister)
    /// A chunk that has come and that no content names yet.
    case waiting(chunk: Int64)
    /// A chunk that the contents of several files name: how many files beyond the first.
    case shared(chunk: Int64, count: UInt32)

    /// The account keys of later epochs, sealed before they came here.
    case keys([UInt8])

    private enum Kind: UInt8 { case state = 1, register, waiting, shared, keys = 9 }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        switch self {
        case .state(let bytes):
            sink.append(Kind.state.rawValue)
            sink.append(UInt32(truncatingIfNeeded: bytes.count))
            sink.append(bytes: bytes)
        case .register(let register):
            sink.append(Kind.register.rawValue)
            register.placement.encode(into: &sink)
            sink.append(UInt8(register.isShown ? 1 : 0))
            let removals = register.removals.prefix(Limits.stamps)
            sink.append(UInt8(truncatingIfNeeded: removals.count))
            for removal in removals {
                sink.append(removal.stamp)
                Change.encode(removal.saw, into: &sink)
            }
        case .waiting(let chunk):
            sink.append(Kind.waiting.rawValue)
            sink.append(chunk)
        case .shared(let chunk, let count):
            sink.append(Kind.shared.rawValue)
            sink.append(chunk)
            sink.append(count)
        case .keys(let bytes):
            sink.append(Kind.keys.rawValue)
            sink.append(UInt32(truncatingIfNeeded: bytes.count))
            sink.append(bytes: bytes)
        }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        guard let kind = Kind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "sync") }
        switch kind {
        case .state:
            let count = Int(try cursor.integer(bytes, as: UInt32.self))
            guard count <= Limits.syncState else { throw .overLimit(field: "state") }
            self = .state(try cursor.array(bytes, count: count))
        case .register: self = .register(try SyncRecord.register(bytes, &cursor))
        case .waiting: self = .waiting(chunk: try cursor.integer(bytes))
        case .shared: self = .shared(chunk: try cursor.integer(bytes), count: try cursor.integer(bytes))
        case .keys:
            let count = Int(try cursor.integer(bytes, as: UInt32.self))
            guard count <= Limits.syncKeys else { throw .overLimit(field: "keys") }
            self = .keys(try cursor.array(bytes, count: count))
        }
        try cursor.padding(bytes)
    }

    private static func register(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) -> EntryRegister {
        let placement = try EntryChange(bytes, &cursor)
        let isShown = try cursor.integer(bytes, as: UInt8.self) & 1 == 1
        var removals: [RemovalChange] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt8.self)) {
            removals.append(
                RemovalChange(
                    entry: placement.entry, stamp: try cursor.stamp(bytes), saw: try Change.stamps(bytes, &cursor)))
        }
        return EntryRegister(placement: placement, removals: removals, isShown: isShown)
    }
}
