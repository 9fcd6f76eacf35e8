internal import Format
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// The operations that SQLite does not have yet, in a file and in memory: a redo log (Mohan et al., "ARIES", 1992,
/// without its undo, since an operation is written when it is complete).
///
/// An operation costs one write(2) here, and fsync(2) one fdatasync(2) of a file whose blocks are there already:
/// half of what a commit of SQLite's costs, which touches a page for every row (measured: 121 µs against 230 µs).
/// Two regions take turns: while one is filled, the ``Applier`` moves the other one's rows into the store, where a
/// row that was changed many times is written once. Until then everybody finds these rows here.
///
/// Whoever appends holds the committer; whoever looks a row up holds nothing.
final class Journal: Sendable {
    private let file: FileDescriptor?
    private let path: FilePath
    /// The file under its name.
    var named: NamedFile? { durability.named }
    private let vault: Identifier
    private let session: Identifier
    private let key: AuthenticationKey
    private let regions = Mutex(Regions())
    /// Rows are in it: whoever reads asks this first.
    private let rows = Atomic<Int>(0)
    private let durability: Durability

    private struct Regions {
        var open = Region(place: 0)
        /// Complete, on its way into the store.
        var full: Region?
        /// Its rows are there.
        var isFullStored = false
        /// Memory of a region that was stored, for the next one.
        var spare = RowSet(capacity: Journal.regionSize)
    }

    private struct Region {
        /// 0 or 1: its half of the file.
        let place: Int
        var rows = RowSet(capacity: Journal.regionSize)
        /// The counter of the root that the first entry builds on.
        var base: UInt64 = 0
        var entries: UInt64 = 0
        /// Where in the region the next entry begins.
        var end = Journal.headerSize
    }

    /// Of one region, in bytes.
    static let regionSize = 2 << 20
    /// Operations with more rows than this go into the store directly: written once less.
    static let largestEntry = 512 << 10
    static let headerSize = 64
    static let entryHeader = 24
    static let magic: UInt32 = 0x4A52_4643

    /// The journal beside `vault`. Without a file where there is no room for one: then it takes nothing.
    ///
    /// - Parameters:
    ///   - isOff: without a file in any case.
    ///   - session: whose operations it takes (``SessionMark``).
    init(vault: FilePath, keys: Keys, isOff: Bool, session: Identifier = .none) {
        path = Journal.path(of: vault)
        (self.vault, key, self.session) = (keys.vault, keys.journal, session)
        let header = Journal.header(keys.vault, session, base: 0)
        file = isOff ? nil : Journal.open(path, beside: vault, header: header)
        durability = Durability(file, at: path)
    }

    /// Not `-journal`: SQLite would take it for a rollback journal of its own.
    static func path(of vault: FilePath) -> FilePath { FilePath(vault.string + "-redo") }

    /// A new file each time. After a loss of power, an old one may hold entries behind a torn one, or a region that
    /// builds on a state that is lost: other operations could make the same counter, and these would follow them.
    /// (What was of use in it is in the store, durably. The new file's name becomes durable together with that of
    /// SQLite's log, before anything is written into either.)
    ///
    /// Every block is written, so that a later fdatasync(2) has no metadata to write.
    private static func open(_ path: FilePath, beside vault: FilePath, header: [UInt8]) -> FileDescriptor? {
        _ = unsafe path.withPlatformString { unsafe unlink($0) }
        guard
            let file = try? FileDescriptor.open(
                path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
                permissions: .ownerReadWrite)
        else { return nil }
        Ownership.give(file, toOwnerOf: vault)
        let zeroes = [UInt8](repeating: 0, count: 65536)
        var offset: Int64 = 0
        while offset < 2 * regionSize {
            let part = zeroes.prefix(min(65536, Int(2 * Int64(regionSize) - offset)))
            guard let count = try? file.writeAll(toAbsoluteOffset: offset, part), count > 0 else {
                try? file.close()
                _ = unsafe path.withPlatformString { unsafe unlink($0) }
                return nil
            }
            offset += Int64(count)
        }
        // Without it, it counts as any session's, which it has no operations of.
        _ = try? file.writeAll(toAbsoluteOffset: 0, header)
        return file
    }

    /// Whether there is a file for it.
    var isThere: Bool { file != nil }

    /// Removes the file: everything is in the store.
    func remove() {
        if file != nil { _ = unsafe path.withPlatformString { unsafe unlink($0) } }
    }

    // MARK: Writing

    /// Whether an operation with that many bytes of rows has room, perhaps after ``rotate()``.
    func takes(_ count: Int) -> Bool { file != nil && count <= Journal.largestEntry }

    /// Whether it has room without that.
    func hasRoom(for count: Int) -> Bool {
        regions.withLock { $0.open.end + Journal.entryHeader + count <= Journal.regionSize }
    }

