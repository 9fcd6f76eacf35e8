internal import Glibc
internal import SystemPackage

/// An open file of the vault's, and the name under which it has to stay.
///
/// What is written into a file that was replaced, moved or deleted meanwhile goes with its last descriptor, and the kernel
/// tells nobody. So the name is asked now and then where it leads: no other file gets the inode while this one is open.
struct NamedFile: Sendable {
    let path: FilePath
    private let device: UInt64
    private let inode: UInt64

    /// nil where the name does not lead to the file from the beginning, as on file systems that number anew each time.
    init?(_ path: FilePath, _ file: FileDescriptor) {
        var opened = stat()
        guard unsafe fstat(file.rawValue, &opened) == 0 else { return nil }
        self.path = path
        (device, inode) = (UInt64(opened.st_dev), UInt64(opened.st_ino))
        if !isInPlace { return nil }
    }

    /// Whether the name leads to the file. Where that cannot be told, it does.
    var isInPlace: Bool {
        var named = stat()
        if unsafe path.withPlatformString({ unsafe stat($0, &named) }) == 0 {
            return UInt64(named.st_dev) == device && UInt64(named.st_ino) == inode
        }
        return errno != ENOENT && errno != ENOTDIR
    }
}
