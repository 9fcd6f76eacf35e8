internal import CCrypto
internal import CSodium

/// XChaCha20-Poly1305-IETF of long pieces with OpenSSL's ChaCha20-Poly1305: the same bytes as libsodium's, in a third of
/// the time (64 KiB in 19 µs against 51 on a processor with AVX-512, Debian 12's libraries), because libsodium 1.0.18 has
/// ChaCha20 for AVX2 and Poly1305 for SSE2 only.
///
/// XChaCha20 is ChaCha20 under a key that HChaCha20 makes of the key and the first 16 bytes of the nonce
/// (draft-irtf-cfrg-xchacha-03, section 2.3). OpenSSL gets that key, which is of one piece only, and wipes its copy; the
/// key that seals stays where it is.
///
/// False means that OpenSSL could not do it, for whatever reason; libsodium is asked then. A piece that was to be opened
/// where it stands is gone by that, as it is where it was changed.
enum OpenSSL {
    /// From how many bytes on it is the faster one, setting it up included.
    private static let threshold = 4096

    /// Of OpenSSL's default provider, in a library context of its own, which has no other (OSSL_LIB_CTX(3)): what an
    /// administrator has set for TLS is not for secrets. nil where the library lacks it, or makes other bytes of it
    /// than libsodium, as with some values of OPENSSL_ia32cap(3).
    ///
    /// Threads may share it: it never changes, and its references are counted (EVP_CIPHER_fetch(3)).
    nonisolated(unsafe) private static let algorithm: OpaquePointer? = {
        // Else exit(3) frees what other threads may be using (OPENSSL_init_crypto(3)).
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
        defer { ERR_clear_error() }
        guard let library = unsafe OSSL_LIB_CTX_new(),
            let found = unsafe EVP_CIPHER_fetch(library, "ChaCha20-Poly1305", nil)
        else { return nil }
        return unsafe [threshold, 65_536 + 17].allSatisfy { unsafe agreesWithLibsodium(found, count: $0) } ? found : nil
    }()

    /// Seals `plain` into `cipher`, which is as long and elsewhere, and its tag into the 16 bytes of `tag`.
    ///
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - nonce: 24 bytes.
    static func encrypt(
        _ plain: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, key: UnsafePointer<UInt8>,
        nonce: UnsafeRawBufferPointer, into cipher: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard serves(plain.count), let algorithm = unsafe algorithm else { return false }
        return unsafe encrypt(algorithm, plain, data, key: key, nonce: nonce, into: cipher, tag: tag)
    }

    /// Opens `cipher` into `plain`, which is at least as long. Where it does not open, `plain` holds zeroes or what it
    /// held before: OpenSSL decrypts before it knows the tag.
    static func decrypt(
        _ cipher: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, key: UnsafePointer<UInt8>,
        nonce: UnsafeRawBufferPointer, tag: UnsafeMutableRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard serves(cipher.count), let algorithm = unsafe algorithm else { return false }
        return unsafe decrypt(algorithm, cipher, data, key: key, nonce: nonce, tag: tag, into: plain)
    }

    /// It counts in C's int.
    private static func serves(_ count: Int) -> Bool { count >= threshold && count <= 1 << 30 }

