internal import CSodium
internal import Glibc

/// A growable buffer on the ordinary heap that is wiped when it goes, grows or shrinks: contents of
/// entries and records of rows. sodium_malloc would cost three pages and four system calls a buffer, too
/// much for each read.
///
/// `@unchecked Sendable`: the memory is owned by one value and changes only through `mutating` methods.
@safe
public struct PlainBuffer: ~Copyable, @unchecked Sendable {
    private var base: UnsafeMutableRawPointer?
    private var capacity = 0
    /// In bytes.
    public private(set) var count = 0

    public init(capacity: Int = 0) {
        if capacity > 0 { reserve(capacity) }
    }

    deinit {
        if let base = unsafe base {
            unsafe sodium_memzero(base, count)
            unsafe free(base)
        }
    }

    private mutating func reserve(_ wanted: Int) {
        guard wanted > capacity else { return }
        let size = max(wanted, capacity * 2, 64)
        // malloc(3) fails only for sizes that were not bounded first.
        guard let grown = unsafe malloc(size) else { preconditionFailure("out of memory") }
        if let base = unsafe base {
            unsafe memcpy(grown, base, count)
            unsafe sodium_memzero(base, count)
            unsafe free(base)
        }
        unsafe base = grown
        capacity = size
    }

    /// Makes it `newCount` long: new bytes are zero, what is cut off is wiped.
    public mutating func resize(to newCount: Int) {
        if newCount > count {
            reserve(newCount)
            if let base = unsafe base { unsafe memset(base + count, 0, newCount - count) }
        } else if newCount < count, let base = unsafe base {
            unsafe sodium_memzero(base + newCount, count - newCount)
        }
        count = newCount
    }

    /// Makes it `newCount` long, for somebody who overwrites all of it: new bytes are what was in the memory before.
    public mutating func resize(unfilled newCount: Int) {
        guard newCount > count else { return resize(to: newCount) }
        reserve(newCount)
        count = newCount
    }

    public mutating func append(_ bytes: RawSpan) {
        let length = bytes.byteCount
        guard length > 0 else { return }
        reserve(count + length)
        unsafe bytes.withUnsafeBytes { source in
            if let base = unsafe base, let from = source.baseAddress { unsafe memcpy(base + count, from, length) }
        }
        count += length
    }

    /// Appends an integer, least significant byte first.
    public mutating func append<T: FixedWidthInteger>(_ value: T) {
        let width = MemoryLayout<T>.size
        reserve(count + width)
        if let base = unsafe base {
            unsafe (base + count).storeBytes(of: value.littleEndian, as: T.self)
        }
        count += width
    }

    public borrowing func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(start: base, count: count).bytes)
    }

    public borrowing func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
    }

    public mutating func withUnsafeMutableBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe body(UnsafeMutableRawBufferPointer(start: base, count: count))
    }
}
