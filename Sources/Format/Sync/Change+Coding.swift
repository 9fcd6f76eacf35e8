extension Change {
    private enum Kind: UInt8 { case entry = 1, removal, attributes, content }

    /// How many bytes ``encode(into:)`` appends, at most.
    public var encodedSize: Int {
        switch self {
        case .entry(let change): 75 + change.name.count
        case .removal(let change): 42 + 24 * change.saw.count
        case .attributes(let change):
            96 + change.attributes.reduce(0) { $0 + 5 + $1.name.count + $1.value.count }
        case .content(let change):
            144 + 24 * change.replaces.count + change.column.count
                + change.chunks.reduce(0) { $0 + 28 + $1.embedded.count }
        }
    }

    public func encode(into sink: inout some ByteSink & ~Copyable) {
        switch self {
        case .entry(let change):
            sink.append(Kind.entry.rawValue)
            change.encode(into: &sink)
        case .removal(let change):
            sink.append(Kind.removal.rawValue)
            sink.append(change.entry)
            sink.append(change.stamp)
            Change.encode(change.saw, into: &sink)
        case .attributes(let change):
            sink.append(Kind.attributes.rawValue)
            change.encode(into: &sink)
        case .content(let change):
            sink.append(Kind.content.rawValue)
            change.encode(into: &sink)
        }
    }

    public init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        guard let kind = Kind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "change") }
        switch kind {
        case .entry: self = .entry(try EntryChange(bytes, &cursor))
        case .removal:
            self = .removal(
                RemovalChange(
                    entry: try cursor.identifier(bytes), stamp: try cursor.stamp(bytes),
                    saw: try Change.stamps(bytes, &cursor)))
        case .attributes: self = .attributes(try AttributesChange(bytes, &cursor))
        case .content: self = .content(try ContentChange(bytes, &cursor))
        }
    }

    static func encode(_ stamps: [Stamp], into sink: inout some ByteSink & ~Copyable) {
        let kept = stamps.prefix(Limits.stamps)
        sink.append(UInt8(truncatingIfNeeded: kept.count))
        for stamp in kept { sink.append(stamp) }
    }

    static func stamps(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) -> [Stamp] {
        var stamps: [Stamp] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt8.self)) { stamps.append(try cursor.stamp(bytes)) }
        return stamps
    }
}

extension EntryChange {
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(entry)
        sink.append(parent)
        sink.append(lineage)
        sink.append(stamp)
        sink.append(UInt8(truncatingIfNeeded: name.count))
        sink.append(bytes: name)
    }

    public init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        entry = try cursor.identifier(bytes)
        parent = try cursor.identifier(bytes)
        lineage = try cursor.identifier(bytes)
        stamp = try cursor.stamp(bytes)
        name = try cursor.array(bytes, count: Int(try cursor.integer(bytes, as: UInt8.self)))
        guard !name.isEmpty, name.allSatisfy({ $0 != 0 && $0 != 0x2F }), name != [0x2E], name != [0x2E, 0x2E] else {
            throw .invalid(field: "name")
        }
        guard entry != .none, lineage != .none else { throw .invalid(field: "identifier") }
    }
}

extension AttributesChange {
    func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(lineage)
        sink.append(stamp)
        sink.append(mode)
        sink.append(owner)
        sink.append(group)
        sink.append(UInt8((ownedByMounter ? 1 : 0) | (groupOfMounter ? 2 : 0)))
        sink.append(device)
        sink.append(accessed)
        sink.append(modified)
        sink.append(changed)
        sink.append(UInt16(truncatingIfNeeded: attributes.count))
        for attribute in attributes {
            sink.append(UInt8(truncatingIfNeeded: attribute.name.count))
            sink.append(UInt32(truncatingIfNeeded: attribute.value.count))
            sink.append(bytes: attribute.name)
            sink.append(bytes: attribute.value)
        }
    }

    init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        lineage = try cursor.identifier(bytes)
        stamp = try cursor.stamp(bytes)
        mode = try cursor.integer(bytes)
        owner = try cursor.integer(bytes)
        group = try cursor.integer(bytes)
        let flags: UInt8 = try cursor.integer(bytes)
        (ownedByMounter, groupOfMounter) = (flags & 1 != 0, flags & 2 != 0)
        device = try cursor.integer(bytes)
        accessed = try cursor.timestamp(bytes)
        modified = try cursor.timestamp(bytes)
        changed = try cursor.timestamp(bytes)
        attributes = try ExtendedAttribute.list(bytes, &cursor)
    }
}

extension ContentChange {
    func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(lineage)
        sink.append(stamp)
        Change.encode(replaces, into: &sink)
        sink.append(modified)
        reference.encode(into: &sink)
        sink.append(UInt32(truncatingIfNeeded: column.count))
        sink.append(bytes: column)
        sink.append(UInt32(truncatingIfNeeded: chunks.count))
        for chunk in chunks {
            sink.append(chunk.slot)
            sink.append(chunk.hash)
            sink.append(UInt32(truncatingIfNeeded: chunk.embedded.count))
            sink.append(bytes: chunk.embedded)
        }
    }

    init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        lineage = try cursor.identifier(bytes)
        stamp = try cursor.stamp(bytes)
        replaces = try Change.stamps(bytes, &cursor)
        modified = try cursor.timestamp(bytes)
        reference = try ContentReference(bytes, &cursor)
        let width = Int(try cursor.integer(bytes, as: UInt32.self))
        guard width <= Limits.sharedColumn + 4096 else { throw .overLimit(field: "content column") }
        column = try cursor.array(bytes, count: width)
        let count = Int(try cursor.integer(bytes, as: UInt32.self))
        guard count <= Limits.sharedChunks else { throw .overLimit(field: "chunks") }
        chunks = []
        // At least 28 bytes each: what is announced and not there ends the loop before it costs anything.
        for _ in 0..<count {
            let slot: Int64 = try cursor.integer(bytes)
            let hash = try cursor.identifier(bytes)
            let length = Int(try cursor.integer(bytes, as: UInt32.self))
            guard slot > 0 else { throw .invalid(field: "chunk") }
            guard length <= Limits.blob else { throw .overLimit(field: "blob") }
            chunks.append(ChunkReference(slot: slot, hash: hash, embedded: try cursor.array(bytes, count: length)))
        }
    }
}

extension ExtendedAttribute {
    /// The attributes behind their count, all together within the limit.
    static func list(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) -> [ExtendedAttribute] {
        var attributes: [ExtendedAttribute] = []
        var total = 0
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            let nameLength = Int(try cursor.integer(bytes, as: UInt8.self))
            let valueLength = Int(try cursor.integer(bytes, as: UInt32.self))
            total += nameLength + valueLength
            guard total <= Limits.extendedAttributes else { throw .overLimit(field: "extended attributes") }
            let name = try cursor.array(bytes, count: nameLength)
            attributes.append(ExtendedAttribute(name: name, value: try cursor.array(bytes, count: valueLength)))
        }
        return attributes
    }
}
