internal import CLinux
internal import Format
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Whole chunks of large contents: each has a *cell* of 64 KiB in a file beside the database, and in the database its
/// row with seal and cell.
///
/// In the database itself a chunk is 16 pages, each of which is written to the log and then to the file, with two
/// calls and a checksum each: a file of 256 MiB was written at 125 MiB/s and read at 430 MiB/s that way (measured).
///
/// A cell is written and synced before the row that names it is committed, and is written again only after the row's
/// deletion is on the disk: no crash finds a row whose cell holds something else. What is in a cell is bound to the
/// row's slot by its seal.
final class ChunkFile: Sendable {
    let path: FilePath
    private let vault: FilePath
    private let isReadOnly: Bool
    private let opened: Mutex<Opened?>
    private let cells: Mutex<Cells>

    private final class Opened: Sendable {
        let file: FileDescriptor
        let durability: Durability

        init(_ file: FileDescriptor, at path: FilePath) {
            self.file = file
            durability = Durability(file, at: path)
        }
    }

    private struct Cells {
        /// Below `end` and in no row.
        var free: [Int64] = []
        var end: Int64 = 0
        /// Cells that are to become free once a backup has been taken; nil while none is.
        var held: [Int64]?
    }

    /// More cells than a vault can have: 64 PiB.
    static let limit: Int64 = 1 << 40
    /// So many cells, 1 MiB, are given to the disk or given back by one call.
    private static let together: Int64 = 16

    /// - Parameter used: the cells that rows name.
    init(vault: FilePath, used: [Int64], isReadOnly: Bool) throws(DatabaseFailure) {
        path = FilePath(vault.string + "-chunks")
        (self.vault, self.isReadOnly) = (vault, isReadOnly)
        let mode: FileDescriptor.AccessMode = isReadOnly ? .readOnly : .readWrite
        do {
            let file = try FileDescriptor.open(path, mode, options: [.closeOnExec, .noFollow])
            opened = Mutex(Opened(file, at: path))
        } catch {
            // What this process cannot do now is no damage of the file.
            if let shortage = DatabaseFailure(shortage: error as? Errno) { throw shortage }
            opened = Mutex(nil)
        }
        var found = Cells()
        for cell in used.sorted() where cell >= found.end && cell < ChunkFile.limit {
            // What a killed process has left takes no room: it is written over first.
            if cell > found.end, cell - found.end <= 1 << 24 { found.free.append(contentsOf: found.end..<cell) }
            found.end = cell + 1
        }
        cells = Mutex(found)
    }

    /// Cells that rows name, or that something was left in, but the file does not have.
    var isCutShort: Bool {
        let end = cells.withLock { $0.end }
        guard end > 0 else { return false }
        guard let file = opened.withLock({ $0?.file }), let size = try? file.seek(offset: 0, from: .end) else {
            return true
        }
        return size / Int64(Limits.chunkSize) < end
    }

    /// The file under its name; nil before there is one.
    var named: NamedFile? { opened.withLock { $0?.durability.named } }

    /// In bytes, as far as it is in use.
    var size: UInt64 {
        cells.withLock { UInt64(clamping: ($0.end - Int64($0.free.count)) * Int64(Limits.chunkSize)) }
    }

