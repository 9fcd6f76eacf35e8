internal import CFuse
internal import Glibc
internal import Synchronization

/// The buffer of one readdir or readdirplus: entries are added until it is full.
///
/// For the one call that it is handed to; afterwards another call may have it. `@unchecked Sendable`, because
/// ``FillerPool`` gives it to one thread at a time.
@safe
public final class DirectoryFiller: @unchecked Sendable {
    /// Entries go with their attributes, and each counts as a reference that the kernel holds (except that
    /// of node 0, which stands for none).
    public private(set) var isPlus = false
    private(set) var buffer: UnsafeMutablePointer<CChar>
    private(set) var used = 0
    private var capacity: Int
    private var size = 0
    /// A name with a NUL behind it.
    private let name: UnsafeMutablePointer<CChar>

    /// The longest name, in bytes (NAME_MAX).
    private static let longestName = 255

    init() {
        capacity = 4096
        unsafe buffer = .allocate(capacity: capacity)
        unsafe name = .allocate(capacity: DirectoryFiller.longestName + 1)
    }

    deinit {
        unsafe buffer.deallocate()
        unsafe name.deallocate()
    }

    /// Makes room for `size` bytes; the kernel asks for at most ``Connection/largest``.
    func begin(size: Int, isPlus: Bool) {
        self.isPlus = isPlus
        self.size = max(0, min(size, Int(Connection.largest)))
        guard self.size > capacity else { return }
        unsafe buffer.deallocate()
        capacity = self.size
        unsafe buffer = .allocate(capacity: capacity)
    }

    /// Names are plaintext: nothing of them stays.
    func end() {
        unsafe explicit_bzero(buffer, used)
        unsafe explicit_bzero(name, DirectoryFiller.longestName)
        used = 0
    }

    /// - Parameters:
    ///   - name: 1 to 255 bytes; a longer one is passed over, the kernel would refuse the whole listing.
    ///   - offset: where a later readdir goes on behind this entry.
    /// - Returns: false where there is no room any more; then it was not added.
    public func add(_ name: RawSpan, _ entry: Entry, offset: UInt64) -> Bool {
        let length = name.byteCount
        guard 1...DirectoryFiller.longestName ~= length else { return true }
        unsafe name.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(start: self.name, count: length).copyMemory(from: bytes)
        }
        unsafe self.name[length] = 0
        let room = size - used
        // More than the room says that nothing was written.
        let needed = isPlus ? addPlus(entry, offset, room) : addPlain(entry, offset, room)
        guard needed <= room else { return false }
        used += needed
        return true
    }

    // libfuse does not look at the request (fuse_add_direntry in fuse_lowlevel.c).

    private func addPlus(_ entry: Entry, _ offset: UInt64, _ room: Int) -> Int {
        var native = entry.native
        return unsafe fuse_add_direntry_plus(
            nil, buffer + used, room, name, &native, off_t(clamping: offset))
    }

    private func addPlain(_ entry: Entry, _ offset: UInt64, _ room: Int) -> Int {
        var native = stat()
        native.st_ino = ino_t(entry.attributes.inode)
        native.st_mode = entry.attributes.mode
        return unsafe fuse_add_direntry(
            nil, buffer + used, room, name, &native, off_t(clamping: offset))
    }
}

/// Fillers that were used and are free: as many as there ever were readdirs at the same time.
final class FillerPool: Sendable {
    private let free = Mutex<[DirectoryFiller]>([])

    func take(size: Int, isPlus: Bool) -> DirectoryFiller {
        let filler = free.withLock { $0.popLast() } ?? DirectoryFiller()
        filler.begin(size: size, isPlus: isPlus)
        return filler
    }

    func giveBack(_ filler: DirectoryFiller) {
        filler.end()
        free.withLock { $0.append(filler) }
    }
}
