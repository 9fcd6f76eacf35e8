/// The bytes of a notice: placements of the same segment that a merge has made.
public struct SettlementsRecord: Equatable, Sendable {
    /// By the entry.
    public var settlements: [Identifier: EntryRecord.Settlement]

    public init(_ settlements: [Identifier: EntryRecord.Settlement] = [:]) { self.settlements = settlements }

    private static let width = 64
    /// As many as a notice takes.
    public static let most = (Limits.notice - 4) / width

    /// Those beyond ``most`` are left out: they count as placements that somebody has made.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        let kept = settlements.sorted { $0.key < $1.key }.prefix(SettlementsRecord.most)
        sink.append(UInt32(truncatingIfNeeded: kept.count))
        for (entry, settlement) in kept {
            sink.append(entry)
            sink.append(settlement.stamp)
            sink.append(settlement.replaced)
        }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        let count = Int(try cursor.integer(bytes, as: UInt32.self))
        guard count <= SettlementsRecord.most else { throw .overLimit(field: "settlements") }
        settlements = [:]
        for _ in 0..<count {
            let entry = try cursor.identifier(bytes)
            let settlement = EntryRecord.Settlement(
                stamp: try cursor.stamp(bytes), replaced: try cursor.stamp(bytes))
            guard settlement.replaced < settlement.stamp else { throw .invalid(field: "settlement") }
            settlements[entry] = settlement
        }
        try cursor.padding(bytes)
    }
}
