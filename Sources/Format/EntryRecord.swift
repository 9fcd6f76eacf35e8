/// One entry: a name in a directory that points at a file. Two entries of one file are hard links.
public struct EntryRecord: Equatable, Sendable {
    /// Stays the same for the life of the entry, through renames and through saves that put another
    /// file in its place.
    public var identifier: Identifier
    /// The directory that holds the entry.
    public var parent: Identifier
    /// The file that the entry points at.
    public var file: Identifier
    /// When the entry was last written.
    public var stamp: Stamp
    /// The clock at which this device made the entry; 0 where another one did. One that no segment has reached is unknown
    /// elsewhere.
    public var made: UInt64
    /// When it was removed, in seconds since 1970; 0 while it is live.
    public var removed: Int64
    /// Never leaves this device: editors' scratch files.
    public var isLocal: Bool
    /// Another device has removed it. Not in records of before this field.
    public var isRemovedElsewhere = false
    /// Where a merge has put the entry there, of this device or of another one. Not in records of before this field.
    public var settlement: Settlement?
    /// 1 to 255 bytes, neither `/` nor NUL.
    public var name: [UInt8]

    /// What the present placement stands for, where a merge has made it: ``EntryRegister/settles``.
    public var settles: Stamp? { settlement?.stamp == stamp ? settlement?.replaced : nil }

    /// A placement that a merge has made, and the one before it, which somebody has made.
    public struct Settlement: Equatable, Sendable {
        /// The stamp that the entry had then: where it has another one, somebody has placed it since.
        public var stamp: Stamp
        public var replaced: Stamp

        public init(stamp: Stamp, replaced: Stamp) { (self.stamp, self.replaced) = (stamp, replaced) }
    }

    public init(
        identifier: Identifier, parent: Identifier, file: Identifier, stamp: Stamp, made: UInt64 = 0,
        removed: Int64 = 0, isLocal: Bool = false, name: [UInt8]
    ) {
        self.identifier = identifier
        self.parent = parent
        self.file = file
        self.stamp = stamp
        self.made = made
        self.removed = removed
        self.isLocal = isLocal
        self.name = name
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(identifier)
        sink.append(parent)
        sink.append(file)
        sink.append(stamp)
        sink.append(made)
        sink.append(removed)
        sink.append(UInt8((isLocal ? 1 : 0) | (isRemovedElsewhere ? 2 : 0) | (settlement == nil ? 0 : 4)))
        sink.append(UInt8(truncatingIfNeeded: name.count))
        sink.append(bytes: name)
        if let settlement {
            sink.append(settlement.stamp)
            sink.append(settlement.replaced)
        }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        let fields = try Fields(bytes, &cursor)
        self.init(
            identifier: fields.identifier, parent: fields.parent, file: fields.file, stamp: fields.stamp,
            made: fields.made, removed: fields.removed, isLocal: fields.isLocal,
            name: try cursor.array(bytes, count: fields.nameLength))
        isRemovedElsewhere = fields.isRemovedElsewhere
        if fields.isSettled {
            settlement = Settlement(stamp: try cursor.stamp(bytes), replaced: try cursor.stamp(bytes))
        }
        guard name.allSatisfy({ $0 != 0 && $0 != 0x2F }) else { throw .invalid(field: "name") }
        try cursor.padding(bytes)
    }

    /// The fields before the name, and where the name is: what unlocking reads for every entry
    /// without an allocation.
    public struct Fields {
        public let identifier: Identifier
        public let parent: Identifier
        public let file: Identifier
        public let stamp: Stamp
        public let made: UInt64
        public let removed: Int64
        public let isLocal: Bool
        public let isRemovedElsewhere: Bool
        public let isSettled: Bool
        public let nameLength: Int
        /// The offset of the name in the decoded bytes.
        public let nameOffset: Int

        public init(_ bytes: RawSpan) throws(FormatError) {
            var cursor = Cursor()
            try self.init(bytes, &cursor)
            _ = try cursor.range(bytes, count: nameLength)
        }

        init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
            identifier = try cursor.identifier(bytes)
            parent = try cursor.identifier(bytes)
            file = try cursor.identifier(bytes)
            stamp = try cursor.stamp(bytes)
            made = try cursor.integer(bytes)
            removed = try cursor.integer(bytes)
            let flags = try cursor.integer(bytes, as: UInt8.self)
            (isLocal, isRemovedElsewhere, isSettled) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0)
            nameLength = Int(try cursor.integer(bytes, as: UInt8.self))
            nameOffset = cursor.offset
            guard nameLength >= 1 else { throw .invalid(field: "name") }
        }
    }
}
