internal import CLinux
internal import Format
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// Room on the disk that is set aside beside a mounted vault, in a file of its own.
///
/// It has two uses. On a full disk it is given up part by part, so that small edits and all removals go through; where room
/// comes back it grows again. And when the vault has to be locked at once, with contents that could not be saved, these are
/// written into what is left of it, sealed; the next opening saves them.
///
/// Records are only added, behind those that are there: a killed process leaves a whole beginning. They are taken out all
/// together, by a new header, under which no old record opens.
final class Reserve: Sendable {
    /// Who asks for a part of it: each leaves something to those behind it, and the last part to the lock.
    enum Claim: Sendable { case edit, removal }

    let path: FilePath
    private let vault: FilePath
    private let keys: Keys
    private let isReadOnly: Bool
    private let state = Mutex(State())

    private struct State {
        var file: FileDescriptor?
        /// Made anew with each header.
        var identifier = Identifier.none
        /// Of the file, and the most that it had, in bytes.
        var size: Int64 = 0
        var whole: Int64 = 0
        /// Behind the last record.
        var end = Reserve.headerSize
        var count: UInt32 = 0
        /// It is to be as large as the disk allows.
        var isWanted = false
    }

    private static let headerSize: Int64 = 64
    private static let recordHeader = 8 + Seal.size
    private static let magic: UInt32 = 0x5352_4643
    /// It grows and is given up in steps of so many bytes.
    private static let step: Int64 = 64 << 10
    /// An operation whose rows have more bytes than this is no small edit.
    static let largestEdit = 128 << 10

    init(vault: FilePath, keys: Keys, isReadOnly: Bool) {
        path = FilePath(vault.string + "-reserve")
        (self.vault, self.keys, self.isReadOnly) = (vault, keys, isReadOnly)
    }

    // MARK: Room

    /// From now on there is a reserve, as far as the disk has room.
    func keep() {
        state.withLock { $0.isWanted = true }
        grow()
    }

    /// Takes what it may have: a sixteenth of the free space, at most ``Limits/reserve``.
    func grow() {
        guard !isReadOnly else { return }
        state.withLock { state in
            guard state.isWanted, state.size < Limits.reserve else { return }
            var space = statvfs()
            guard unsafe vault.withPlatformString({ unsafe statvfs($0, &space) }) == 0 else { return }
            let free = UInt64(space.f_bavail) &* UInt64(space.f_frsize) &+ UInt64(clamping: state.size)
            let wanted = Int64(min(UInt64(Limits.reserve), free / 16)) / Reserve.step * Reserve.step
            guard wanted > state.size, state.file != nil || create(&state), let file = state.file else { return }
            guard Reserve.allocate(file, from: state.size, to: wanted) else {
                _ = ftruncate(file.rawValue, Int(state.size))
                return
            }
            state.size = wanted
            state.whole = max(state.whole, wanted)
        }
    }

    private func create(_ state: inout State) -> Bool {
        state.file = try? FileDescriptor.open(
            path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
            permissions: .ownerReadWrite)
        if let file = state.file { Ownership.give(file, toOwnerOf: vault) }
        return state.file != nil && begin(&state)
    }

    /// Blocks for these bytes; written where the file system cannot take them otherwise.
    private static func allocate(_ file: FileDescriptor, from start: Int64, to end: Int64) -> Bool {
        if fallocate64(file.rawValue, 0, start, end - start) == 0 { return true }
        guard errno == EOPNOTSUPP || errno == ENOSYS else { return false }
        let zeroes = [UInt8](repeating: 0, count: Int(step))
        var offset = max(start, headerSize)
        while offset < end {
            let part = zeroes.prefix(Int(min(step, end - offset)))
            guard let count = try? file.writeAll(toAbsoluteOffset: offset, part), count > 0 else { return false }
            offset += Int64(count)
        }
        return true
    }

    /// Gives a part back to the disk, for what would not go through without.
    ///
    /// - Returns: false where there is no part for this claim any more.
    func giveUp(for claim: Claim) -> Bool {
        state.withLock { state in
            guard let file = state.file else { return false }
            let rest = claim == .edit ? state.whole / 2 : state.whole / 4
            let size = max(rest, state.end, state.size - 4 * Reserve.step)
            guard size < state.size, ftruncate(file.rawValue, Int(size)) == 0 else { return false }
            state.size = size
            return true
        }
    }

