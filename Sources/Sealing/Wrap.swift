internal import CSodium
internal import Foundation

/// Why a wrap did not open.
public enum WrapError: Error, Equatable {
    /// One error for every cause that depends on password or bytes: which half failed helps only a guesser.
    case wrongPassword
    case parametersOutOfBounds(KDFParameters)
    /// Made by a later version of the format.
    case unsupportedVersion(UInt8)
    /// Argon2id could not get its memory.
    case outOfMemory
}

/// Wraps a 32-byte key under a password, committing to the key: bytes that would open under two passwords
/// can be made for XChaCha20-Poly1305 alone (Len, Grubbs and Ristenpart 2021, "Partitioning Oracle
/// Attacks"), so a second key authenticates everything, checked first and in constant time.
///
/// Layout, 164 bytes: header (60), nonce (24), ciphertext with tag (48), commitment (32).
/// Header: "CFRW", format u8, purpose u8, zero u16, passes u32, memory in MiB u32, epoch u32, vault 16,
/// salt 16, zero u64; all little-endian.
public enum Wrap {
    /// In bytes.
    public static let size = headerSize + 24 + 48 + 32
    static let headerSize = 60
    private static let magic = Array("CFRW".utf8)
    private static let format: UInt8 = 1

    /// What the wrapped key is for; part of the header, so that none is taken for another.
    public enum Purpose: UInt8, Sendable {
        case unlock = 1
        case kit = 2
        case admin = 3
    }

    /// Wraps `payload`, 32 bytes. `context` is bound into the keys: what else a kit says, or a sub-key.
    static func seal(
        _ payload: borrowing SecretBytes, password: borrowing MasterPassword, parameters: KDFParameters,
        purpose: Purpose, vault: (UInt64, UInt64), epoch: UInt32, context: [UInt8]
    ) throws(WrapError) -> [UInt8] {
        var header = magic + [format, purpose.rawValue, 0, 0]
        for word in [parameters.passes, parameters.memoryMiB, epoch] { header += littleEndian(word) }
        header += littleEndian(vault.0) + littleEndian(vault.1)
        header += littleEndian(UInt64.random(in: .min ... .max)) + littleEndian(UInt64.random(in: .min ... .max))
        header += [UInt8](repeating: 0, count: 8)
        let keys = try WrapKeys(password, header: header, parameters: parameters, context: context)
        var nonce = [UInt8](repeating: 0, count: 24)
        unsafe nonce.withUnsafeMutableBytes { unsafe Sodium.fillRandom($0) }
        var cipher = [UInt8](repeating: 0, count: 48)
        unsafe keys.encryption.withPointer { key in
            unsafe payload.withPointer { payload in
                _ = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
                    &cipher, nil, payload, 32, header, UInt64(header.count), nil, nonce, key)
            }
        }
        let commitment = Digest.keyed(keys.commitment, header, nonce, cipher)
        return header + nonce + cipher + commitment.withBytes { unsafe $0.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    /// Opens a wrap.
    ///
    /// - Parameters:
    ///   - vault: the vault that it must belong to; nil takes any.
    /// - Throws: the bounds are checked before anything is allocated; everything else that is wrong is
    ///   ``WrapError/wrongPassword``.
    public static func open(
        _ wrap: RawSpan, password: borrowing MasterPassword, purpose: Purpose, vault: (UInt64, UInt64)?,
        context: RawSpan
    ) throws(WrapError) -> SecretBytes {
        let bytes = unsafe wrap.withUnsafeBytes { unsafe [UInt8]($0) }
        let parameters = try parameters(of: wrap)
        do throws(KDFError) {
            try parameters.validate(physicalMemoryMiB: ProcessInfo.processInfo.physicalMemory >> 20)
        } catch {
            throw .parametersOutOfBounds(parameters)
        }
        let header = Array(bytes[..<headerSize])
        let context = unsafe context.withUnsafeBytes { unsafe [UInt8]($0) }
        let keys = try WrapKeys(password, header: header, parameters: parameters, context: context)
        let nonce = Array(bytes[headerSize..<(headerSize + 24)])
        let cipher = Array(bytes[(headerSize + 24)..<(headerSize + 72)])
        let expected = Digest.keyed(keys.commitment, header, nonce, cipher)
        let stored = Array(bytes[(headerSize + 72)...])
        var belongs = unsafe expected.withPointer { unsafe sodium_memcmp($0, stored, 32) } == 0
        belongs = belongs && header[5] == purpose.rawValue
        if let vault { belongs = belongs && Array(header[20..<36]) == littleEndian(vault.0) + littleEndian(vault.1) }
        guard belongs else { throw .wrongPassword }
        var payload = SecretBytes(count: 32)
        let failed = unsafe keys.encryption.withPointer { key in
            unsafe payload.withMutablePointer { payload in
                unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
                    payload, nil, nil, cipher, 48, header, UInt64(header.count), nonce, key)
            }
        }
        guard failed == 0 else { throw .wrongPassword }
        return payload
    }

    /// What deriving the key will cost.
    public static func parameters(of wrap: RawSpan) throws(WrapError) -> KDFParameters {
        guard wrap.byteCount == size, word(wrap, 0) == 0x5752_4643 else { throw .wrongPassword }
        let version = unsafe wrap.unsafeLoad(fromByteOffset: 4, as: UInt8.self)
        guard version == format else { throw .unsupportedVersion(version) }
        return KDFParameters(passes: word(wrap, 8), memoryMiB: word(wrap, 12))
    }

    /// The epoch of the wrapped key.
    public static func epoch(of wrap: RawSpan) throws(WrapError) -> UInt32 {
        guard wrap.byteCount == size else { throw .wrongPassword }
        return word(wrap, 16)
    }

    private static func word(_ bytes: RawSpan, _ offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    static func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe [UInt8]($0) }
    }
}

/// The two keys of a wrap: one encrypts, the other commits.
private struct WrapKeys: ~Copyable {
    let encryption: SecretBytes
    let commitment: SecretBytes

    init(
        _ password: borrowing MasterPassword, header: [UInt8], parameters: KDFParameters, context: [UInt8]
    ) throws(WrapError) {
        Sodium.prepare()
        var derived = SecretBytes(count: 32)
        let salt = Array(header[36..<52])
        let length = UInt64(password.bytes.count)
        // Pinned: crypto_pwhash_ALG_DEFAULT may be another algorithm in another version of libsodium.
        let failed = unsafe password.bytes.withPointer { password in
            unsafe derived.withMutablePointer { derived in
                unsafe password.withMemoryRebound(to: CChar.self, capacity: Int(length)) { password in
                    unsafe crypto_pwhash(
                        derived, 32, password, length, salt, UInt64(parameters.passes),
                        Int(parameters.memoryMiB) << 20, crypto_pwhash_ALG_ARGON2ID13)
                }
            }
        }
        guard failed == 0 else { throw .outOfMemory }
        let bound = Digest.keyed(derived, Array("coffer.wrap.bind".utf8), context)
        encryption = Digest.keyed(bound, Array("coffer.wrap.encr".utf8))
        commitment = Digest.keyed(bound, Array("coffer.wrap.comm".utf8))
    }
}
