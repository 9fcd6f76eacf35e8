internal import Glibc
internal import Sync
internal import SystemPackage

/// An open folder of a directory remote. Everything in it is reached through its descriptor (openat(2)) and no link is
/// ever followed: whoever can write to the remote cannot lead us out of it.
struct Folder: ~Copyable {
    let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// The folder that the user named, which may well be a link.
    static func top(_ path: String) throws(Errno) -> Folder {
        Folder(try answer { unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    }

    /// A folder in this one.
    ///
    /// - Returns: nil where there is none, or something else has the name.
    func folder(_ name: String) throws(Errno) -> Folder? {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        do {
            return Folder(try answer { unsafe openat(descriptor, name, flags) })
        } catch .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels {
            return nil
        }
    }

    /// Makes a folder in this one, unless it is there.
    func makeFolder(_ name: String) throws(Errno) {
        do { _ = try answer { unsafe mkdirat(descriptor, name, 0o777) } } catch .fileExists {}
    }

    /// Returns once the names in this folder last. Some file systems cannot sync a folder, and say EINVAL.
    func synchronize() throws(Errno) {
        do { _ = try answer { fsync(descriptor) } } catch .invalidArgument {}
    }

    /// What has a name; nil where nothing has.
    func status(_ name: String) throws(Errno) -> stat? {
        var status = stat()
        do {
            _ = try answer { unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) }
        } catch .noSuchFileOrDirectory {
            return nil
        }
        return status
    }

    /// Calls `body` with every name but `.` and `..` that is text, until it returns false.
    func forEachName(_ body: (String) throws(Errno) -> Bool) throws(Errno) {
        let copy = try answer { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }
        guard let stream = unsafe fdopendir(copy) else {
            close(copy)
            throw Errno(rawValue: errno)
        }
        defer { unsafe _ = closedir(stream) }
        unsafe rewinddir(stream)
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(validatingCString: $0) }
            }
            guard let name, name != ".", name != ".." else { continue }
            guard try body(name) else { return }
        }
        if errno != 0 { throw Errno(rawValue: errno) }
    }
}

/// The answer of a call that is tried again when a signal interrupts it.
func answer(_ call: () -> Int32) throws(Errno) -> Int32 {
    while true {
        let answer = call()
        if answer >= 0 { return answer }
        guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
}

extension stat {
    var isFile: Bool { st_mode & S_IFMT == S_IFREG }

    var isFolder: Bool { st_mode & S_IFMT == S_IFDIR }

    /// Whether this is a file of just so many bytes.
    func isFile(of size: Int) -> Bool { isFile && UInt64(clamping: st_size) == UInt64(size) }
}