    private static func encrypt(
        _ algorithm: OpaquePointer, _ plain: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer,
        key: UnsafePointer<UInt8>, nonce: UnsafeRawBufferPointer, into cipher: UnsafeMutableRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe withContext(algorithm, key: key, nonce: nonce, encrypts: true) { context in
            unsafe update(context, plain, data, into: cipher)
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CInt(tag.count), tag.baseAddress) == 1
        }
    }

    private static func decrypt(
        _ algorithm: OpaquePointer, _ cipher: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer,
        key: UnsafePointer<UInt8>, nonce: UnsafeRawBufferPointer, tag: UnsafeMutableRawBufferPointer,
        into plain: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe withContext(algorithm, key: key, nonce: nonce, encrypts: false) { context in
            guard unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CInt(tag.count), tag.baseAddress) == 1
            else { return false }
            if unsafe update(context, cipher, data, into: plain) { return true }
            unsafe sodium_memzero(plain.baseAddress, cipher.count)
            return false
        }
    }

    private static func withContext(
        _ algorithm: OpaquePointer, key: UnsafePointer<UInt8>, nonce: UnsafeRawBufferPointer, encrypts: Bool,
        _ body: (OpaquePointer) -> Bool
    ) -> Bool {
        // Wipes its copy of the key.
        guard let context = unsafe EVP_CIPHER_CTX_new() else { return false }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        if unsafe prepare(context, algorithm, key: key, nonce: nonce, encrypts: encrypts), unsafe body(context) {
            return true
        }
        // TLS connections of this thread would take what is left there for theirs (SSL_get_error(3)).
        ERR_clear_error()
        return false
    }

    private static func prepare(
        _ context: OpaquePointer, _ algorithm: OpaquePointer, key: UnsafePointer<UInt8>, nonce: UnsafeRawBufferPointer,
        encrypts: Bool
    ) -> Bool {
        // Engines are the process's, and a configured one (openssl.cnf, "engines") takes the cipher's place here, in
        // any library context: it gets no key.
        guard unsafe EVP_CipherInit_ex2(context, algorithm, nil, nil, encrypts ? 1 : 0, nil) == 1,
            unsafe EVP_CIPHER_CTX_get0_cipher(context) == algorithm
        else { return false }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 32 + 12, alignment: 16) { bytes in
            defer { unsafe sodium_memzero(bytes.baseAddress, bytes.count) }
            unsafe crypto_core_hchacha20(bytes.bytePointer, nonce.bytePointer, key, nil)
            // ChaCha20's nonce: four zeroes, and what is left of XChaCha20's.
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[32...])
            unsafe rest.storeBytes(of: 0, as: UInt32.self)
            unsafe UnsafeMutableRawBufferPointer(rebasing: rest[4...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: nonce[16..<24]))
            return unsafe EVP_CipherInit_ex2(context, nil, bytes.bytePointer, rest.bytePointer, encrypts ? 1 : 0, nil)
                == 1
        }
    }

    private static func update(
        _ context: OpaquePointer, _ input: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var written: CInt = 0
        return unsafe EVP_CipherUpdate(context, nil, &written, data.bytePointer, CInt(data.count)) == 1
            && EVP_CipherUpdate(context, output.bytePointer, &written, input.bytePointer, CInt(input.count)) == 1
            && EVP_CipherFinal_ex(context, output.bytePointer + input.count, &written) == 1
    }

    /// Whether both make the same ciphertext and tag of a piece that is no secret, and it opens again.
    private static func agreesWithLibsodium(_ algorithm: OpaquePointer, count: Int) -> Bool {
        let key = [UInt8](1...32)
        let nonce = [UInt8](33...56)
        let data = [UInt8](57..<137)
        let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var ours = [UInt8](repeating: 0, count: count)
        var ourTag = [UInt8](repeating: 0, count: 16)
        var theirs = ours
        var theirTag = ourTag
        var opened = ours
        _ = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
            &theirs, &theirTag, nil, plain, UInt64(count), data, UInt64(data.count), nil, nonce, key)
        return unsafe data.withUnsafeBytes { data in
            unsafe nonce.withUnsafeBytes { nonce in
                unsafe ourTag.withUnsafeMutableBytes { tag in
                    let seals = unsafe plain.withUnsafeBytes { plain in
                        unsafe ours.withUnsafeMutableBytes { cipher in
                            unsafe encrypt(algorithm, plain, data, key: key, nonce: nonce, into: cipher, tag: tag)
                        }
                    }
                    guard seals, ours == theirs, unsafe tag.elementsEqual(theirTag) else { return false }
                    let opens = unsafe ours.withUnsafeBytes { cipher in
                        unsafe opened.withUnsafeMutableBytes { plain in
                            unsafe decrypt(algorithm, cipher, data, key: key, nonce: nonce, tag: tag, into: plain)
                        }
                    }
                    return opens && opened == plain
                }
            }
        }
    }
}
