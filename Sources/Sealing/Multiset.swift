internal import CSodium

/// The key under which rows are hashed for the integrity sum.
public final class MultisetKey: Sendable {
    private let key: SecretBytes

    init(_ key: consuming SecretBytes) {
        self.key = key
    }

    /// BLAKE2b-512, keyed, over table (8 bytes), slot (8) and the tag of the seal (16).
    fileprivate func hash(table: UInt8, slot: Int64, _ seal: Seal, into sum: UnsafeMutableRawBufferPointer) {
        var message = (UInt64(table).littleEndian, slot.littleEndian, seal.tag.0, seal.tag.1)
        unsafe key.withPointer { key in
            unsafe withUnsafeBytes(of: &message) { message in
                _ = unsafe crypto_generichash(
                    sum.bytePointer, 64, message.bytePointer, UInt64(message.count), key, 32)
            }
        }
    }
}

/// The sum of the hashes of a set of rows, modulo 2^512: the same in whatever order they are added, and
/// another when any is missing, doubled, changed or older (Bellare and Micciancio 1997, AdHash; keyed).
public struct MultisetSum: Sendable, Equatable {
    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)

    public init() {}

    /// From the 64 stored bytes; of any other length, zero.
    public init(bytes: RawSpan) {
        guard bytes.byteCount == 64 else { return }
        unsafe withUnsafeMutableBytes(of: &words) { target in
            unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }

    /// The 64 bytes, a little-endian number.
    public var bytes: [UInt8] {
        unsafe withUnsafeBytes(of: words) { unsafe [UInt8]($0) }
    }

    public mutating func add(_ key: MultisetKey, table: UInt8, slot: Int64, seal: Seal) {
        var hash = MultisetSum()
        unsafe withUnsafeMutableBytes(of: &hash.words) { unsafe key.hash(table: table, slot: slot, seal, into: $0) }
        combine(hash)
    }

    public mutating func remove(_ key: MultisetKey, table: UInt8, slot: Int64, seal: Seal) {
        var hash = MultisetSum()
        unsafe withUnsafeMutableBytes(of: &hash.words) { unsafe key.hash(table: table, slot: slot, seal, into: $0) }
        unsafe withUnsafeMutableBytes(of: &words) { sum in
            unsafe withUnsafeBytes(of: &hash.words) { hash in
                unsafe sodium_sub(sum.bytePointer, hash.bytePointer, 64)
            }
        }
    }

    /// Adds the sum of another set.
    public mutating func combine(_ other: MultisetSum) {
        var other = other
        unsafe withUnsafeMutableBytes(of: &words) { sum in
            unsafe withUnsafeBytes(of: &other.words) { other in
                unsafe sodium_add(sum.bytePointer, other.bytePointer, 64)
            }
        }
    }

    public static func == (left: MultisetSum, right: MultisetSum) -> Bool {
        left.bytes == right.bytes
    }
}
