internal import CLinux
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
        var (device, inode) = (UInt64(0), UInt64(0))
        guard unsafe coffer_identify(file.rawValue, "", &device, &inode) == 0 else { return nil }
        (self.path, self.device, self.inode) = (path, device, inode)
        if !isInPlace { return nil }
    }

    /// Whether the name leads to the file. Where that cannot be told, it does.
    var isInPlace: Bool {
        var (device, inode) = (UInt64(0), UInt64(0))
        let isThere = unsafe path.withPlatformString { unsafe coffer_identify(AT_FDCWD, $0, &device, &inode) } == 0
        if isThere { return device == self.device && inode == self.inode }
        return errno != ENOENT && errno != ENOTDIR
    }
}
