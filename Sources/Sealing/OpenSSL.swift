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
/// False means that OpenSSL could not do it, for whatever reason: libsodium has the last word.
enum OpenSSL {
    /// From how many bytes on it is the faster one, setting it up included.
    private static let threshold = 4096

    /// In a library context of its own, which reads no configuration (OSSL_LIB_CTX(3)): what an administrator set for
    /// TLS, or an environment says, is not for secrets. nil where the library lacks it.
    ///
    /// Threads may share it: it never changes, and its references are counted (EVP_CIPHER_fetch(3)).
    nonisolated(unsafe) private static let algorithm: OpaquePointer? = {
        // Else exit(3) frees what other threads may be using (OPENSSL_init_crypto(3)).
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
        guard let library = unsafe OSSL_LIB_CTX_new() else { return nil }
        return unsafe EVP_CIPHER_fetch(library, "ChaCha20-Poly1305", nil)
    }()

    /// Seals `plain` into `cipher`, which is as long, and its tag into the 16 bytes of `tag`.
    ///
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - nonce: 24 bytes.
    static func encrypt(
        _ plain: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, key: UnsafePointer<UInt8>,
        nonce: UnsafeRawBufferPointer, into cipher: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe withContext(of: plain.count, key: key, nonce: nonce, encrypts: true) { context in
            unsafe update(context, plain, data, into: cipher)
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CInt(tag.count), tag.baseAddress) == 1
        }
    }

    /// Opens `cipher` into `plain`, which is at least as long. Where it does not open, `plain` holds zeroes: OpenSSL
    /// decrypts before it knows the tag.
    static func decrypt(
        _ cipher: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, key: UnsafePointer<UInt8>,
        nonce: UnsafeRawBufferPointer, tag: UnsafeMutableRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe withContext(of: cipher.count, key: key, nonce: nonce, encrypts: false) { context in
            guard unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CInt(tag.count), tag.baseAddress) == 1
            else {
                return false
            }
            if unsafe update(context, cipher, data, into: plain) { return true }
            unsafe sodium_memzero(plain.baseAddress, cipher.count)
            return false
        }
    }

    private static func withContext(
        of count: Int, key: UnsafePointer<UInt8>, nonce: UnsafeRawBufferPointer, encrypts: Bool,
        _ body: (OpaquePointer) -> Bool
    ) -> Bool {
        // It counts in C's int.
        guard count >= threshold, count <= 1 << 30, let algorithm = unsafe algorithm,
            let context = unsafe EVP_CIPHER_CTX_new()
        else { return false }
        // Wipes its copy of the key.
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        let isReady = unsafe withUnsafeTemporaryAllocation(byteCount: 32 + 12, alignment: 16) { bytes in
            defer { unsafe sodium_memzero(bytes.baseAddress, bytes.count) }
            unsafe crypto_core_hchacha20(bytes.bytePointer, nonce.bytePointer, key, nil)
            // ChaCha20's nonce: four zeroes, and what is left of XChaCha20's.
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[32...])
            unsafe rest.storeBytes(of: 0, as: UInt32.self)
            unsafe UnsafeMutableRawBufferPointer(rebasing: rest[4...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: nonce[16..<24]))
            return unsafe EVP_CipherInit_ex2(
                context, algorithm, bytes.bytePointer, rest.bytePointer, encrypts ? 1 : 0, nil) == 1
        }
        if isReady, unsafe body(context) { return true }
        // TLS connections of this thread would take what is left there for theirs (SSL_get_error(3)).
        ERR_clear_error()
        return false
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
}