    /// Writes a whole sealed chunk into a cell that is free.
    ///
    /// - Throws: ENOSPC, EIO.
    func add(_ sealed: UnsafeRawBufferPointer) throws(Errno) -> Int64 {
        guard sealed.count == Limits.chunkSize else { throw .invalidArgument }
        let file = try writable().file
        let cell = cells.withLock { cells in
            if let free = cells.free.popLast() { return free }
            cells.end += 1
            return cells.end - 1
        }
        var done = 0
        while done < sealed.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: sealed[done...])
            let offset = cell * Int64(Limits.chunkSize) + Int64(done)
            do { done += try unsafe file.write(toAbsoluteOffset: offset, rest) } catch {
                cells.withLock { $0.free.append(cell) }
                throw (error as? Errno) ?? .ioError
            }
        }
        // Let the disk begin while the next ones are sealed (SYNC_FILE_RANGE_WRITE, sync_file_range(2)): for each cell
        // by itself, a 256 MiB file was written at half the speed (measured).
        if (cell + 1) % ChunkFile.together == 0 {
            let start = (cell + 1 - ChunkFile.together) * Int64(Limits.chunkSize)
            _ = sync_file_range(file.rawValue, start, ChunkFile.together * Int64(Limits.chunkSize), 2)
        }
        return cell
    }

    /// Returns when all cells that were added are on the disk.
    func synchronize() throws(Errno) {
        guard let opened = opened.withLock({ $0 }) else { return }
        opened.durability.noteCommit()
        try opened.durability.makeDurable()
    }

    /// Reads a cell.
    ///
    /// - Throws: EIO where the file does not have it.
    func read(_ cell: Int64, into target: UnsafeMutableRawBufferPointer) throws(Errno) {
        guard cell >= 0, cell < ChunkFile.limit, target.count == Limits.chunkSize,
            let file = opened.withLock({ $0?.file })
        else { throw .ioError }
        var done = 0
        while done < target.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let offset = cell * Int64(Limits.chunkSize) + Int64(done)
            let count = unsafe (try? file.read(fromAbsoluteOffset: offset, into: rest)) ?? 0
            guard count > 0 else { throw .ioError }
            done += count
        }
    }

    /// What a cell holds; nil where the file does not have it.
    func bytes(of cell: Int64) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: Limits.chunkSize)
        do throws(Errno) {
            try unsafe bytes.withMutableRawBytes { (target) throws(Errno) in try unsafe read(cell, into: target) }
        } catch {
            return nil
        }
        return bytes
    }

    /// Cells that no row names any more, durably, or none has named yet. Their blocks go back to the file system, and
    /// with them what stood there.
    func release(_ released: [Int64]) {
        let isHeld = cells.withLock { cells in
            cells.held?.append(contentsOf: released)
            return cells.held != nil
        }
        guard !isHeld, !released.isEmpty, let file = opened.withLock({ $0?.file }) else { return }
        for range in Self.ranges(released) {
            let punchHole: Int32 = 0x02 | 0x01
            _ = fallocate64(
                file.rawValue, punchHole, range.lowerBound * Int64(Limits.chunkSize),
                Int64(range.count) * Int64(Limits.chunkSize))
        }
        cells.withLock { $0.free.append(contentsOf: released) }
    }

    /// Cuts free cells off the end of the file.
    func cutEnd() {
        guard !isReadOnly, let file = opened.withLock({ $0?.file }) else { return }
        cells.withLock { cells in
            guard cells.held == nil else { return }
            let free = Set(cells.free)
            while cells.end > 0, free.contains(cells.end - 1) { cells.end -= 1 }
            cells.free.removeAll { $0 >= cells.end }
            _ = ftruncate(file.rawValue, Int(cells.end) * Limits.chunkSize)
        }
    }

    /// From now on no cell that a row has named changes, until ``letGo()``.
    func hold() { cells.withLock { $0.held = $0.held ?? [] } }

    func letGo() {
        let held = cells.withLock { cells in
            defer { cells.held = nil }
            return cells.held ?? []
        }
        release(held)
    }

    /// Neighbours, up to ``together``: the file system may have to write what is in the page cache before it lets go of
    /// it (ext4_punch_hole in Linux's fs/ext4/inode.c), and keeps others from writing to the file meanwhile.
    private static func ranges(_ cells: [Int64]) -> [Range<Int64>] {
        var ranges: [Range<Int64>] = []
        for cell in cells.sorted() {
            if let last = ranges.last, last.upperBound == cell, last.count < ChunkFile.together {
                ranges[ranges.count - 1] = last.lowerBound..<cell + 1
            } else {
                ranges.append(cell..<cell + 1)
            }
        }
        return ranges
    }

    private func make() throws -> FileDescriptor {
        do {
            let file = try FileDescriptor.open(
                path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
                permissions: .ownerReadWrite)
            Ownership.give(file, toOwnerOf: vault)
            return file
        } catch Errno.fileExists {
            return try FileDescriptor.open(path, .readWrite, options: [.closeOnExec, .noFollow])
        }
    }

    private func writable() throws(Errno) -> Opened {
        guard !isReadOnly else { throw .readOnlyFileSystem }
        do {
            return try opened.withLock { opened in
                if let opened { return opened }
                let file = Opened(try make(), at: path)
                try Durability.synchronizeNames(beside: path)
                opened = file
                return file
            }
        } catch {
            throw (error as? Errno) ?? .ioError
        }
    }
}
