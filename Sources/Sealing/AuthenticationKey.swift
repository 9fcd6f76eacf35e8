internal import CSodium

/// A key that authenticates bytes without hiding them: keyed BLAKE2b, cut to 128 bits.
public final class AuthenticationKey: Sendable {
    private let key: SecretBytes

    init(_ key: consuming SecretBytes) {
        self.key = key
    }

    /// The tag of `bytes`.
    public func tag(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        var tag: (UInt64, UInt64) = (0, 0)
        unsafe key.withPointer { key in
            unsafe withUnsafeMutableBytes(of: &tag) { tag in
                _ = unsafe crypto_generichash(
                    tag.bytePointer, 16, bytes.bytePointer, UInt64(bytes.count), key, 32)
            }
        }
        return tag
    }
}
