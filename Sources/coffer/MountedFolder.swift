internal import Glibc
internal import Sealing
internal import SystemPackage

/// A folder of the mounted vault. What is in it is reached through its descriptor (openat(2)) and no link is followed,
/// so that a verb sees on the mount what it sees in the vault's file, and nothing outside of the vault.
struct MountedFolder: ~Copyable {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// - Throws: ENOTDIR also for a symbolic link, as ``Vault/node(at:)``.
    static func at(_ names: some Sequence<[UInt8]>, below top: FilePath) throws(Errno) -> MountedFolder {
        // What is only passed through need not be readable (O_PATH).
        let flags = __O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var folder = MountedFolder(try answer(unsafe Glibc.open(top.string, flags)))
        for name in names {
            let opened = unsafe with(name) { unsafe openat(folder.descriptor, $0, flags) }
            folder = MountedFolder(try answer(opened))
        }
        return folder
    }

    /// A name as the system calls take it.
    private static func with(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
        unsafe (name + [0]).withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return -1 }
            return unsafe body(start.assumingMemoryBound(to: CChar.self))
        }
    }

    /// lstat(2)
    func status(_ name: [UInt8]) throws(Errno) -> stat {
        var status = stat()
        _ = try Self.answer(unsafe Self.with(name) { unsafe fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) })
        return status
    }

    /// Calls `body` with everything that is there.
    func forEach(_ body: (_ name: [UInt8], stat) -> Void) throws(Errno) {
        let listed = try Self.answer(unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        guard let stream = unsafe fdopendir(listed) else {
            let error = Errno(rawValue: errno)
            close(listed)
            throw error
        }
        defer { unsafe _ = closedir(stream) }
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            guard let (name, status) = try unsafe named(&entry.pointee) else { continue }
            body(name, status)
        }
        if errno != 0 { throw Errno(rawValue: errno) }
    }

    /// nil for the folder itself and the one above, and for what was removed since the name was read.
    private func named(_ entry: inout dirent) throws(Errno) -> ([UInt8], stat)? {
        try unsafe withUnsafePointer(to: &entry.d_name) { (pointer) throws(Errno) in
            let bytes = unsafe UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self)
            let name = unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: strlen(bytes)))
            guard name != Array(".".utf8), name != Array("..".utf8) else { return nil }
            var status = stat()
            do throws(Errno) {
                _ = try Self.answer(unsafe fstatat(descriptor, bytes, &status, AT_SYMLINK_NOFOLLOW))
            } catch .noSuchFileOrDirectory {
                return nil
            }
            return (name, status)
        }
    }

    /// The bytes of a file, in memory that is wiped.
    func content(_ name: [UInt8]) throws -> PlainBuffer {
        // Without waiting, should it have become a FIFO since it was looked at.
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
        let opened = unsafe Self.with(name) { unsafe openat(descriptor, $0, flags) }
        let file = FileDescriptor(rawValue: try Self.answer(opened))
        defer { try? file.close() }
        var content = PlainBuffer(capacity: 4096)
        var isDone = false
        while !isDone {
            let start = content.count
            content.resize(to: start + 65536)
            let read = try unsafe content.withUnsafeMutableBytes { bytes in
                try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
            }
            content.resize(to: start + read)
            isDone = read == 0
        }
        return content
    }

    private static func answer(_ answer: Int32) throws(Errno) -> Int32 {
        guard answer >= 0 else { throw Errno(rawValue: errno) }
        return answer
    }
}
