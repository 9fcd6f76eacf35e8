internal import CFuse
internal import SystemPackage

/// Open directories.
extension Operations {
    static func addDirectories(to table: inout fuse_lowlevel_ops) {
        unsafe table.opendir = { request, node, info in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            let reply: OpenReply
            do throws(Errno) { reply = try fileSystem.openDirectory(NodeID(node)) } catch {
                return request.fail(error)
            }
            unsafe request.reply(reply, info) {
                fileSystem.releaseDirectory(NodeID(node), handle: reply.handle)
            }
        }
        unsafe table.readdir = { request, node, size, offset, info in
            unsafe Request(request).directory(size: size, isPlus: false) { (fs, filler) throws(Errno) in
                unsafe try fs.readDirectory(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(clamping: offset), into: filler)
            }
        }
        unsafe table.readdirplus = { request, node, size, offset, info in
            unsafe Request(request).directory(size: size, isPlus: true) { (fs, filler) throws(Errno) in
                unsafe try fs.readDirectory(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(clamping: offset), into: filler)
            }
        }
        unsafe table.releasedir = { request, node, info in
            unsafe Request(request).run { fs in
                unsafe fs.releaseDirectory(NodeID(node), handle: info.fileHandle)
            }
        }
        unsafe table.fsyncdir = { request, node, _, info in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.synchronizeDirectory(NodeID(node), handle: info.fileHandle)
            }
        }
    }
}
