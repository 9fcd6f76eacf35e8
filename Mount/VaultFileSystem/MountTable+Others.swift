internal import Glibc
public import SystemPackage
internal import Vault

/// A vault that another user has mounted. Nothing is asked of such a mount, nor sent to it: FUSE lets nobody else in, root
/// included, unless it was mounted with `-o allow_other`, and what answers there is another user's program.
public struct OthersMount: Sendable, Equatable {
    public let directory: FilePath
    /// The name of whoever mounted it, or the number of one without a name.
    public let user: String
}

extension MountTable {
    /// Where another user has mounted a vault; nil where nobody has. Anybody can mount something under the name of a
    /// vault: it counts only where the process that has the vault's file open is that user's.
    ///
    /// - Parameter vault: the vault's file, with links followed.
    public static func othersMount(of vault: FilePath) -> OthersMount? {
        guard case .open(let process?) = try? Vault.state(of: vault) else { return nil }
        var status = stat()
        // The folder itself, unlike what is in it, belongs to the process's user also where it is not dumpable.
        guard unsafe stat("/proc/\(process)", &status) == 0, status.st_uid != getuid() else { return nil }
        return all().first { $0.vault == vault && $0.user == status.st_uid }.map {
            OthersMount(directory: $0.directory, user: name(of: status.st_uid))
        }
    }

    /// Whoever mounted what claims to be a vault in that folder, if that was another user.
    public static func othersMount(at directory: FilePath) -> OthersMount? {
        all().first { $0.directory == directory && $0.user != getuid() }.map {
            OthersMount(directory: directory, user: name(of: $0.user))
        }
    }

    private static func name(of user: UInt32) -> String {
        guard let found = unsafe getpwuid(user), let name = unsafe found.pointee.pw_name else { return "user \(user)" }
        return unsafe String(cString: name)
    }
}
