internal import CSodium
internal import Synchronization

/// A key that seals and opens: XChaCha20-Poly1305-IETF with random nonces, in one call, detached.
///
/// 192 random bits of nonce do not meet again in any number of rows that a disk holds, so that no counter
/// has to survive a restored backup or a cloned machine.
public final class SealingKey: Sendable {
    private let key: SecretBytes

    init(_ key: consuming SecretBytes) {
        self.key = key
    }

    /// Seals `plain` into `cipher`, which is as long.
    public func seal(
        _ plain: UnsafeRawBufferPointer, _ data: AssociatedData, into cipher: UnsafeMutableRawBufferPointer
    ) -> Seal {
        unsafe seal(plain, data, nonce: NonceSource.next(), into: cipher)
    }

    /// Seals with a nonce that the caller has made sure never meets another plaintext.
    func seal(
        _ plain: UnsafeRawBufferPointer, _ data: AssociatedData, nonce: (UInt64, UInt64, UInt64),
        into cipher: UnsafeMutableRawBufferPointer
    ) -> Seal {
        var seal = Seal(nonce: nonce, tag: (0, 0))
        var data = data
        unsafe key.withPointer { key in
            unsafe withUnsafeMutableBytes(of: &seal.tag) { tag in
                unsafe withUnsafeBytes(of: seal.nonce) { nonce in
                    unsafe withUnsafeBytes(of: &data.words) { data in
                        if unsafe OpenSSL.encrypt(plain, data, key: key, nonce: nonce, into: cipher, tag: tag) {
                            return
                        }
                        _ = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
                            cipher.bytePointer, tag.bytePointer, nil, plain.bytePointer, UInt64(plain.count),
                            data.bytePointer, UInt64(data.count), nil, nonce.bytePointer, key)
                    }
                }
            }
        }
        return seal
    }

    /// Opens `cipher` into `plain`, which is as long.
    ///
    /// - Returns: whether it was sealed with this key for this place and is unchanged; if not, nothing but zeroes
    ///   was written.
    public func open(
        _ cipher: UnsafeRawBufferPointer, _ seal: Seal, _ data: AssociatedData,
        into plain: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard plain.count >= cipher.count else { return false }
        var seal = seal
        var data = data
        return unsafe key.withPointer { key in
            unsafe withUnsafeMutableBytes(of: &seal.tag) { tag in
                unsafe withUnsafeBytes(of: seal.nonce) { nonce in
                    unsafe withUnsafeBytes(of: &data.words) { data in
                        unsafe OpenSSL.decrypt(cipher, data, key: key, nonce: nonce, tag: tag, into: plain)
                            || crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
                                plain.bytePointer, nil, cipher.bytePointer, UInt64(cipher.count), tag.bytePointer,
                                data.bytePointer, UInt64(data.count), nonce.bytePointer, key) == 0
                    }
                }
            }
        }
    }

    /// Seals a few bytes, where speed does not matter.
    public func seal(_ plain: RawSpan, _ data: AssociatedData) -> Sealed {
        seal(plain, data, nonce: NonceSource.next())
    }

    func seal(_ plain: RawSpan, _ data: AssociatedData, nonce: (UInt64, UInt64, UInt64)) -> Sealed {
        var cipher = PlainBuffer(capacity: plain.byteCount)
        cipher.resize(to: plain.byteCount)
        let seal = unsafe plain.withUnsafeBytes { source in
            unsafe cipher.withUnsafeMutableBytes { unsafe self.seal(source, data, nonce: nonce, into: $0) }
        }
        return Sealed(seal: seal, cipher: cipher)
    }
}

extension SealingKey {
    /// Opens a few bytes; nil where they were sealed with another key or for another place.
    func open(_ cipher: [UInt8], _ seal: Seal, _ data: AssociatedData) -> PlainBuffer? {
        var plain = PlainBuffer()
        plain.resize(to: cipher.count)
        let isOpen = unsafe cipher.withUnsafeBytes { source in
            unsafe plain.withUnsafeMutableBytes { unsafe open(source, seal, data, into: $0) }
        }
        guard isOpen else { return nil }
        return plain
    }
}

/// A sealed piece.
public struct Sealed: ~Copyable {
    public let seal: Seal
    public let cipher: PlainBuffer
}

extension UnsafeRawBufferPointer {
    /// As libsodium takes bytes: of an empty buffer some address that is not null.
    var bytePointer: UnsafePointer<UInt8> {
        unsafe (baseAddress ?? UnsafeRawPointer(EmptyBytes.address)).assumingMemoryBound(to: UInt8.self)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// As libsodium takes bytes: of an empty buffer some address that is not null.
    var bytePointer: UnsafeMutablePointer<UInt8> {
        unsafe (baseAddress ?? EmptyBytes.address).assumingMemoryBound(to: UInt8.self)
    }
}

/// An address for empty buffers, which is never read or written.
private enum EmptyBytes {
    // Threads may share it: it is set once, and what is there is never touched.
    nonisolated(unsafe) static let address = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
}

/// Random numbers for identifiers and slots, from the same supply as nonces.
public struct RandomSource: RandomNumberGenerator, Sendable {
    public init() {}

    public func next() -> UInt64 { NonceSource.word() }
}

/// Random nonces, fetched 3 KiB at a time: libsodium 1.0.18 makes a system call for each request, which
/// costs as much as sealing a record. A forked process would repeat them; this program never forks without
/// exec.
enum NonceSource {
    private struct Pool {
        var words = [UInt64](repeating: 0, count: 384)
        var next = 384

        mutating func reserve(_ count: Int) {
            guard next + count > words.count else { return }
            unsafe words.withUnsafeMutableBytes { unsafe Sodium.fillRandom($0) }
            next = 0
        }
    }

    private static let pool = Mutex(Pool())

    static func word() -> UInt64 {
        pool.withLock { pool in
            pool.reserve(1)
            defer { pool.next += 1 }
            return pool.words[pool.next]
        }
    }

    static func next() -> (UInt64, UInt64, UInt64) {
        pool.withLock { pool in
            pool.reserve(3)
            defer { pool.next += 3 }
            return (pool.words[pool.next], pool.words[pool.next + 1], pool.words[pool.next + 2])
        }
    }
}
