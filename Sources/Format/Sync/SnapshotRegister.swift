/// One register as a snapshot has it: what a device that has none of them starts from.
///
/// Lineages come before the entries that lead to them, directories before what is in them.
public enum SnapshotRegister: Equatable, Sendable {
    /// A lineage with its present content, chunks and all; nil where there never was one. The copies that are shown for
    /// its rivals are lineages and entries of their own.
    case lineage(LineageRegister, content: ContentChange?)
    /// An entry, shown or not.
    case entry(EntryRegister)

    private enum Kind: UInt8 { case lineage = 1, entry }

    /// How many bytes ``encode(into:)`` appends, at most.
    public var encodedSize: Int {
        switch self {
        case .lineage(let register, let content):
            Change.attributes(register.attributes).encodedSize + 80
                + 24 * (register.heads.count + register.rivals.count)
                + (content.map { Change.content($0).encodedSize } ?? 0)
        case .entry(let register):
            104 + register.placement.name.count + register.removals.reduce(0) { $0 + 25 + 24 * $1.saw.count }
        }
    }

    public func encode(into sink: inout some ByteSink & ~Copyable) {
        switch self {
        case .lineage(let register, let content):
            sink.append(Kind.lineage.rawValue)
            register.attributes.encode(into: &sink)
            Change.encode(register.heads, into: &sink)
            Change.encode(register.rivals, into: &sink)
            register.content.encode(into: &sink)
            sink.append(UInt8(content == nil ? 0 : 1))
            content?.encode(into: &sink)
        case .entry(let register):
            sink.append(Kind.entry.rawValue)
            register.encode(into: &sink)
        }
    }

    public init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        guard let kind = Kind(rawValue: try cursor.integer(bytes)) else { throw .invalid(field: "register") }
        switch kind {
        case .lineage:
            let register = LineageRegister(
                attributes: try AttributesChange(bytes, &cursor), heads: try Change.stamps(bytes, &cursor),
                rivals: try Change.stamps(bytes, &cursor), content: try ContentReference(bytes, &cursor))
            let flag: UInt8 = try cursor.integer(bytes)
            guard flag <= 1 else { throw .invalid(field: "content") }
            let content = flag == 1 ? try ContentChange(bytes, &cursor) : nil
            guard content == nil || content?.lineage == register.attributes.lineage else {
                throw .invalid(field: "lineage")
            }
            self = .lineage(register, content: content)
        case .entry: self = .entry(try EntryRegister(bytes, &cursor))
        }
    }
}

extension EntryRegister {
    func encode(into sink: inout some ByteSink & ~Copyable) {
        placement.encode(into: &sink)
        sink.append(UInt8((isShown ? 1 : 0) | (settles == nil ? 0 : 2)))
        if let settles { sink.append(settles) }
        let kept = removals.prefix(Limits.stamps)
        sink.append(UInt8(truncatingIfNeeded: kept.count))
        for removal in kept {
            sink.append(removal.stamp)
            Change.encode(removal.saw, into: &sink)
        }
    }

    init(_ bytes: RawSpan, _ cursor: inout Cursor) throws(FormatError) {
        placement = try EntryChange(bytes, &cursor)
        let flags = try cursor.integer(bytes, as: UInt8.self)
        isShown = flags & 1 != 0
        settles = flags & 2 != 0 ? try cursor.stamp(bytes) : nil
        // One that is later than the placement itself would win over whatever comes.
        if let settles, settles >= placement.stamp { throw .invalid(field: "settlement") }
        removals = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt8.self)) {
            removals.append(
                RemovalChange(
                    entry: placement.entry, stamp: try cursor.stamp(bytes), saw: try Change.stamps(bytes, &cursor)))
        }
    }
}
