/// An earlier content of a file, or the last content of a file that another one took the place of.
public struct VersionRecord: Equatable, Sendable {
    /// The file that had this content.
    public var file: Identifier
    /// The row of the version before this one; 0 for none.
    public var previous: Int64
    /// The row of the last version of the file that ``file`` itself had replaced; 0 for none.
    public var predecessor: Int64
    /// When this content was last modified.
    public var modified: Timestamp
    /// When it stopped being the present content.
    public var superseded: Timestamp
    public var mode: UInt32
    public var content: ContentReference
    /// When the content was made, as ``FileRecord/heads`` had it; zeroes where that is not known.
    public var stamp: Stamp
    /// Other versions that were the same bytes: the rest of ``FileRecord/heads``.
    public var twins: [Stamp]

    public init(
        file: Identifier, previous: Int64, predecessor: Int64, modified: Timestamp, superseded: Timestamp,
        mode: UInt32, content: ContentReference, stamp: Stamp = .zero, twins: [Stamp] = []
    ) {
        self.file = file
        self.previous = previous
        self.predecessor = predecessor
        self.modified = modified
        self.superseded = superseded
        self.mode = mode
        self.content = content
        self.stamp = stamp
        self.twins = twins
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(file)
        sink.append(previous)
        sink.append(predecessor)
        sink.append(modified)
        sink.append(superseded)
        sink.append(mode)
        content.encode(into: &sink)
        sink.append(stamp)
        Change.encode(twins, into: &sink)
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        file = try cursor.identifier(bytes)
        previous = try cursor.integer(bytes)
        predecessor = try cursor.integer(bytes)
        modified = try cursor.timestamp(bytes)
        superseded = try cursor.timestamp(bytes)
        mode = try cursor.integer(bytes)
        content = try ContentReference(bytes, &cursor)
        stamp = try cursor.stamp(bytes)
        twins = try Change.stamps(bytes, &cursor)
        try cursor.padding(bytes)
    }
}
