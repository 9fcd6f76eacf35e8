/// Where the bytes of a file or of one of its versions are.
public enum ContentKind: UInt8, Sendable {
    /// No bytes at all, or zeroes only (a file that was made longer and never written).
    case none = 0
    /// In the row's own content column: at most ``Limits/inlineContent`` bytes, or a link's target.
    case inline = 1
    /// The content column holds the list of chunks: eight bytes for each, 0 where it is all zeroes.
    case chunks = 2
}

/// The bytes of a file as of one save.
public struct ContentReference: Equatable, Sendable {
    public var kind: ContentKind
    /// Counts the saves of the file: part of what the content is sealed with, so that an older
    /// content does not open in the place of a newer one.
    public var version: UInt64
    /// The length in bytes.
    public var size: UInt64
    /// Nonce and tag of the content column, 40 bytes; meaningless for ``ContentKind/none``.
    public var seal: SealBytes
    /// The file under whose identifier the content was sealed.
    public var origin: Identifier

    public init(kind: ContentKind, version: UInt64, size: UInt64, seal: SealBytes, origin: Identifier) {
        self.kind = kind
        self.version = version
        self.size = size
        self.seal = seal
        self.origin = origin
    }

    func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(kind.rawValue)
        sink.append(version)
        sink.append(size)
        seal.encode(into: &sink)
        sink.append(origin)
    }

    init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        guard let kind = ContentKind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "content kind") }
        self.kind = kind
        version = try cursor.integer(bytes)
        size = try cursor.integer(bytes)
        guard size <= Limits.fileSize else { throw .overLimit(field: "size") }
        seal = try SealBytes(bytes, &cursor)
        origin = try cursor.identifier(bytes)
    }
}

/// Nonce (24 bytes) and tag (16 bytes) of a sealed piece, as they are stored.
public struct SealBytes: Equatable, Sendable {
    public var words: (UInt64, UInt64, UInt64, UInt64, UInt64)

    public init(words: (UInt64, UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    public static let zero = SealBytes(words: (0, 0, 0, 0, 0))

    public static func == (left: SealBytes, right: SealBytes) -> Bool {
        left.words == right.words
    }

    /// Appends the 40 bytes.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(words.0)
        sink.append(words.1)
        sink.append(words.2)
        sink.append(words.3)
        sink.append(words.4)
    }

    init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        words = (
            try cursor.integer(bytes), try cursor.integer(bytes), try cursor.integer(bytes),
            try cursor.integer(bytes), try cursor.integer(bytes)
        )
    }
}

/// One extended attribute (xattr(7)): any bytes under a name such as `user.comment`.
public struct ExtendedAttribute: Equatable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]

    public init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// One file: an inode with its attributes, where its content is, and its history.
public struct FileRecord: Equatable, Sendable {
    public var identifier: Identifier
    /// The inode number on this device; never used again for another file.
    public var inode: UInt64
    /// Type and permissions as in stat(2).
    public var mode: UInt32
    public var owner: UInt32
    public var group: UInt32
    /// The owner is whoever mounts the vault; ``owner`` then says nothing.
    public var ownedByMounter: Bool
    /// The same for the group.
    public var groupOfMounter: Bool
    /// Some of the content's chunks may be holes: whoever opens the vault counts them. Not in records of before this field.
    public var hasHoles: Bool
    /// The device number of a device node, as in stat(2).
    public var device: UInt32
    public var accessed: Timestamp
    public var modified: Timestamp
    public var changed: Timestamp
    public var stamp: Stamp
    public var content: ContentReference
    /// The row of the version before the present content; 0 for none.
    public var history: Int64
    /// The row of the last version of the file that this one took the place of; 0 for none.
    public var predecessor: Int64
    /// How many versions ``history`` and ``predecessor`` lead to, at the least.
    public var versions: UInt32
    /// When the oldest of them was saved, in seconds since 1970.
    public var oldestVersion: Int64
    /// The file that took this one's name while this one lives on under a backup name.
    public var successor: Identifier
    /// The version row that shares this (replaced, still open) file's chunks; 0 for none.
    public var detached: Int64
    /// What other devices know the file by: ``identifier``, or the lineage of the file that this one took the place of.
    public var lineage: Identifier
    /// The versions that the present content is, the latest first: more than one where devices came to the same bytes by
    /// themselves. Empty where there never was a content.
    public var heads: [Stamp]
    /// The versions that the present content takes the place of.
    public var replaced: [Stamp]
    public var attributes: [ExtendedAttribute]
    /// When the present content was saved, where that is not ``modified``, which programs set as they like. Not in records of
    /// before this field.
    public var saved: Timestamp?

