internal import CSodium
internal import CUtf8proc

/// Why a password is not taken.
public enum PasswordError: Error, Equatable {
    case empty
    /// Longer than ``MasterPassword/limit``.
    case tooLong
    /// Easily guessed; the text says why, for the user.
    case tooWeak(String)
}

/// The master password in the one form in which it is used: NFKC, so that the same characters typed on
/// another keyboard or system give the same key (Unicode Standard Annex 15). Bytes that are no UTF-8 are
/// taken as they are.
public struct MasterPassword: ~Copyable, Sendable {
    /// The longest password, in bytes of UTF-8.
    public static let limit = 1024
    let bytes: SecretBytes

    public init(utf8: RawSpan) throws(PasswordError) {
        guard utf8.byteCount > 0 else { throw .empty }
        guard utf8.byteCount <= MasterPassword.limit else { throw .tooLong }
        bytes = MasterPassword.normalized(utf8) ?? SecretBytes(copying: utf8)
    }

    /// Decomposed into, and composed in, one guarded buffer: utf8proc_map would leave copies on the heap.
    private static func normalized(_ utf8: RawSpan) -> SecretBytes? {
        let options = utf8proc_option_t(
            UTF8PROC_COMPOSE.rawValue | UTF8PROC_COMPAT.rawValue | UTF8PROC_STABLE.rawValue)
        // A code point decomposes to at most 18 (U+FDFA), each of four bytes, and one more for the end.
        let capacity = utf8.byteCount * 18 + 1
        var work = SecretBytes(count: capacity * 4)
        let length = unsafe work.withMutablePointer { pointer in
            unsafe pointer.withMemoryRebound(to: utf8proc_int32_t.self, capacity: capacity) { points in
                let count = unsafe utf8.withUnsafeBytes { source in
                    unsafe utf8proc_decompose(
                        source.bytePointer, utf8proc_ssize_t(source.count), points, utf8proc_ssize_t(capacity - 1),
                        options)
                }
                guard count > 0, count < capacity else { return utf8proc_ssize_t(-1) }
                return unsafe utf8proc_reencode(points, count, options)
            }
        }
        guard length > 0 else { return nil }
        return work.withBytes { SecretBytes(copying: $0.extracting(0..<length)) }
    }
}
