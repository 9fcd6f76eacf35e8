internal import Format
internal import Glibc
internal import Sealing
internal import SystemPackage

/// What has been done since the last commit, in a file mapped into memory: it survives a killed process,
/// as the page cache does, at the cost of a copy. SQLite commits a batch of operations at once, and after a
/// crash the journal's rows are put into it again.
///
/// **Layout**, little-endian: 64 bytes of header (magic "CFRJ", format u8, zero u8 ×3, vault 16, base u64: the
/// counter of the root that the entries build on), then entries: length u32 (0 ends the list), zero u32, tag
/// 16 (keyed BLAKE2b over base, the entry's number and its bytes), then rows: kind u8, table u8, zero u16,
/// lengths of seal, body and content u32 ×3 (2^32-1 for NULL), slot i64, and the three.
///
/// An entry's length is written last: a process that is killed while it writes leaves no entry. The tag
/// finds what a power cut has torn. A base that is not the stored root's says that the entries are in the
/// store already, or belong to a state that is lost; either way they are ignored.
///
/// Not `Sendable`: it belongs to the committer.
@safe
final class Journal {
    private let memory: UnsafeMutableRawBufferPointer
    private let key: AuthenticationKey
    private let path: FilePath
    /// Where the next entry begins.
    private var end = Journal.headerSize
    /// Where the next row of the unfinished entry goes.
    private var position = Journal.headerSize
    private var number: UInt64 = 0
    private var base: UInt64 = 0
    /// The unfinished entry is larger than what is left.
    private(set) var isOverflowing = false

    static let size = 2 << 20
    private static let headerSize = 64
    private static let entryHeader = 24
    private static let rowHeader = 24

    enum Kind: UInt8 {
        case put = 1
        /// Seal and body only; the content column stays.
        case update = 2
        case delete = 3
        /// A version takes over the content column of the file in `other`, which stands as 8 bytes of body.
        case copyContent = 4
    }

    /// One row of an entry, valid while the journal is.
    @unsafe
    struct Row {
        var kind: Kind
        /// 0 for the root.
        var table: UInt8
        var slot: Int64
        var seal: UnsafeRawBufferPointer
        var body: UnsafeRawBufferPointer
        var content: UnsafeRawBufferPointer?
    }

