internal import CFuse
internal import Glibc

/// The buffer of one readdir or readdirplus: entries are added until it is full.
@safe
public final class DirectoryFiller {
    private let request: fuse_req_t
    let buffer: UnsafeMutablePointer<CChar>
    private let size: Int
    private(set) var used = 0
    /// Entries go with their attributes, and count as references that the kernel holds.
    public let isPlus: Bool
    private var name = [CChar](repeating: 0, count: 256)

    init(request: fuse_req_t, size: Int, isPlus: Bool) {
        unsafe self.request = request
        // The kernel asks for at most what it was told at the start (1 MiB).
        self.size = max(0, min(size, 1 << 21))
        self.isPlus = isPlus
        unsafe buffer = .allocate(capacity: max(1, self.size))
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// - Parameters:
    ///   - name: 1 to 255 bytes.
    ///   - offset: where a later readdir goes on behind this entry.
    /// - Returns: false where there is no room any more; then it was not added.
    public func add(_ name: RawSpan, _ entry: Entry, offset: UInt64) -> Bool {
        guard name.byteCount < self.name.count else { return true }
        for index in 0..<name.byteCount {
            self.name[index] = CChar(bitPattern: unsafe name.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
        self.name[name.byteCount] = 0
        let room = size - used
        let needed: Int
        if isPlus {
            var native = entry.native
            needed = unsafe fuse_add_direntry_plus(request, buffer + used, room, self.name, &native, off_t(offset))
        } else {
            var native = stat()
            native.st_ino = ino_t(entry.attributes.inode)
            native.st_mode = entry.attributes.mode
            needed = unsafe fuse_add_direntry(request, buffer + used, room, self.name, &native, off_t(offset))
        }
        guard needed <= room else { return false }
        used += needed
        return true
    }
}
