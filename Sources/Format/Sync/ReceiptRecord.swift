/// How far a device has read the logs of the others, said where it has nothing to write. Sealed and signed as a whole.
public struct ReceiptRecord: Equatable, Sendable {
    public var seen: VersionVector

    public init(seen: VersionVector) { self.seen = seen }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) { seen.encode(into: &sink) }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        seen = try VersionVector(bytes, &cursor)
        try cursor.padding(bytes)
    }
}
