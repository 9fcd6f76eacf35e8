internal import CSodium

/// libsodium, made ready. Everything in this module calls ``prepare()`` first: sodium_malloc crashes
/// before sodium_init.
public enum Sodium {
    private static let isReady: Bool = sodium_init() >= 0

    /// Makes libsodium ready; cheap after the first time, from any thread.
    public static func prepare() {
        // sodium_init fails where the kernel has no random numbers; nothing may be sealed then.
        precondition(isReady, "libsodium could not be initialised: no source of random numbers")
    }

    /// Bytes from the kernel's random source.
    static func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) {
        prepare()
        guard let base = bytes.baseAddress else { return }
        unsafe randombytes_buf(base, bytes.count)
    }
}
