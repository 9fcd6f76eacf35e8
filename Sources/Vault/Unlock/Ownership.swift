internal import Glibc
public import SystemPackage

/// Whom belongs what root makes while it uses another user's vault: whoever owns what it belongs to. Else that user could
/// not open the vault any more after the process was killed. SQLite does the same with its log (robustFchown in its
/// os_unix.c).
public enum Ownership {
    /// Gives a file that was just made to whoever owns `model`: the vault's file, or the folder that it was made in.
    /// Where that fails the file stays root's, which costs nobody else's data.
    public static func give(_ file: FileDescriptor, toOwnerOf model: FilePath) {
        guard geteuid() == 0 else { return }
        var status = Glibc.stat()
        guard unsafe model.withPlatformString({ unsafe stat($0, &status) }) == 0, status.st_uid != 0 else { return }
        _ = fchown(file.rawValue, status.st_uid, status.st_gid)
    }

    /// Opens a file for writing, and makes it where it is missing: then it belongs to whoever owns its folder.
    public static func open(_ path: FilePath) throws -> FileDescriptor {
        let (mode, options) = (FileDescriptor.AccessMode.writeOnly, FileDescriptor.OpenOptions.closeOnExec)
        do {
            let file = try FileDescriptor.open(
                path, mode, options: [options, .create, .exclusiveCreate], permissions: .ownerReadWrite)
            give(file, toOwnerOf: path.removingLastComponent())
            return file
        } catch Errno.fileExists {
            return try FileDescriptor.open(path, mode, options: [options, .noFollow])
        }
    }

    /// mkdir -p with mode 0700, as the XDG base directory specification asks. What is made belongs to whoever owns what it
    /// is in.
    public static func makeDirectories(_ path: FilePath) {
        var walk = FilePath(root: path.root, [])
        for component in path.components {
            let above = walk
            walk.append(component)
            guard unsafe walk.withPlatformString({ unsafe mkdir($0, 0o700) }) == 0 else { continue }
            let made = try? FileDescriptor.open(walk, .readOnly, options: [.closeOnExec, .directory, .noFollow])
            guard let made else { continue }
            give(made, toOwnerOf: above.isEmpty ? "." : above)
            try? made.close()
        }
    }
}
