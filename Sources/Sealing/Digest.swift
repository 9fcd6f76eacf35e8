internal import CSodium

/// BLAKE2b (RFC 7693).
public enum Digest {
    /// 32 bytes, without a key: of what is public.
    public static func blake2b256(_ bytes: RawSpan) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe bytes.withUnsafeBytes { source in
            _ = unsafe crypto_generichash(&digest, 32, source.bytePointer, UInt64(source.count), nil, 0)
        }
        return digest
    }

    /// 16 bytes as two words, without a key: the hash in an object's name.
    public static func blake2b128(_ bytes: RawSpan) -> (UInt64, UInt64) {
        var digest: (UInt64, UInt64) = (0, 0)
        unsafe bytes.withUnsafeBytes { source in
            unsafe withUnsafeMutableBytes(of: &digest) { digest in
                _ = unsafe crypto_generichash(
                    digest.bytePointer, 16, source.bytePointer, UInt64(source.count), nil, 0)
            }
        }
        return (UInt64(littleEndian: digest.0), UInt64(littleEndian: digest.1))
    }

    /// 32 bytes under a key, into wiped memory: a sub-key, or a commitment.
    static func keyed(_ key: borrowing SecretBytes, _ parts: [UInt8]...) -> SecretBytes {
        var result = SecretBytes(count: 32)
        let message = parts.flatMap { $0 }
        unsafe key.withPointer { key in
            unsafe result.withMutablePointer { result in
                _ = unsafe crypto_generichash(result, 32, message, UInt64(message.count), key, 32)
            }
        }
        return result
    }

    /// 32 bytes under a key, of another key.
    static func keyed(_ key: borrowing SecretBytes, _ message: borrowing SecretBytes) -> SecretBytes {
        var result = SecretBytes(count: 32)
        let length = UInt64(message.count)
        unsafe key.withPointer { key in
            unsafe message.withPointer { message in
                unsafe result.withMutablePointer { result in
                    _ = unsafe crypto_generichash(result, 32, message, length, key, 32)
                }
            }
        }
        return result
    }
}