    public init(identifier: Identifier, inode: UInt64, mode: UInt32, stamp: Stamp, time: Timestamp) {
        self.identifier = identifier
        self.inode = inode
        self.mode = mode
        owner = 0
        group = 0
        ownedByMounter = true
        groupOfMounter = true
        hasHoles = false
        device = 0
        accessed = time
        modified = time
        changed = time
        self.stamp = stamp
        content = ContentReference(kind: .none, version: 0, size: 0, seal: .zero, origin: identifier)
        history = 0
        predecessor = 0
        versions = 0
        oldestVersion = 0
        successor = .none
        detached = 0
        lineage = identifier
        heads = []
        replaced = []
        attributes = []
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(identifier)
        sink.append(inode)
        sink.append(mode)
        sink.append(owner)
        sink.append(group)
        let flags = (ownedByMounter ? 1 : 0) | (groupOfMounter ? 2 : 0) | (hasHoles ? 4 : 0) | (saved == nil ? 0 : 8)
        sink.append(UInt8(flags))
        sink.append(device)
        sink.append(accessed)
        sink.append(modified)
        sink.append(changed)
        sink.append(stamp)
        content.encode(into: &sink)
        sink.append(history)
        sink.append(predecessor)
        sink.append(versions)
        sink.append(oldestVersion)
        sink.append(successor)
        sink.append(detached)
        sink.append(lineage)
        Change.encode(heads, into: &sink)
        Change.encode(replaced, into: &sink)
        sink.append(UInt16(truncatingIfNeeded: attributes.count))
        for attribute in attributes {
            sink.append(UInt8(truncatingIfNeeded: attribute.name.count))
            sink.append(UInt32(truncatingIfNeeded: attribute.value.count))
            sink.append(bytes: attribute.name)
            sink.append(bytes: attribute.value)
        }
        if let saved { sink.append(saved) }
    }

    /// Sets ``modified`` without forgetting when the content was saved.
    public mutating func setModified(_ time: Timestamp) {
        if saved == nil, !heads.isEmpty { saved = modified }
        modified = time
        if saved == time { saved = nil }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        identifier = try cursor.identifier(bytes)
        inode = try cursor.integer(bytes)
        mode = try cursor.integer(bytes)
        owner = try cursor.integer(bytes)
        group = try cursor.integer(bytes)
        let flags = try cursor.integer(bytes, as: UInt8.self)
        ownedByMounter = flags & 1 != 0
        groupOfMounter = flags & 2 != 0
        hasHoles = flags & 4 != 0
        device = try cursor.integer(bytes)
        accessed = try cursor.timestamp(bytes)
        modified = try cursor.timestamp(bytes)
        changed = try cursor.timestamp(bytes)
        stamp = try cursor.stamp(bytes)
        content = try ContentReference(bytes, &cursor)
        history = try cursor.integer(bytes)
        predecessor = try cursor.integer(bytes)
        versions = try cursor.integer(bytes)
        oldestVersion = try cursor.integer(bytes)
        successor = try cursor.identifier(bytes)
        detached = try cursor.integer(bytes)
        lineage = try cursor.identifier(bytes)
        heads = try Change.stamps(bytes, &cursor)
        replaced = try Change.stamps(bytes, &cursor)
        attributes = try ExtendedAttribute.list(bytes, &cursor)
        if flags & 8 != 0 { saved = try cursor.timestamp(bytes) }
        try cursor.padding(bytes)
    }
}
