internal import CFuse
internal import Glibc
internal import SystemPackage

/// Attributes, symbolic links' targets, extended attributes, and the file system's own numbers.
extension Operations {
    /// What readlink(2) of the kernel has room for: a page less a byte.
    private static let longestTarget = 4095

    static func addAttributes(to table: inout fuse_lowlevel_ops) {
        unsafe table.getattr = { request, node, info in
            unsafe Request(request).attributes { (fs) throws(Errno) in
                unsafe try fs.attributes(of: NodeID(node), handle: info.handle)
            }
        }
        unsafe table.setattr = { request, node, native, bits, info in
            var changes = unsafe SetAttributes(native?.pointee ?? stat(), bits)
            let request = unsafe Request(request)
            let (device, caller) = (request.device, request.caller)
            request.attributes { (fs) throws(Errno) in
                try SetIDs.adjust(&changes, of: NodeID(node), in: fs, device, by: caller)
                return unsafe try fs.setAttributes(of: NodeID(node), handle: info.handle, changes)
            }
        }
        unsafe table.readlink = { request, node in
            unsafe Request(request).bytes(as: .data(Operations.longestTarget)) { (fs, body) throws(Errno) in
                try fs.readLink(NodeID(node), body)
            }
        }
        unsafe table.statfs = { request, _ in
            let request = unsafe Request(request)
            let statistics: Statistics
            do throws(Errno) { statistics = try request.fileSystem.statistics() } catch {
                return request.fail(error)
            }
            request.reply(statistics)
        }
    }

    static func addExtendedAttributes(to table: inout fuse_lowlevel_ops) {
        unsafe table.getxattr = { request, node, name, size in
            unsafe Request(request).bytes(as: .sized(size)) { (fs, body) throws(Errno) in
                unsafe try fs.extendedAttribute(name.span, of: NodeID(node), body)
            }
        }
        unsafe table.listxattr = { request, node, size in
            unsafe Request(request).bytes(as: .sized(size)) { (fs, body) throws(Errno) in
                try fs.extendedAttributeNames(of: NodeID(node), body)
            }
        }
        unsafe table.setxattr = { request, node, name, value, size, flags in
            let request = unsafe Request(request)
            let (caller, device) = (request.caller, request.device)
            request.run { (fs) throws(Errno) in
                let name = unsafe name.span
                let value = unsafe UnsafeRawBufferPointer(start: value, count: size).bytes
                try fs.setExtendedAttribute(name, to: value, of: NodeID(node), flags: flags, by: caller)
                // An access list may have become a mode, of which the kernel learns by asking.
                let isList = unsafe name.withUnsafeBytes { unsafe $0.starts(with: "system.".utf8) }
                if isList { device.invalidateAttributes(of: NodeID(node)) }
            }
        }
        unsafe table.removexattr = { request, node, name in
            unsafe Request(request).run { (fs) throws(Errno) in
                unsafe try fs.removeExtendedAttribute(name.span, of: NodeID(node))
            }
        }
    }
}
