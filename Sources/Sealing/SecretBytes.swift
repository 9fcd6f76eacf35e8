internal import CSodium
internal import Glibc

/// Bytes of a key or password: guarded, locked into memory where the system allows it, wiped when they go.
///
/// Not copyable, and seen only inside a closure: a secret cannot get into a `String`, an `Array` or a log
/// line by accident.
///
/// `@unchecked Sendable`: the memory is owned by one value and changes only through `mutating` methods.
@safe
public struct SecretBytes: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    /// In bytes.
    public let count: Int

    /// `count` zeroes.
    public init(count: Int) {
        Sodium.prepare()
        // sodium_malloc fails only when the machine is out of memory, where nothing can go on.
        guard let base = unsafe sodium_malloc(max(1, count)) else { preconditionFailure("out of memory") }
        unsafe self.base = base
        self.count = count
        unsafe sodium_memzero(base, max(1, count))
    }

    /// Random bytes.
    public init(random count: Int) {
        self.init(count: count)
        unsafe Sodium.fillRandom(UnsafeMutableRawBufferPointer(start: base, count: count))
    }

    /// A copy; the original is the caller's to wipe.
    public init(copying bytes: RawSpan) {
        self.init(count: bytes.byteCount)
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: base, count: count).copyMemory(from: source)
        }
    }

    deinit {
        // sodium_free wipes.
        unsafe sodium_free(base)
    }

    public borrowing func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(start: base, count: count).bytes)
    }

    public mutating func withMutableBytes<R: ~Copyable, E: Error>(
        _ body: (inout MutableRawSpan) throws(E) -> R
    ) throws(E) -> R {
        var span = unsafe UnsafeMutableRawBufferPointer(start: base, count: count).mutableBytes
        return try body(&span)
    }

    borrowing func withPointer<R: ~Copyable, E: Error>(_ body: (UnsafePointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafePointer(base.assumingMemoryBound(to: UInt8.self)))
    }

    mutating func withMutablePointer<R>(_ body: (UnsafeMutablePointer<UInt8>) -> R) -> R {
        unsafe body(base.assumingMemoryBound(to: UInt8.self))
    }

    /// Whether both hold the same bytes, in constant time for one length.
    public borrowing func isEqual(to other: borrowing SecretBytes) -> Bool {
        guard count == other.count else { return false }
        return unsafe sodium_memcmp(base, other.base, count) == 0
    }

    /// Whether the system locks pages for us. Where RLIMIT_MEMLOCK is 0, sodium_malloc succeeds with pages
    /// that can be swapped out (measured), so it has to be asked.
    public static var isLockedInMemory: Bool {
        let page = 4096
        guard let probe = unsafe aligned_alloc(page, page) else { return false }
        defer { unsafe free(probe) }
        guard unsafe mlock(probe, page) == 0 else { return false }
        unsafe munlock(probe, page)
        return true
    }
}
