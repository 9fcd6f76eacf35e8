internal import CSodium

/// A key that authenticates bytes without hiding them: keyed BLAKE2b, cut to 128 bits.
public final class AuthenticationKey: Sendable {
    private let key: SecretBytes

    init(_ key: consuming SecretBytes) {
        self.key = key
    }

    /// The tag of `context`, little-endian, and `bytes` behind it.
    public func tag(_ context: (UInt64, UInt64), _ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        var tag: (UInt64, UInt64) = (0, 0)
        var context = (context.0.littleEndian, context.1.littleEndian)
        unsafe key.withPointer { key in
            unsafe withUnsafeMutableBytes(of: &tag) { tag in
                unsafe withUnsafeBytes(of: &context) { context in
                    unsafe coffer_tag(
                        tag.bytePointer, key, context.bytePointer, UInt64(context.count), bytes.bytePointer,
                        UInt64(bytes.count))
                }
            }
        }
        return tag
    }
}