    /// The journal beside `vault`, in a file of its own; nil where there is no room for one.
    init?(vault: FilePath, key: AuthenticationKey) {
        path = Journal.path(of: vault)
        self.key = key
        guard
            let file = try? FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec, .noFollow], permissions: .ownerReadWrite)
        else { return nil }
        defer { try? file.close() }
        guard Journal.fill(file) else { return nil }
        let mapped = unsafe mmap(nil, Journal.size, PROT_READ | PROT_WRITE, MAP_SHARED, file.rawValue, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { return nil }
        unsafe memory = UnsafeMutableRawBufferPointer(start: mapped, count: Journal.size)
    }

    deinit {
        unsafe munmap(memory.baseAddress, memory.count)
    }

    /// Not `-journal`: SQLite would take it for a rollback journal of its own.
    static func path(of vault: FilePath) -> FilePath { FilePath(vault.string + "-redo") }

    /// Every block is written: a hole could meet a full disk as SIGBUS later.
    private static func fill(_ file: FileDescriptor) -> Bool {
        let present = (try? file.seek(offset: 0, from: .end)) ?? 0
        guard present < size else { return present == size || ftruncate(file.rawValue, off_t(size)) == 0 }
        let zeroes = [UInt8](repeating: 0, count: 65536)
        var offset = present
        while offset < size {
            let part = zeroes.prefix(min(65536, Int(Int64(size) - offset)))
            guard let count = try? file.writeAll(toAbsoluteOffset: offset, part), count > 0 else { return false }
            offset += Int64(count)
        }
        return true
    }

    /// Removes the file: everything is in the store.
    func remove() {
        _ = unsafe path.withPlatformString { unsafe unlink($0) }
    }

    // MARK: Writing

    /// Empties the journal; what follows builds on the root with this counter.
    func reset(base: UInt64, vault: Identifier) {
        self.base = base
        (end, position, number, isOverflowing) = (Journal.headerSize, Journal.headerSize, 0, false)
        unsafe memory.storeBytes(of: UInt32(0), toByteOffset: end, as: UInt32.self)
        unsafe memory.storeBytes(of: UInt32(0x4A52_4643).littleEndian, toByteOffset: 0, as: UInt32.self)
        unsafe memory.storeBytes(of: UInt32(1), toByteOffset: 4, as: UInt32.self)
        unsafe memory.storeBytes(of: vault.low.littleEndian, toByteOffset: 8, as: UInt64.self)
        unsafe memory.storeBytes(of: vault.high.littleEndian, toByteOffset: 16, as: UInt64.self)
        unsafe memory.storeBytes(of: base.littleEndian, toByteOffset: 24, as: UInt64.self)
    }

    func begin() {
        position = end + Journal.entryHeader
        isOverflowing = false
    }

    func append(_ row: Row) {
        let lengths = unsafe (row.seal.count, row.body.count, row.content?.count ?? 0)
        let needed = Journal.rowHeader + lengths.0 + lengths.1 + lengths.2
        // Room for the next entry's header, which ends the list.
        guard !isOverflowing, unsafe position + needed + Journal.entryHeader <= memory.count else {
            isOverflowing = true
            return
        }
        let head = unsafe UInt32(row.kind.rawValue) | UInt32(row.table) << 8
        let content = unsafe row.content == nil ? UInt32.max : UInt32(lengths.2)
        for (index, word) in [head, UInt32(lengths.0), UInt32(lengths.1), content].enumerated() {
            unsafe memory.storeBytes(of: word.littleEndian, toByteOffset: position + 4 * index, as: UInt32.self)
        }
        unsafe memory.storeBytes(of: row.slot.littleEndian, toByteOffset: position + 16, as: Int64.self)
        position += Journal.rowHeader
        unsafe copy(row.seal)
        unsafe copy(row.body)
        if let content = unsafe row.content { unsafe copy(content) }
    }

    private func copy(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[position..<(position + bytes.count)])
            .copyMemory(from: bytes)
        position += bytes.count
    }

    /// Publishes the entry: from here on it survives a killed process.
    func finish() {
        guard !isOverflowing else { return }
        let length = position - end - Journal.entryHeader
        let tag = tag(at: end, length: length)
        unsafe memory.storeBytes(of: UInt32(0), toByteOffset: position, as: UInt32.self)
        unsafe memory.storeBytes(of: tag.0, toByteOffset: end + 8, as: UInt64.self)
        unsafe memory.storeBytes(of: tag.1, toByteOffset: end + 16, as: UInt64.self)
        unsafe memory.storeBytes(of: UInt32(0), toByteOffset: end + 4, as: UInt32.self)
        // Other processes see stores of this one in order (x86-64), or as the kernel's exit orders them.
        unsafe memory.storeBytes(of: UInt32(length).littleEndian, toByteOffset: end, as: UInt32.self)
        end = position
        number += 1
    }

    var isNearlyFull: Bool { end > Journal.size * 3 / 4 }
    var isEmpty: Bool { number == 0 }

    /// Over base, number and rows: no entry counts for another state, or in another's place.
    private func tag(at entry: Int, length: Int) -> (UInt64, UInt64) {
        let start = entry + Journal.entryHeader
        return unsafe key.tag((base, number), UnsafeRawBufferPointer(rebasing: memory[start..<(start + length)]))
    }

    // MARK: Reading

    /// Hands out the rows of all whole entries that build on the root with this counter, in order.
    ///
    /// - Returns: how many entries there were.
    func replay(base wanted: UInt64, vault: Identifier, _ body: (Row) throws(DatabaseFailure) -> Void)
        throws(DatabaseFailure) -> Int
    {
        guard word32(0) == 0x4A52_4643, word32(4) == 1, word64(8) == vault.low, word64(16) == vault.high,
            word64(24) == wanted
        else { return 0 }
        (base, number, end) = (wanted, 0, Journal.headerSize)
        while unsafe end + Journal.entryHeader <= memory.count {
            let length = Int(word32(end))
            guard length > 0, unsafe length <= memory.count - end - Journal.entryHeader else { break }
            let stored = (word64(end + 8), word64(end + 16))
            let expected = tag(at: end, length: length)
            guard stored == expected else { break }
            unsafe try rows(in: (end + Journal.entryHeader)..<(end + Journal.entryHeader + length), body)
            end += Journal.entryHeader + length
            number += 1
        }
        position = end
        return Int(clamping: number)
    }

    private func rows(in range: Range<Int>, _ body: (Row) throws(DatabaseFailure) -> Void) throws(DatabaseFailure) {
        var offset = range.lowerBound
        while offset + Journal.rowHeader <= range.upperBound {
            let head = word32(offset)
            let content = word32(offset + 12)
            let lengths = [Int(word32(offset + 4)), Int(word32(offset + 8)), content == .max ? 0 : Int(content)]
            let total = lengths.reduce(0, +)
            guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: head)),
                total <= range.upperBound - offset - Journal.rowHeader
            else { throw .corrupt }
            var at = offset + Journal.rowHeader
            func next(_ count: Int) -> UnsafeRawBufferPointer {
                defer { at += count }
                return unsafe UnsafeRawBufferPointer(rebasing: memory[at..<(at + count)])
            }
            let (seal, bytes) = unsafe (next(lengths[0]), next(lengths[1]))
            let column = unsafe content == .max ? nil : next(lengths[2])
            try unsafe body(
                Row(
                    kind: kind, table: UInt8(truncatingIfNeeded: head >> 8),
                    slot: Int64(bitPattern: word64(offset + 16)),
                    seal: seal, body: bytes, content: column))
            offset += Journal.rowHeader + total
        }
    }

    private func word32(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafe memory.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    private func word64(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
