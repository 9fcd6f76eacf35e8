internal import CFuse
internal import Glibc
internal import SystemPackage

/// The set-id bits, where we agreed to take them (FUSE_HANDLE_KILLPRIV_V2 in <linux/fuse.h>), as a local file system
/// takes them (setattr_should_drop_suidgid in Linux's fs/attr.c):
///
/// - the set-user-id bit goes;
/// - the set-group-id bit goes where the group may execute the file. Where it may not, the bit once asked for mandatory
///   locks, and goes if the caller is not in the file's group;
/// - a write by a caller who has CAP_FSETID takes neither; a change of owner takes them even so.
///
/// The kernel says who has CAP_FSETID by a flag of write, of open with O_TRUNC, and of setattr with a size. It says
/// nothing with a change of owner, nor with fallocate and copy_file_range: there proc(5) is asked.
enum SetIDs {
    /// Adds the mode without the bits to a change that takes them.
    static func adjust(
        _ changes: inout SetAttributes, of node: NodeID, in fileSystem: any FileSystem, _ device: Device,
        by caller: Caller
    ) throws(Errno) {
        guard device.agreed.contains(.handlesSetIDs) else { return }
        guard changes.clearsSetIDs || changes.owner != nil || changes.group != nil else { return }
        var stat = try fileSystem.attributes(of: node, handle: nil)
        // A directory keeps them: there they mean inheritance (chown(2)).
        guard stat.mode & S_IFMT != S_IFDIR else {
            changes.clearsSetIDs = false
            return
        }
        changes.clearsSetIDs = true
        stat.mode = changes.mode ?? stat.mode
        let mode = mode(of: stat, becoming: changes.group, after: caller)
        if mode != stat.mode { changes.mode = mode }
    }

    /// Takes them before contents change, where the kernel has said that they go.
    static func clear(
        of node: NodeID, in fileSystem: any FileSystem, _ device: Device, by caller: Caller
    ) throws(Errno) {
        let stat = try fileSystem.attributes(of: node, handle: nil)
        guard hasSetIDs(stat) else { return }
        try clear(stat, of: node, in: fileSystem, device, by: caller)
    }

    /// Takes them before contents change by an operation with which the kernel says nothing.
    static func clearUnlessAllowed(
        of node: NodeID, in fileSystem: any FileSystem, _ device: Device, by caller: Caller
    ) throws(Errno) {
        guard device.agreed.contains(.handlesSetIDs) else { return }
        let stat = try fileSystem.attributes(of: node, handle: nil)
        guard hasSetIDs(stat), !Privileges(of: caller).keepSetIDs else { return }
        try clear(stat, of: node, in: fileSystem, device, by: caller)
    }

    private static func clear(
        _ stat: FileStatus, of node: NodeID, in fileSystem: any FileSystem, _ device: Device, by caller: Caller
    ) throws(Errno) {
        let mode = mode(of: stat, becoming: nil, after: caller)
        guard mode != stat.mode else { return }
        var changes = SetAttributes()
        changes.mode = mode
        changes.clearsSetIDs = true
        _ = try fileSystem.setAttributes(of: node, handle: nil, changes)
        // The kernel has the old mode, and would go by it in execve(2). With an offset below 0 it drops the
        // attributes only, for which it waits for no lock that this request could hold.
        device.invalidateAttributes(of: node)
    }

    private static func hasSetIDs(_ stat: FileStatus) -> Bool {
        stat.mode & S_IFMT == S_IFREG && stat.mode & (S_ISUID | S_ISGID) != 0
    }

    /// The mode that is left.
    ///
    /// - Parameter group: the file's next group, where that changes too.
    private static func mode(of stat: FileStatus, becoming group: UInt32?, after caller: Caller) -> UInt32 {
        let kept = stat.mode & ~S_ISUID
        guard kept & S_ISGID != 0 else { return kept }
        guard kept & S_IXGRP == 0 else { return kept & ~S_ISGID }
        let privileges = Privileges(of: caller)
        // Taking the set-user-id bit is a change of the mode, which goes by the file's next group.
        let next = stat.mode & S_ISUID != 0 ? group ?? stat.group : stat.group
        let isMember = privileges.contain(stat.group) && privileges.contain(next)
        return isMember || privileges.keepSetIDs ? kept : kept & ~S_ISGID
    }
}

/// The groups of a caller, and whether it has CAP_FSETID: what proc(5) tells of the thread that waits for the answer.
/// Where it tells nothing, there are none but the group that asks.
struct Privileges {
    /// CAP_FSETID. Only of root: the capabilities of others may be those of a user name space (user_namespaces(7)).
    let keepSetIDs: Bool
    private let groups: Set<UInt32>

    /// The number of CAP_FSETID (<linux/capability.h>).
    private static let setID: UInt64 = 4

    init(of caller: Caller) {
        let text = Privileges.status(of: caller.process)
        func fields(_ name: String) -> [Substring] {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
            return line?.dropFirst(name.count).split { $0 == " " || $0 == "\t" } ?? []
        }
        groups = Set(fields("Groups:").compactMap { UInt32($0) } + [caller.group])
        let capabilities = fields("CapEff:").first.flatMap { UInt64($0, radix: 16) } ?? 0
        keepSetIDs = caller.user == 0 && capabilities >> Privileges.setID & 1 != 0
    }

    func contain(_ group: UInt32) -> Bool { groups.contains(group) }

    private static func status(of process: Int32) -> String {
        guard process > 0, let file = unsafe try? FileDescriptor.open("/proc/\(process)/status", .readOnly) else {
            return ""
        }
        var text: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        // With 65,536 groups, the most there are, it has less than 1 MiB.
        while text.count < 1 << 20 {
            let count = unsafe part.withUnsafeMutableBytes { unsafe (try? file.read(into: $0)) ?? 0 }
            guard count > 0 else { break }
            text += part[..<count]
        }
        try? file.close()
        return String(decoding: text, as: UTF8.self)
    }
}
