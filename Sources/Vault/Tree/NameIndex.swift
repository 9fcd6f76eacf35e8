internal import Format

/// Finds a dentry by its directory and name: chained hashing through the dentries themselves, 8 bytes
/// an entry.
///
/// The hash is seeded at each start: names come from imports and other devices, and must not be able
/// to pile up in one bucket on purpose.
struct NameIndex {
    private(set) var buckets = [UInt32](repeating: 0, count: 1024)
    private let seed = UInt64.random(in: .min ... .max)

    func bucket(_ parent: UInt32, _ name: RawSpan) -> Int {
        Int(truncatingIfNeeded: hash(UInt64(parent), name) & UInt64(buckets.count - 1))
    }

    /// A multiply-and-fold hash over eight bytes at a time.
    func hash(_ parent: UInt64, _ name: RawSpan) -> UInt64 {
        var state = seed ^ (parent &* 0x9E37_79B9_7F4A_7C15)
        var offset = 0
        while offset + 8 <= name.byteCount {
            fold(unsafe name.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self), into: &state)
            offset += 8
        }
        var rest: UInt64 = UInt64(name.byteCount) << 56
        var shift: UInt64 = 0
        while offset < name.byteCount {
            rest |= UInt64(unsafe name.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) << shift
            shift += 8
            offset += 1
        }
        fold(rest, into: &state)
        return state ^ (state >> 32)
    }

    private func fold(_ word: UInt64, into state: inout UInt64) {
        let product = (state ^ word).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93 ^ seed | 1)
        state = product.high ^ product.low
    }

    subscript(bucket: Int) -> UInt32 {
        get { buckets[bucket] }
        set { buckets[bucket] = newValue }
    }

    /// Empty buckets for `count` entries; the caller enters them again.
    mutating func resize(for count: Int) {
        var size = 1024
        while size < count { size *= 2 }
        buckets = [UInt32](repeating: 0, count: size)
    }
}
