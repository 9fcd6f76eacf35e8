public import Format
internal import Sealing

/// Changes of one segment that this replica has refused: they are kept, and tried again at each run.
///
/// No state of a tree is meant to make a legal change inapplicable. Where one does all the same, a fault of ours that nobody
/// has found yet, that change waits by itself, and everything else goes on.
struct SetAside {
    /// The device that has written the segment, and the number of it.
    var author: Identifier
    var sequence: UInt64
    /// How far the author's log had been applied before it.
    var before: LogPosition?
    /// Of the segment: what its author had seen, its clock, which changes settle something, and the changes that wait.
    var record: SegmentRecord

    /// Nobody's changes wait before those that they build on.
    static func precedes(_ left: SetAside, _ right: SetAside) -> Bool {
        (left.record.lamport, left.author, left.sequence) < (right.record.lamport, right.author, right.sequence)
    }

    /// What is refused of one group of segments, at the most: with more, the fault is another one. Each costs another try.
    static let most = 64
    /// The most rows that wait: a device that turns could write changes that are refused without an end.
    static let rowsMost = 256

    // MARK: Which changes wait

    /// Divides the changes of a segment.
    ///
    /// - Parameters:
    ///   - held: entries and lineages that have changes which wait, or were refused.
    ///   - isKnown: whether a lineage is here; what leads to one that waits to be made waits with it.
    /// - Returns: those that can be applied, and those that wait.
    static func divide<E: Error>(
        _ changes: [Change], holding held: Set<Identifier>, isKnown: (Identifier) throws(E) -> Bool
    ) throws(E) -> (applied: [Change], waiting: [Change]) {
        guard !held.isEmpty else { return (changes, []) }
        var held = held
        var before = 0
        while held.count != before {
            before = held.count
            for case .entry(let entry) in changes {
                if held.contains(entry.lineage) || held.contains(entry.parent) { held.insert(entry.entry) }
                guard held.contains(entry.entry), !held.contains(entry.lineage) else { continue }
                if try !isKnown(entry.lineage) { held.insert(entry.lineage) }
            }
        }
        return (changes.filter { !held.contains($0.subject) }, changes.filter { held.contains($0.subject) })
    }

    var subjects: Set<Identifier> { Set(record.changes.map(\.subject)) }

    // MARK: Rows

    private static let version: UInt8 = 1
    /// A row has about so many bytes at the most, and one change at the least.
    private static let rowSize = 256 << 10

    /// One row for each part of the changes that fits.
    var rows: [[UInt8]] {
        var parts: [[Change]] = [[]]
        var size = 0
        for change in record.changes {
            size += change.encodedSize
            if size > SetAside.rowSize, !parts[parts.count - 1].isEmpty {
                parts.append([])
                size = change.encodedSize
            }
            parts[parts.count - 1].append(change)
        }
        return parts.map { part in
            var sink = PlainBuffer(capacity: 4096)
            sink.append(SetAside.version)
            for word in [author.low, author.high, sequence] { sink.append(word) }
            var vector = VersionVector()
            vector[author] = before
            vector.encode(into: &sink)
            var record = record
            record.changes = part
            record.encode(into: &sink)
            return sink.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
        }
    }

    init(author: Identifier, sequence: UInt64, before: LogPosition?, record: SegmentRecord) {
        (self.author, self.sequence, self.before, self.record) = (author, sequence, before, record)
    }

    init(decoding row: [UInt8]) throws(FormatError) { self = try unsafe SetAside(row.span.bytes) }

    private init(_ bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        guard try cursor.integer(bytes, as: UInt8.self) == SetAside.version else { throw .invalid(field: "set aside") }
        author = Identifier(low: try cursor.integer(bytes), high: try cursor.integer(bytes))
        sequence = try cursor.integer(bytes)
        before = try VersionVector(bytes, &cursor)[author]
        record = try SegmentRecord(decoding: bytes.extracting(droppingFirst: cursor.offset))
    }
}

/// A change that waits, for people.
public struct RefusedChange: Hashable, Sendable {
    /// The entry that it is of.
    public var entry: Identifier
    /// What the entry is called by the change, or else here; empty where neither is known.
    public var name: [UInt8]
    /// The device that has made it.
    public var device: Identifier
}

extension SyncError {
    /// The replica has refused a change for what the tree is like. A full disk, for one, is no such reason.
    var isRefusal: Bool {
        // ENOENT, EEXIST, ENOTDIR, EISDIR, EINVAL, EFBIG, EMLINK, ENAMETOOLONG, ENOTEMPTY, EOPNOTSUPP (errno(3)).
        guard case .store(let code) = self else { return false }
        return [2, 17, 20, 21, 22, 27, 31, 36, 39, 95].contains(code)
    }
}
