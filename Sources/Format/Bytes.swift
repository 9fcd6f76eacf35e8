/// Why bytes are no record: always answered by refusing the record, never by guessing.
public enum FormatError: Error, Equatable {
    /// The bytes end inside a field, or go on behind the last one.
    case truncated
    /// A field holds a value that this version of the format does not know.
    case invalid(field: String)
    /// A count or length is above its limit.
    case overLimit(field: String)
}

/// Where records are written to: whoever owns the buffer decides how it is wiped.
public protocol ByteSink: ~Copyable {
    /// Appends `value`, least significant byte first.
    mutating func append<T: FixedWidthInteger>(_ value: T)
    /// Appends raw bytes.
    mutating func append(_ bytes: RawSpan)
    /// Appends raw bytes that hold no secret by themselves.
    mutating func append(bytes: [UInt8])
}

extension ByteSink where Self: ~Copyable {
    mutating func append(_ identifier: Identifier) {
        append(identifier.low)
        append(identifier.high)
    }

    mutating func append(_ time: Timestamp) {
        append(time.seconds)
        append(time.nanoseconds)
    }

    mutating func append(_ stamp: Stamp) {
        append(stamp.lamport)
        append(stamp.device)
    }
}

/// Reads fixed-width little-endian fields one after the other. It holds the position only and takes
/// the bytes at each call, so that they never leave their owner.
public struct Cursor {
    /// The offset of the next field, in bytes.
    public private(set) var offset = 0

    public init() {}

    /// The next integer, least significant byte first.
    public mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ bytes: RawSpan, as type: T.Type = T.self)
        throws(FormatError)
        -> T
    {
        let width = MemoryLayout<T>.size
        guard bytes.byteCount - offset >= width else { throw .truncated }
        // Any bit pattern is an integer, so the load is safe once its range is checked.
        let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self)
        offset += width
        return T(littleEndian: value)
    }

    /// The range of the next `count` bytes, which the caller may slice out.
    public mutating func range(_ bytes: RawSpan, count: Int) throws(FormatError) -> Range<Int> {
        guard count >= 0, bytes.byteCount - offset >= count else { throw .truncated }
        defer { offset += count }
        return offset..<(offset + count)
    }

    /// The next `count` bytes as an array: for names and other short fields.
    public mutating func array(_ bytes: RawSpan, count: Int) throws(FormatError) -> [UInt8] {
        let range = try range(bytes, count: count)
        let slice = bytes.extracting(range)
        return unsafe slice.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    mutating func identifier(_ bytes: RawSpan) throws(FormatError) -> Identifier {
        Identifier(low: try integer(bytes), high: try integer(bytes))
    }

    mutating func timestamp(_ bytes: RawSpan) throws(FormatError) -> Timestamp {
        let time = Timestamp(seconds: try integer(bytes), nanoseconds: try integer(bytes))
        guard time.nanoseconds < 1_000_000_000 else { throw .invalid(field: "nanoseconds") }
        return time
    }

    mutating func stamp(_ bytes: RawSpan) throws(FormatError) -> Stamp {
        Stamp(lamport: try integer(bytes), device: try identifier(bytes))
    }

    /// Records are padded with zeroes behind their last field: anything else is no padding.
    mutating func padding(_ bytes: RawSpan) throws(FormatError) {
        while offset < bytes.byteCount {
            guard try integer(bytes, as: UInt8.self) == 0 else { throw .invalid(field: "padding") }
        }
    }
}
