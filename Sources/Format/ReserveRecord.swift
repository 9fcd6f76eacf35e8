/// A content that could not be saved before the vault had to be locked, in the reserve beside the vault.
public struct ReservedContent: Sendable {
    /// The entry's path, its names joined by slashes.
    public var path: [UInt8]
    public var file: Identifier
    /// The content that the store has of the file, and that this one was made from.
    public var base: ContentReference
    /// How many bytes of the base count still.
    public var kept: UInt64
    /// The length in bytes.
    public var size: UInt64
    public var modified: Timestamp
    /// The changed chunks in their order; what lies behind the bytes of one is zero.
    public var chunks: [Chunk] = []

    /// One changed chunk: its place in the file, and where its bytes stand in the record.
    public struct Chunk: Sendable {
        public var index: Int
        public var range: Range<Int>
    }

    public init(
        path: [UInt8], file: Identifier, base: ContentReference, kept: UInt64, size: UInt64, modified: Timestamp
    ) {
        self.path = Array(path.prefix(Limits.reservedPath))
        (self.file, self.base, self.kept, self.size, self.modified) = (file, base, kept, size, modified)
    }

    /// All changed chunks follow, each with its index (`u32`) and length (`u32`).
    public func encode(chunkCount: Int, into sink: inout some ByteSink & ~Copyable) {
        sink.append(ReserveRecord.contentKind)
        ReserveRecord.append(path, to: &sink)
        sink.append(file)
        base.encode(into: &sink)
        sink.append(kept)
        sink.append(size)
        sink.append(modified)
        sink.append(UInt32(truncatingIfNeeded: chunkCount))
    }

    fileprivate init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        path = try ReserveRecord.path(bytes, &cursor)
        file = try cursor.identifier(bytes)
        base = try ContentReference(bytes, &cursor)
        kept = try cursor.integer(bytes)
        size = try cursor.integer(bytes)
        guard size <= Limits.fileSize else { throw .overLimit(field: "size") }
        guard kept <= min(size, base.size) else { throw .invalid(field: "kept") }
        modified = try cursor.timestamp(bytes)
        let count = Int(try cursor.integer(bytes, as: UInt32.self))
        guard count <= (bytes.byteCount - cursor.offset) / 8 else { throw .overLimit(field: "chunks") }
        let most = (size + UInt64(Limits.chunkSize) - 1) / UInt64(Limits.chunkSize)
        for _ in 0..<count {
            let index = Int(try cursor.integer(bytes, as: UInt32.self))
            let length = Int(try cursor.integer(bytes, as: UInt32.self))
            guard index > chunks.last?.index ?? -1, UInt64(index) < most else { throw .invalid(field: "chunk") }
            guard length <= Limits.chunkSize else { throw .overLimit(field: "chunk") }
            chunks.append(Chunk(index: index, range: try cursor.range(bytes, count: length)))
        }
    }
}

/// A record of the reserve.
public enum ReserveRecord: Sendable {
    case content(ReservedContent)
    /// Entries whose contents had no room in the reserve: how many, and the paths of some.
    case lost(count: UInt32, paths: [[UInt8]])

    fileprivate static let contentKind: UInt8 = 1
    private static let lostKind: UInt8 = 2

    /// Padding behind it is the caller's.
    public static func encodeLost(count: UInt32, paths: [[UInt8]], into sink: inout some ByteSink & ~Copyable) {
        sink.append(lostKind)
        sink.append(count)
        let listed = paths.prefix(Limits.reservedNames)
        sink.append(UInt16(truncatingIfNeeded: listed.count))
        for path in listed { append(path, to: &sink) }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        switch try cursor.integer(bytes, as: UInt8.self) {
        case ReserveRecord.contentKind: self = .content(try ReservedContent(bytes, &cursor))
        case ReserveRecord.lostKind:
            let count = try cursor.integer(bytes, as: UInt32.self)
            let listed = Int(try cursor.integer(bytes, as: UInt16.self))
            guard listed <= Limits.reservedNames else { throw .overLimit(field: "paths") }
            var paths: [[UInt8]] = []
            for _ in 0..<listed { paths.append(try ReserveRecord.path(bytes, &cursor)) }
            self = .lost(count: count, paths: paths)
        default: throw .invalid(field: "kind")
        }
        try cursor.padding(bytes)
    }

    fileprivate static func append(_ path: [UInt8], to sink: inout some ByteSink & ~Copyable) {
        let path = Array(path.prefix(Limits.reservedPath))
        sink.append(UInt16(truncatingIfNeeded: path.count))
        sink.append(bytes: path)
    }

    fileprivate static func path(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) -> [UInt8] {
        let length = Int(try cursor.integer(bytes, as: UInt16.self))
        guard length <= Limits.reservedPath else { throw .overLimit(field: "path") }
        return try cursor.array(bytes, count: length)
    }
}
