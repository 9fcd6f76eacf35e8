internal import CFuse
internal import Glibc
internal import SystemPackage

/// What is in files. Offsets and lengths come from the kernel, which has checked that they are not negative
/// and do not overflow (rw_verify_area in fs/read_write.c).
extension Operations {
    static func addContents(to table: inout fuse_lowlevel_ops) {
        unsafe table.read = { request, node, size, offset, info in
            let request = unsafe Request(request)
            let fileSystem = request.fileSystem
            let (node, handle, offset) = unsafe (NodeID(node), info.fileHandle, UInt64(clamping: offset))
            request.bytes(as: .data(size)) { (fs, body) throws(Errno) in
                try fs.read(node, handle: handle, offset: offset, count: size, body)
            }
            fileSystem.didRead(node, handle: handle, offset: offset, count: size)
        }
        unsafe table.write = { request, node, buffer, size, offset, info in
            let request = unsafe Request(request)
            let (device, caller) = (request.device, request.caller)
            request.count { (fs) throws(Errno) in
                if unsafe info.killsSetIDs { try SetIDs.clear(of: NodeID(node), in: fs, device, by: caller) }
                let bytes = unsafe UnsafeRawBufferPointer(start: buffer, count: size).bytes
                return unsafe try fs.write(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(clamping: offset), bytes)
            }
        }
        unsafe table.lseek = { request, node, offset, whence, info in
            let request = unsafe Request(request)
            let found: UInt64
            do throws(Errno) {
                found = try unsafe request.fileSystem.seek(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(clamping: offset), whence: whence)
            } catch {
                return request.fail(error)
            }
            request.reply(offset: found)
        }
        addRanges(to: &table)
    }

    private static func addRanges(to table: inout fuse_lowlevel_ops) {
        unsafe table.fallocate = { request, node, mode, offset, length, info in
            let request = unsafe Request(request)
            let (device, caller) = (request.device, request.caller)
            request.run { (fs) throws(Errno) in
                guard offset >= 0, length > 0 else { throw .invalidArgument }
                try SetIDs.clearUnlessAllowed(of: NodeID(node), in: fs, device, by: caller)
                unsafe try fs.allocate(
                    NodeID(node), handle: info.fileHandle, offset: UInt64(offset), length: UInt64(length),
                    mode: mode)
            }
        }
        unsafe table.copy_file_range = {
            request, node, offset, info, target, targetOffset, targetInfo, size, _ in
            let request = unsafe Request(request)
            let (device, caller) = (request.device, request.caller)
            request.count { (fs) throws(Errno) in
                try SetIDs.clearUnlessAllowed(of: NodeID(target), in: fs, device, by: caller)
                return unsafe try fs.copyRange(
                    from: (NodeID(node), info.fileHandle, UInt64(clamping: offset)),
                    to: (NodeID(target), targetInfo.fileHandle, UInt64(clamping: targetOffset)), count: size)
            }
        }
    }
}
