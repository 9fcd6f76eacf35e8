/// What an account key is called where there may be several of an epoch: BLAKE2b-128 of its canary. Public, as that is.
public struct KeyName: Hashable, Sendable, Comparable {
    public let low: UInt64
    public let high: UInt64

    public init(low: UInt64, high: UInt64) { (self.low, self.high) = (low, high) }

    init(ofCanary canary: [UInt8]) {
        (low, high) = unsafe Digest.blake2b128(canary.span.bytes)
    }

    /// From 16 bytes at `offset`, which are there.
    init(_ bytes: [UInt8], at offset: Int) {
        (low, high) = (Enrolment.word(bytes, offset), Enrolment.word(bytes, offset + 8))
    }

    init(_ bytes: RawSpan, at offset: Int) {
        low = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
        high = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
    }

    /// The 16 bytes.
    public var bytes: [UInt8] { Wrap.littleEndian(low) + Wrap.littleEndian(high) }

    public static func < (left: KeyName, right: KeyName) -> Bool { (left.low, left.high) < (right.low, right.high) }
}
