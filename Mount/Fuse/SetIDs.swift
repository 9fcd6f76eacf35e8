internal import CFuse
internal import Glibc
internal import SystemPackage

/// The set-id bits, where we agreed to take them (FUSE_HANDLE_KILLPRIV_V2 in <linux/fuse.h>): "Upon
/// write/truncate suid/sgid is only killed if caller does not have CAP_FSETID. Additionally upon
/// write/truncate sgid is killed only if file has group execute permission. (Same as Linux VFS behavior)".
///
/// The kernel says who has CAP_FSETID by a flag of write, of open with O_TRUNC, and of setattr with a size.
/// It says nothing with a change of owner, which always takes the bits, nor with fallocate and
/// copy_file_range, where root stands for the capability.
enum SetIDs {
    /// Adds the mode without the bits to a change that takes them.
    static func adjust(
        _ changes: inout SetAttributes, of node: NodeID, in fileSystem: any FileSystem, _ device: Device
    ) throws(Errno) {
        guard device.agreed.contains(.handlesSetIDs) else { return }
        guard changes.clearsSetIDs || changes.owner != nil || changes.group != nil else { return }
        let stat = try fileSystem.attributes(of: node, handle: nil)
        // A directory keeps them: there they mean inheritance (chown(2)).
        guard stat.mode & S_IFMT != S_IFDIR else {
            changes.clearsSetIDs = false
            return
        }
        changes.clearsSetIDs = true
        var wanted = stat
        wanted.mode = changes.mode ?? stat.mode
        if wanted.modeWithoutSetIDs != wanted.mode { changes.mode = wanted.modeWithoutSetIDs }
    }

    /// Takes them before contents change.
    static func clear(of node: NodeID, in fileSystem: any FileSystem, _ device: Device) throws(Errno) {
        guard try fileSystem.clearSetIDs(of: node) else { return }
        // The kernel has the old mode, and would go by it in execve(2). With an offset below 0 it drops the
        // attributes only, for which it waits for no lock that this request could hold.
        device.invalidateAttributes(of: node)
    }

    /// For an operation with which the kernel says nothing.
    static func clear(
        of node: NodeID, in fileSystem: any FileSystem, _ device: Device, by caller: Caller
    ) throws(Errno) {
        guard device.agreed.contains(.handlesSetIDs), caller.user != 0 else { return }
        try clear(of: node, in: fileSystem, device)
    }
}