    /// Gives all of it back, with what stands in it.
    func remove() {
        state.withLock { state in
            guard state.file != nil else { return }
            if !isReadOnly { _ = unsafe path.withPlatformString { unsafe unlink($0) } }
            try? state.file?.close()
            state = State()
        }
    }

    /// Closes it as it is.
    func close() {
        state.withLock { state in
            try? state.file?.close()
            state = State()
        }
    }

    /// Whether these bytes of a reserve begin with a record: told without a key.
    static func isFilled(_ bytes: [UInt8]) -> Bool {
        bytes.count > Int(headerSize) + 4 && RowSet.integer(bytes, Int(headerSize)) != UInt32(0)
    }

    /// It has records.
    var isFilled: Bool { state.withLock { $0.count > 0 } }

    /// How many bytes there are for more records.
    var room: Int { state.withLock { $0.file == nil ? 0 : Int(max(0, $0.size - $0.end)) } }

    /// What a record takes whose plaintext has so many bytes.
    static func cost(_ count: Int) -> Int { recordHeader + Padding.padme(count, floor: Limits.recordFloor) }

    // MARK: Records

    /// Takes all records out.
    func clear() {
        state.withLock { state in
            guard state.file != nil else { return }
            _ = begin(&state)
        }
    }

    /// Writes a new header, and behind it that there is no record: in one write, within one sector of the disk.
    ///
    /// magic "CFRS", format u8, zero u8 ×3, vault 16, identifier 16, zeroes.
    private func begin(_ state: inout State) -> Bool {
        guard let file = state.file else { return false }
        state.identifier = .random()
        (state.end, state.count) = (Reserve.headerSize, 0)
        var header = PlainBuffer(capacity: 128)
        header.append(Reserve.magic)
        header.append(UInt32(1))
        for word in [keys.vault.low, keys.vault.high, state.identifier.low, state.identifier.high] {
            header.append(word)
        }
        header.resize(to: Int(Reserve.headerSize) + 8)
        state.size = max(state.size, Int64(header.count))
        return Reserve.write(header, to: file, at: 0)
    }

    /// Adds a record; ``synchronize()`` makes it durable.
    func add(_ plain: consuming PlainBuffer) -> Bool {
        var plain = plain
        plain.resize(to: Padding.padme(plain.count, floor: Limits.recordFloor))
        return state.withLock { state in
            guard let file = state.file, state.size - state.end >= Int64(Reserve.recordHeader + plain.count)
            else { return false }
            let data = keys.reserveData(state.identifier, number: state.count)
            let sealed = plain.withBytes { keys.local.seal($0, data) }
            var record = PlainBuffer(capacity: Reserve.recordHeader + plain.count)
            record.append(UInt32(truncatingIfNeeded: plain.count))
            record.append(UInt32(0))
            SealBytes(sealed.seal).encode(into: &record)
            sealed.cipher.withBytes { record.append($0) }
            guard Reserve.write(record, to: file, at: state.end) else { return false }
            state.end += Int64(record.count)
            state.count += 1
            return true
        }
    }

