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
    /// What competes with the present content of a lineage: ``LineageRegister/rivals``.
    case rivals(lineage: Identifier, stamps: [Stamp])
    /// Something that is to go into the next own segment; notices go in the order of their numbers.
    case notice(number: UInt64, kind: UInt8, bytes: [UInt8])
    /// How this device synchronises: laid out by whoever sets it.
    case settings([UInt8])
    /// Chunks that a segment in the outbox names: they stay until it is at the remote, whatever becomes of the file.
    case pinned(sequence: UInt64, chunks: [Int64])
    /// The account keys of later epochs, sealed before they came here.
    case keys([UInt8])
    /// Changes of a segment that could not be applied and wait: laid out by the engine.
    case setAside(number: UInt64, bytes: [UInt8])
    /// What another device has changed here, in the order of the numbers: sections as ``TraceSection`` has them. Number 0 has
    /// none, and says since when they are kept.
    case trace(number: UInt64, author: Identifier, time: Int64, bytes: [UInt8])

    private enum Kind: UInt8 {
        case state = 1
        case register, waiting, shared, rivals, notice, settings, pinned, keys, setAside, trace
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        switch self {
        case .state(let bytes):
            SyncRecord.encode(.state, bytes, into: &sink)
        case .register(let register):
            sink.append(Kind.register.rawValue)
            register.encode(into: &sink)
        case .waiting(let chunk):
            sink.append(Kind.waiting.rawValue)
            sink.append(chunk)
        case .shared(let chunk, let count):
            sink.append(Kind.shared.rawValue)
            sink.append(chunk)
            sink.append(count)
        case .rivals(let lineage, let stamps):
            sink.append(Kind.rivals.rawValue)
            sink.append(lineage)
            Change.encode(stamps, into: &sink)
        case .notice(let number, let kind, let bytes):
            sink.append(Kind.notice.rawValue)
            sink.append(number)
            sink.append(kind)
            sink.append(UInt32(truncatingIfNeeded: bytes.count))
            sink.append(bytes: bytes)
        case .settings(let bytes):
            SyncRecord.encode(.settings, bytes, into: &sink)
        case .pinned(let sequence, let chunks):
            sink.append(Kind.pinned.rawValue)
            sink.append(sequence)
            sink.append(UInt32(truncatingIfNeeded: chunks.count))
            for chunk in chunks { sink.append(chunk) }
        case .keys(let bytes):
            SyncRecord.encode(.keys, bytes, into: &sink)
        case .setAside(let number, let bytes):
            sink.append(Kind.setAside.rawValue)
            sink.append(number)
            sink.append(UInt32(truncatingIfNeeded: bytes.count))
            sink.append(bytes: bytes)
        case .trace(let number, let author, let time, let bytes):
            sink.append(Kind.trace.rawValue)
            sink.append(number)
            sink.append(author)
            sink.append(time)
            sink.append(UInt32(truncatingIfNeeded: bytes.count))
            sink.append(bytes: bytes)
        }
    }

    /// Whether a row that opens is of a kind that only newer programs know.
    public static func isNewer(_ bytes: RawSpan) -> Bool {
        var cursor = Cursor()
        guard let kind = try? cursor.integer(bytes, as: UInt8.self) else { return false }
        return kind > Kind.trace.rawValue
    }

    private static func encode(_ kind: Kind, _ bytes: [UInt8], into sink: inout some ByteSink & ~Copyable) {
        sink.append(kind.rawValue)
        sink.append(UInt32(truncatingIfNeeded: bytes.count))
        sink.append(bytes: bytes)
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        guard let kind = Kind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "sync") }
        switch kind {
        case .state: self = .state(try SyncRecord.bytes(bytes, &cursor, most: Limits.syncState))
        case .register: self = .register(try EntryRegister(bytes, &cursor))
        case .waiting: self = .waiting(chunk: try cursor.integer(bytes))
        case .shared: self = .shared(chunk: try cursor.integer(bytes), count: try cursor.integer(bytes))
        case .rivals:
            self = .rivals(lineage: try cursor.identifier(bytes), stamps: try Change.stamps(bytes, &cursor))
        case .notice:
            self = .notice(
                number: try cursor.integer(bytes), kind: try cursor.integer(bytes),
                bytes: try SyncRecord.bytes(bytes, &cursor, most: Limits.notice))
        case .settings: self = .settings(try SyncRecord.bytes(bytes, &cursor, most: Limits.syncSettings))
        case .pinned:
            let sequence: UInt64 = try cursor.integer(bytes)
            let count = Int(try cursor.integer(bytes, as: UInt32.self))
            guard count <= Limits.pinnedChunks else { throw .overLimit(field: "chunks") }
            var chunks: [Int64] = []
            for _ in 0..<count { chunks.append(try cursor.integer(bytes)) }
            self = .pinned(sequence: sequence, chunks: chunks)
        case .keys: self = .keys(try SyncRecord.bytes(bytes, &cursor, most: Limits.syncKeys))
        case .setAside:
            self = .setAside(
                number: try cursor.integer(bytes),
                bytes: try SyncRecord.bytes(bytes, &cursor, most: Limits.syncRecord))
        case .trace:
            self = .trace(
                number: try cursor.integer(bytes), author: try cursor.identifier(bytes),
                time: try cursor.integer(bytes),
                bytes: try SyncRecord.bytes(bytes, &cursor, most: Limits.syncRecord))
        }
        try cursor.padding(bytes)
    }

    private static func bytes(
        _ bytes: RawSpan, _ cursor: inout Cursor, most: Int
    ) throws(FormatError) -> [UInt8] {
        let count = Int(try cursor.integer(bytes, as: UInt32.self))
        guard count <= most else { throw .overLimit(field: "bytes") }
        return try cursor.array(bytes, count: count)
    }
}
