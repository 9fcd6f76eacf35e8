internal import Glibc
internal import Sync
internal import SystemPackage

extension Folder {
    /// The files and folders that can be ours.
    func items() throws(Errno) -> [RemoteItem] {
        var items: [RemoteItem] = []
        try forEachName { (name) throws(Errno) in
            guard RemoteItem.isOurs(name), let status = try status(name) else { return true }
            if status.isFolder {
                items.append(RemoteItem(name: name, isFolder: true))
            } else if status.isFile {
                let (size, time) = (UInt64(clamping: status.st_size), status.st_mtim)
                let tag = "\(time.tv_sec).\(time.tv_nsec)-\(size)-\(status.st_ino)"
                items.append(RemoteItem(name: name, isFolder: false, size: size, tag: tag))
            }
            guard items.count <= RemoteItem.limit else { throw .fileTooLarge }
            return true
        }
        return items
    }

    /// The bytes of a file. Opened without waiting: a FIFO of that name would keep us for ever.
    func read(_ name: String, limit: Int) throws(Errno) -> RemoteBytes {
        let file: Int32
        do {
            file = try answer { unsafe openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        } catch .noSuchFileOrDirectory, .tooManySymbolicLinkLevels, .noSuchAddressOrDevice {
            return .missing
        }
        defer { close(file) }
        var status = stat()
        _ = try answer { unsafe fstat(file, &status) }
        guard status.isFile else { return .missing }
        guard UInt64(clamping: status.st_size) <= UInt64(max(0, limit)) else { return .tooLong }
        return try Folder.read(file, expected: Int(clamping: status.st_size), limit: max(0, limit))
    }

    /// Reads to the end: the file may grow meanwhile, but not beyond the limit.
    private static func read(_ file: Int32, expected: Int, limit: Int) throws(Errno) -> RemoteBytes {
        var bytes = [UInt8](repeating: 0, count: expected)
        var done = 0
        while true {
            if done == bytes.count {
                // One byte more, and then more of them: the end is known only when nothing comes.
                let (room, overflow) = limit.subtractingReportingOverflow(done)
                let more = overflow ? 0 : min(room, 65536)
                var rest = [UInt8](repeating: 0, count: max(1, more))
                let count = Int(try answer { unsafe Int32(clamping: Glibc.read(file, &rest, rest.count)) })
                if count == 0 { return .bytes(bytes) }
                guard count <= more else { return .tooLong }
                bytes.append(contentsOf: rest[..<count])
                done += count
            } else {
                let wanted = min(bytes.count - done, 1 << 20)
                let count = try answer {
                    unsafe bytes.withUnsafeMutableBytes {
                        unsafe Int32(clamping: Glibc.read(file, $0.baseAddress?.advanced(by: done), wanted))
                    }
                }
                if count == 0 { return .bytes(Array(bytes[..<done])) }
                done += Int(count)
            }
        }
    }

    /// Removes a file or a link; a folder stays.
    func remove(_ name: String) throws(Errno) {
        do {
            _ = try answer { unsafe unlinkat(descriptor, name, 0) }
        } catch .noSuchFileOrDirectory, .isDirectory {
        }
    }
}
