internal import Foundation
internal import Glibc
public import SystemPackage

/// How a vault is to be mounted.
public struct MountOptions: Sendable {
    public var directory: FilePath
    public var isReadOnly = false
    /// Keep nothing in the kernel's page cache.
    public var usesNoCache = false
    /// Permissions that what is made in the mount does not get, whatever the caller's own umask(2) says. Nobody else has
    /// a use for secrets, and ssh(1) refuses keys that others may read.
    public var umask: UInt32 = 0o077
    /// Lock after this long without use; nil never does.
    public var idle: Duration?
    /// Lock when the machine is suspended, and when the user's session is locked or ends.
    public var followsSession = true
    /// More options for mount(8), such as `allow_other` or `exec`.
    public var extra: [String] = []
    /// What lies in the folder goes into the vault.
    public var adopts = false
    /// `$XDG_STATE_HOME`.
    public var stateDirectory: FilePath
    /// What runs beside the mount.
    public var service: MountService?

    public init(directory: FilePath, stateDirectory: FilePath) {
        (self.directory, self.stateDirectory) = (directory, stateDirectory)
    }
}

extension MountOptions {
    /// What mount(8) gets: safe defaults, which an option given by the user turns off.
    func words(for vault: FilePath) -> [String] {
        var words = ["default_permissions", "subtype=coffer", "fsname=\(MountOptions.escaped(vault.string))"]
        for (safe, other) in [("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec")]
        where !extra.contains(other) && !extra.contains(safe) {
            words.append(safe)
        }
        // libfuse passes dev and suid on only where they are asked for.
        words += extra.filter { !MountOptions.meansNothing($0) }
        if isReadOnly { words.append("ro") }
        // Reading changes nothing: the kernel leaves access times to a FUSE file system, which hears of a read only
        // where the page cache does not answer. Behind the user's options: none of them changes that.
        words.append("noatime")
        return words
    }

    /// Options of mount(8) and fstab(5) that say something to these programs, or nothing where the file system keeps its
    /// times itself, as FUSE has it (S_NOATIME in Linux's fs/fuse/inode.c). libfuse refuses most of them.
    private static func meansNothing(_ option: String) -> Bool {
        let name = option.prefix { $0 != "=" }
        return passedOver.contains(String(name)) || name.hasPrefix("x-") || name.hasPrefix("X-")
    }

    private static let passedOver: Set = [
        "_netdev", "async", "atime", "auto", "comment", "defaults", "diratime", "group", "iversion", "lazytime", "loud",
        "mand", "noauto", "nodiratime", "nofail", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime",
        "nouser", "owner", "relatime", "rw", "silent", "strictatime", "user", "users",
    ]

    /// Commas separate options.
    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: ",", with: "\\,")
    }
}

extension MountOptions {
    private static let letsOthersIn: Set = ["allow_other", "allow_root"]

    /// Finds out before a password is asked for what fusermount3 would say behind it: only root may let others in, unless
    /// the machine's administrator has allowed it (mount.fuse3(8)).
    func checkOthers() throws(MountError) {
        if asksForOthers, MountOptions.allowsOthers == false { throw .othersRefused }
    }

    /// Mounting was refused, and this is why, as far as can be told.
    var isRefusedForOthers: Bool { asksForOthers && MountOptions.allowsOthers != true }

    private var asksForOthers: Bool { geteuid() != 0 && !MountOptions.letsOthersIn.isDisjoint(with: extra) }

    /// nil where the file cannot be read: fusermount3 is set-user-id, and may.
    private static var allowsOthers: Bool? {
        do {
            let file = unsafe try FileDescriptor.open("/etc/fuse.conf", .readOnly, options: [.closeOnExec])
            let text = try file.closeAfter { try file.readAll() }
            return text.split(separator: 0x0A).contains { line in
                let said = String(decoding: line, as: UTF8.self).prefix { $0 != "#" }
                return said.trimmingCharacters(in: .whitespaces) == "user_allow_other"
            }
        } catch Errno.noSuchFileOrDirectory {
            return false
        } catch {
            return nil
        }
    }
}
