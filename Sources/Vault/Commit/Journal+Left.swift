internal import Format
internal import Glibc
internal import Sealing
internal import SystemPackage

/// What a process that was killed has left.
extension Journal {
    /// Whether it has left one.
    static func isLeft(beside path: FilePath) -> Bool {
        unsafe Journal.path(of: path).withPlatformString { unsafe access($0, F_OK) } == 0
    }

    /// No link is followed, and no pipe waited for.
    private static let leftOptions: FileDescriptor.OpenOptions = [.noFollow, .nonBlocking, .closeOnExec]

    /// What can be told of one without a key.
    struct Outline {
        /// nil where none is named: nothing was written yet, or by a version that named none.
        var session: Identifier?
        var hasEntries = false
        /// Something else stands in it. (A journal that nothing was written into has zeroes.)
        var isForeign = false
    }

    /// nil where there is no journal.
    static func outline(beside path: FilePath) -> Outline? {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(Journal.path(of: path), .readOnly, options: leftOptions)
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            return Outline(hasEntries: true)
        }
        defer { try? file.close() }
        var (outline, isJournal) = (Outline(), false)
        for place in 0..<2 {
            guard let bytes = region(place, of: file, count: headerSize + 4) else { continue }
            guard bytes.count == headerSize + 4, RowSet.integer(bytes, 0) == magic else {
                if bytes.contains(where: { $0 != 0 }) { outline.isForeign = true }
                continue
            }
            isJournal = true
            let session = Identifier(bytes: Array(bytes[32..<48])) ?? .none
            if session != .none, outline.session == nil { outline.session = session }
            if RowSet.integer(bytes, headerSize) != UInt32(0) { outline.hasEntries = true }
        }
        if isJournal { outline.isForeign = false }
        return outline
    }

    /// The first bytes of both regions.
    static func heads(_ path: FilePath) -> [[UInt8]] {
        (0..<2).map { Companions.head(of: path, at: Int64($0 * regionSize)) }
    }

    /// The beginning of a region, as far as the file has it; nil where reading fails.
    private static func region(_ place: Int, of file: FileDescriptor, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe try? file.read(fromAbsoluteOffset: Int64(place * regionSize), into: buffer)
        }
        guard let read else { return nil }
        bytes.removeLast(bytes.count - read)
        return bytes
    }

    /// Operations that belong to another vault, or build on a later state than the one with this counter: that state is
    /// lost, and no opening may write over what was acknowledged in it.
    static func holdsOthers(beside path: FilePath, keys: Keys, counter: UInt64) -> Bool {
        guard
            let file = try? FileDescriptor.open(
                Journal.path(of: path), .readOnly, options: leftOptions)
        else { return false }
        defer { try? file.close() }
        return (0..<2).contains { place in
            guard let bytes = region(place, of: file, count: regionSize), bytes.count > headerSize + entryHeader,
                RowSet.integer(bytes, 0) == magic, RowSet.integer(bytes, headerSize) != UInt32(0)
            else { return false }
            let (low, high): (UInt64, UInt64) = (RowSet.integer(bytes, 8), RowSet.integer(bytes, 16))
            guard (low, high) == (keys.vault.low, keys.vault.high) else { return true }
            let base: UInt64 = RowSet.integer(bytes, 24)
            guard base > counter else { return false }
            return (try? rows(in: bytes, keys: keys, base: base)) ?? nil != nil
        }
    }

    /// What a process that was killed left: the operations that build on the root with this counter.
    static func left(beside path: FilePath, keys: Keys, base: UInt64) throws(DatabaseFailure) -> RowSet? {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(Journal.path(of: path), .readOnly, options: leftOptions)
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            // What it has was acknowledged: no opening may begin a new one over it.
            throw .io
        }
        defer { try? file.close() }
        for place in 0..<2 {
            guard let bytes = region(place, of: file, count: regionSize) else { throw .io }
            if let rows = try rows(in: bytes, keys: keys, base: base) { return rows }
        }
        return nil
    }

    /// The rows of all whole entries of a region, in order, where it builds on that root.
    private static func rows(in bytes: [UInt8], keys: Keys, base: UInt64) throws(DatabaseFailure) -> RowSet? {
        func word<T: FixedWidthInteger>(_ offset: Int) -> T { RowSet.integer(bytes, offset) }
        guard bytes.count > headerSize, word(0) == magic, word(4) == UInt32(1), word(8) == keys.vault.low,
            word(16) == keys.vault.high, word(24) == base
        else { return nil }
        var rows = RowSet()
        var (end, number) = (headerSize, UInt64(0))
        while end + entryHeader <= bytes.count {
            let length = Int(word(end) as UInt32)
            guard length > 0, length <= bytes.count - end - entryHeader else { break }
            let entry = Array(bytes[(end + entryHeader)..<(end + entryHeader + length)])
            let tag = unsafe entry.withUnsafeBytes { unsafe keys.journal.tag((base, number), $0) }
            guard (word(end + 8), word(end + 16)) == tag else { break }
            try rows.append(entry: entry)
            end += entryHeader + length
            number += 1
        }
        return number > 0 ? rows : nil
    }
}
