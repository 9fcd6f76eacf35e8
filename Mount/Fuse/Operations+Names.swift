internal import CFuse
internal import SystemPackage

/// The tree: looking names up, making, moving and removing them.
extension Operations {
    static func addNames(to table: inout fuse_lowlevel_ops) {
        addLookups(to: &table)
        addMaking(to: &table)
        unsafe table.unlink = { request, parent, name in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.unlink(name.span, in: NodeID(parent))
            }
        }
        unsafe table.rmdir = { request, parent, name in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.removeDirectory(name.span, in: NodeID(parent))
            }
        }
        unsafe table.rename = { request, parent, name, newParent, newName, flags in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.rename(
                    name.span, in: NodeID(parent), to: newName.span, in: NodeID(newParent), flags: flags)
            }
        }
    }

    private static func addLookups(to table: inout fuse_lowlevel_ops) {
        unsafe table.lookup = { request, parent, name in
            unsafe Request(request).entry { (fs, _) throws(Errno) in
                unsafe try fs.lookup(name.span, in: NodeID(parent))
            }
        }
        unsafe table.forget = { request, node, count in
            let request = unsafe Request(request)
            request.fileSystem.forget(NodeID(node), count: count)
            request.replyNothing()
        }
        unsafe table.forget_multi = { request, count, list in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            unsafe UnsafeBufferPointer(start: list, count: count).forEach {
                fileSystem.forget(NodeID($0.ino), count: $0.nlookup)
            }
            request.replyNothing()
        }
    }

    private static func addMaking(to table: inout fuse_lowlevel_ops) {
        unsafe table.mknod = { request, parent, name, mode, device in
            unsafe Request(request).entry { (fs, caller) throws(Errno) in
                unsafe try fs.makeNode(
                    name.span, in: NodeID(parent), mode: mode, device: UInt64(device), by: caller)
            }
        }
        unsafe table.mkdir = { request, parent, name, mode in
            unsafe Request(request).entry { (fs, caller) throws(Errno) in
                unsafe try fs.makeDirectory(name.span, in: NodeID(parent), mode: mode, by: caller)
            }
        }
        unsafe table.symlink = { request, target, parent, name in
            unsafe Request(request).entry { (fs, caller) throws(Errno) in
                unsafe try fs.makeSymbolicLink(
                    name.span, in: NodeID(parent), target: target.span, by: caller)
            }
        }
        unsafe table.link = { request, node, parent, name in
            unsafe Request(request).entry { (fs, _) throws(Errno) in
                unsafe try fs.link(NodeID(node), name.span, in: NodeID(parent))
            }
        }
    }
}