    private static func write(_ bytes: borrowing PlainBuffer, to file: FileDescriptor, at start: Int64) -> Bool {
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe (try? file.writeAll(toAbsoluteOffset: start, bytes)) == bytes.count
        }
    }

    /// Returns when its records and its name are on the disk.
    func synchronize() {
        guard let file = state.withLock({ $0.file }) else { return }
        _ = fsync(file.rawValue)
        try? Durability.synchronizeNames(beside: path)
    }

    /// What ``open(_:)`` has found.
    enum Found: Sendable { case nothing, records, damaged }

    /// Opens the one that a process has left, and hands out its records in their order; ``again(_:)`` does it once more.
    func open(_ body: (ReserveRecord, RawSpan) -> Void) -> Found {
        let mode: FileDescriptor.AccessMode = isReadOnly ? .readOnly : .readWrite
        guard let file = try? FileDescriptor.open(path, mode, options: [.closeOnExec, .noFollow, .nonBlocking]) else {
            return .nothing
        }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= 2 * Limits.reserve
        else {
            try? file.close()
            return .damaged
        }
        let bytes = Reserve.content(of: file, status.st_size)
        let hasBegun = bytes.prefix(Int(Reserve.headerSize)).contains { $0 != 0 }
        state.withLock { state in
            (state.file, state.size, state.whole) = (file, Int64(bytes.count), Int64(bytes.count))
            // One that was never begun, such as after a loss of power, is as good as new.
            if !hasBegun, !isReadOnly { _ = begin(&state) }
        }
        guard hasBegun else { return .nothing }
        guard let identifier = identifier(in: bytes) else { return .damaged }
        let (end, number, isWhole) = read(bytes, identifier, body)
        state.withLock { state in
            (state.identifier, state.end, state.count) = (identifier, Int64(end), number)
        }
        return !isWhole ? .damaged : number > 0 ? .records : .nothing
    }

    /// Hands the records out once more. They are read before, and may be taken out meanwhile.
    func again(_ body: (ReserveRecord, RawSpan) -> Void) {
        let (file, size) = state.withLock { ($0.file, $0.size) }
        guard let file else { return }
        let bytes = Reserve.content(of: file, Int(size))
        if let identifier = identifier(in: bytes) { _ = read(bytes, identifier, body) }
    }

    private static func content(of file: FileDescriptor, _ size: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe (try? file.read(fromAbsoluteOffset: 0, into: $0)) ?? 0
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    private func identifier(in bytes: [UInt8]) -> Identifier? {
        func word<T: FixedWidthInteger>(_ offset: Int) -> T { RowSet.integer(bytes, offset) }
        guard bytes.count >= Int(Reserve.headerSize) + 8, word(0) == Reserve.magic, word(4) == UInt32(1),
            word(8) == keys.vault.low, word(16) == keys.vault.high
        else { return nil }
        return Identifier(low: word(24), high: word(32))
    }

    /// - Returns: where the last record ends, how many there are, and whether nothing follows that does not open.
    private func read(
        _ bytes: [UInt8], _ identifier: Identifier, _ body: (ReserveRecord, RawSpan) -> Void
    ) -> (end: Int, count: UInt32, isWhole: Bool) {
        var plain = PlainBuffer(capacity: 4096)
        var (start, number) = (Int(Reserve.headerSize), UInt32(0))
        while start + 8 <= bytes.count {
            let length = Int(RowSet.integer(bytes, start) as UInt32)
            if length == 0 { break }
            guard length <= bytes.count - start - Reserve.recordHeader,
                let seal = Seal(stored: Array(bytes[(start + 8)..<(start + Reserve.recordHeader)]))
            else { return (start, number, false) }
            plain.resize(to: length)
            let data = keys.reserveData(identifier, number: number)
            let isOpen = unsafe bytes.withUnsafeBytes { bytes in
                let first = start + Reserve.recordHeader
                let sealed = unsafe UnsafeRawBufferPointer(rebasing: bytes[first..<(first + length)])
                return unsafe plain.withUnsafeMutableBytes { unsafe keys.local.open(sealed, seal, data, into: $0) }
            }
            guard isOpen, let record = try? plain.withBytes({ bytes in try ReserveRecord(decoding: bytes) }) else {
                return (start, number, false)
            }
            plain.withBytes { body(record, $0) }
            start += Reserve.recordHeader + length
            number += 1
        }
        return (start, number, true)
    }

    /// Puts the file aside, which does not open, and forgets it.
    ///
    /// - Returns: where it is now.
    func setAside() -> FilePath {
        let aside = FilePath(path.string + ".old")
        if !isReadOnly {
            _ = unsafe path.withPlatformString { old in unsafe aside.withPlatformString { unsafe rename(old, $0) } }
        }
        let isWanted = state.withLock { $0.isWanted }
        close()
        state.withLock { $0.isWanted = isWanted }
        return isReadOnly ? path : aside
    }
}
