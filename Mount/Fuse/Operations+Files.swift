internal import CFuse
internal import Glibc
internal import SystemPackage

/// Open files, from open to release.
extension Operations {
    static func addFiles(to table: inout fuse_lowlevel_ops) {
        unsafe table.open = { request, node, info in unsafe Operations.open(Request(request), NodeID(node), info) }
        unsafe table.create = { request, parent, name, mode, info in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            let made: (entry: Entry, open: OpenReply)
            do throws(Errno) {
                made = try unsafe fileSystem.create(
                    name.span, in: NodeID(parent), mode: mode, flags: info.flags, by: request.caller)
            } catch {
                return request.fail(error)
            }
            unsafe request.reply(made.entry, made.open, info) {
                fileSystem.release(made.entry.node, handle: made.open.handle)
                fileSystem.forget(made.entry.node, count: 1)
            }
        }
        unsafe table.flush = { request, node, info in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.flush(NodeID(node), handle: info.fileHandle)
            }
        }
        unsafe table.release = { request, node, info in
            unsafe Request(request).run { fs in unsafe fs.release(NodeID(node), handle: info.fileHandle) }
        }
        unsafe table.fsync = { request, node, dataOnly, info in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.synchronize(NodeID(node), handle: info.fileHandle, dataOnly: dataOnly != 0)
            }
        }
    }

    private static func open(
        _ request: consuming Request, _ node: NodeID, _ info: UnsafeMutablePointer<fuse_file_info>?
    ) {
        let fileSystem = request.fileSystem
        let reply: OpenReply
        do throws(Errno) {
            if unsafe info.killsSetIDs {
                try SetIDs.clear(of: node, in: fileSystem, request.device, by: request.caller)
            }
            reply = try unsafe fileSystem.open(node, flags: info.flags)
        } catch {
            return request.fail(error)
        }
        unsafe request.reply(reply, info) { fileSystem.release(node, handle: reply.handle) }
        fileSystem.didOpen(node, handle: reply.handle)
    }
}
