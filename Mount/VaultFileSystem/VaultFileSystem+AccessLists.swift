internal import Fuse
internal import Glibc
internal import SystemPackage

/// Access control lists (acl(5)), which the kernel hands over as extended attributes, and which this file system does not
/// have: the kernel checks modes. A list that says no more than a mode does is one, and is taken as such, so that `cp -a`
/// and `rsync -A` succeed where nothing is lost; any other one is refused with EOPNOTSUPP, as a file system without lists
/// does it. There is never one to read, and so nothing to remove.
enum AccessList {
    /// Which list an attribute is.
    enum Kind {
        case access
        /// For what is made in a directory.
        case inherited
    }

    static func kind(_ name: RawSpan) -> Kind? {
        unsafe name.withUnsafeBytes { name in
            if unsafe name.elementsEqual("system.posix_acl_access".utf8) { return .access }
            return unsafe name.elementsEqual("system.posix_acl_default".utf8) ? .inherited : nil
        }
    }

    /// What a list says (<linux/posix_acl_xattr.h>): a version of four bytes, then for each entry a tag and permissions of
    /// two bytes each and an id of four, little-endian.
    ///
    /// - Returns: the permissions that say the same; nil for a list without entries, which is none.
    /// - Throws: EINVAL for what is no list, EOPNOTSUPP where a mode cannot say that.
    static func permissions(_ list: RawSpan) throws(Errno) -> UInt32? {
        let (head, size) = (4, 8)
        let bytes = unsafe list.withUnsafeBytes { unsafe [UInt8]($0) }
        guard bytes.count >= head, (bytes.count - head) % size == 0, bytes.starts(with: [2, 0, 0, 0]) else {
            throw .invalidArgument
        }
        guard bytes.count > head else { return nil }
        // ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER; all others name somebody, or limit those who are named.
        let shifts: [UInt16: UInt32] = [0x01: 6, 0x04: 3, 0x20: 0]
        var found: [UInt16: UInt32] = [:]
        for start in stride(from: head, to: bytes.count, by: size) {
            let tag = UInt16(bytes[start]) | UInt16(bytes[start + 1]) << 8
            guard let shift = shifts[tag] else { throw .notSupported }
            found[tag] = UInt32(bytes[start + 2] & 7) << shift
        }
        guard found.count == shifts.count, bytes.count == head + size * shifts.count else { throw .invalidArgument }
        return found.values.reduce(0, |)
    }
}

extension VaultFileSystem {
    /// Takes a list over into the mode.
    ///
    /// - Throws: EPERM for whoever may not change the mode: older kernels leave that to the file system
    ///   (fs/fuse/acl.c, Linux before 6.2).
    func set(_ kind: AccessList.Kind, _ list: RawSpan, of node: NodeID, by caller: Caller) throws(Errno) {
        let permissions = try AccessList.permissions(list)
        guard let permissions else { return }
        guard kind == .access else { throw .notSupported }
        let now = try attributes(of: node, handle: nil)
        guard caller.user == 0 || caller.user == now.owner else { throw .notPermitted }
        var mode = now.mode & 0o7000 | permissions
        // As chmod(2): who is not in the group does not give its rights to a program.
        if caller.user != 0, caller.group != now.group { mode &= ~UInt32(S_ISGID) }
        guard mode != now.mode & 0o7777 else { return }
        var changes = SetAttributes()
        changes.mode = mode
        _ = try setAttributes(of: node, handle: nil, changes)
    }
}
