internal import Glibc

/// Unmounting lazily (umount2(2), MNT_DETACH), as root directly and as another user through fusermount3.
public enum Detaching {
    /// Takes the mount on `directory` away. Says nothing where there is none: somebody else was faster, and
    /// fusermount3 would complain that it is not in /etc/mtab.
    public static func detach(_ directory: String) {
        if unsafe umount2(directory, Int32(MNT_DETACH)) == 0 { return }
        let words = ["fusermount3", "-u", "-q", "-z", "--", directory]
        var arguments = unsafe words.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var process = pid_t()
        guard unsafe posix_spawnp(&process, "fusermount3", nil, nil, arguments, environ) == 0 else {
            return
        }
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
    }
}