    var isHalfFull: Bool { regions.withLock { $0.open.end > Journal.regionSize / 2 } }
    /// Nothing was added since the last ``rotate()``.
    var isOpenEmpty: Bool { regions.withLock { $0.open.entries == 0 } }
    var isEmpty: Bool { regions.withLock { $0.open.entries == 0 && $0.full == nil } }

    /// Adds an operation: when this returns, it survives a killed process.
    ///
    /// - Parameter base: the counter of the root before the operation.
    func append(_ staged: borrowing RowSet, base: UInt64) throws(Errno) {
        guard let file else { throw .ioError }
        var (place, end, number, first) = regions.withLock { regions in
            (regions.open.place, regions.open.end, regions.open.entries, regions.open.base)
        }
        let start = Int64(place * Journal.regionSize)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Journal.headerSize + Journal.entryHeader + staged.bytes.count)
        if number == 0 {
            first = base
            bytes += Journal.header(vault, session, base: base)
            end = 0
        }
        let tag = tag(base: first, number: number, staged.bytes)
        for word in [UInt32(truncatingIfNeeded: staged.bytes.count), 0] { bytes.append(littleEndian: word) }
        for word in [tag.0, tag.1] { bytes.append(littleEndian: word) }
        bytes.append(contentsOf: staged.bytes)
        try Journal.write(bytes, to: file, at: start + Int64(end))
        number += 1
        regions.withLock { regions in
            (regions.open.base, regions.open.entries, regions.open.end) = (first, number, end + bytes.count)
            regions.open.rows.append(staged)
            let count = regions.open.rows.states.count + (regions.full?.rows.states.count ?? 0)
            // Within the lock: an earlier count of the applier's must not come behind it, or nobody finds the rows.
            rows.store(count, ordering: .releasing)
        }
        durability.noteCommit()
    }

    private static func write(_ bytes: [UInt8], to file: FileDescriptor, at start: Int64) throws(Errno) {
        try unsafe bytes.withRawBytes { (bytes) throws(Errno) in
            var done = 0
            while done < bytes.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                do { done += try unsafe file.write(toAbsoluteOffset: start + Int64(done), rest) } catch {
                    throw (error as? Errno) ?? .ioError
                }
            }
        }
    }

    /// magic "CFRJ", format u8, zero u8 ×3, vault 16, base u64, session 16, zeroes to 64 bytes.
    private static func header(_ vault: Identifier, _ session: Identifier, base: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Journal.magic)
        bytes.append(littleEndian: UInt32(1))
        for word in [vault.low, vault.high, base, session.low, session.high, 0, 0] { bytes.append(littleEndian: word) }
        return bytes
    }

    /// Over base, number and rows: no entry counts for another state, or in another's place.
    private func tag(base: UInt64, number: UInt64, _ rows: [UInt8]) -> (UInt64, UInt64) {
        unsafe rows.withUnsafeBytes { unsafe key.tag((base, number), $0) }
    }

    /// Returns when everything in it is on the disk.
    func synchronize() throws(Errno) { try durability.makeDurable() }

    // MARK: Into the store

    /// Hands the filled region over, where the other one is free.
    @discardableResult
    func rotate() -> Bool {
        regions.withLock { regions in
            guard regions.full == nil, regions.open.entries > 0 else { return false }
            regions.full = regions.open
            regions.open = Region(place: 1 - regions.open.place, rows: regions.spare)
            regions.spare = RowSet()
            return true
        }
    }

    /// The rows that are to go into the store, and whether they are there, if not yet durably.
    var full: (rows: RowSet, isStored: Bool)? {
        regions.withLock { regions in regions.full.map { ($0.rows, regions.isFullStored) } }
    }

    /// They are in the store, and need not be on the disk yet.
    func noteFullStored() { regions.withLock { $0.isFullStored = true } }

    /// They are there, durably. Their memory is used again: growing into new pages took a twelfth of a creation
    /// (measured).
    func releaseFull() {
        regions.withLock { regions in
            var spare = regions.full?.rows ?? RowSet()
            (regions.full, regions.isFullStored) = (nil, false)
            spare.removeAll()
            regions.spare = spare
            rows.store(regions.open.rows.states.count, ordering: .releasing)
        }
    }

    // MARK: Reading

    /// A row that is not in the store yet, as the latest operation left it.
    func row(_ key: RowKey) -> FoundRow? {
        guard rows.load(ordering: .acquiring) > 0 else { return nil }
        return regions.withLock { FoundRow.latest($0.open.rows.row(key), over: $0.full?.rows.row(key)) }
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian integer: some FixedWidthInteger) {
        var integer = integer.littleEndian
        unsafe Swift.withUnsafeBytes(of: &integer) { unsafe append(contentsOf: $0) }
    }
}
