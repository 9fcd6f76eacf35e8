import Glibc

/// A program's view of a file system without hard links (`Tests/FaultInjector`).
public enum LinklessFiles {
    /// What a program needs in its environment.
    ///
    /// - Parameters:
    ///   - error: what link(2) says: EPERM on FAT, ENOSYS and EIO on some file systems of FUSE.
    ///   - keeps: whether renameat2(2) can keep what is there.
    ///   - dying: a rename to a name that has this in it kills the program before it happens.
    public static func environment(
        _ error: Int32, keeps: Bool, dying: String? = nil
    ) throws -> [String: String] {
        var variables = try Program.preloading("libFaultInjector.so")
        variables["COFFER_LINK_ERROR"] = "\(error)"
        if !keeps { variables["COFFER_RENAME_ERROR"] = "\(EINVAL)" }
        variables["COFFER_KILL_AT_RENAME"] = dying
        return variables
    }
}
