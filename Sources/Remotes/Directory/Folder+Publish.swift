internal import CLinux
internal import Glibc
internal import SystemPackage

/// How a file appears whole or not at all: it is written and synced under a temporary name and then linked.
extension Folder {
    /// Writes an object unless it is there whole.
    ///
    /// - Throws: EISDIR where a folder has the name.
    func create(_ name: String, _ bytes: [UInt8]) throws(Errno) {
        if let status = try status(name), status.isFile(of: bytes.count) { return try synchronizeFile(name) }
        let temporary = try write(bytes)
        do {
            try link(temporary, to: name, size: bytes.count)
        } catch {
            unsafe unlinkat(descriptor, temporary, 0)
            throw error
        }
    }

    /// Writes a file over the one that is there.
    func replace(_ name: String, _ bytes: [UInt8]) throws(Errno) {
        let temporary = try write(bytes)
        do {
            try rename(temporary, over: name)
        } catch {
            unsafe unlinkat(descriptor, temporary, 0)
            throw error
        }
    }

    /// Gives a written file its name. link(2) fails where the name is taken, and so two writers never overwrite each
    /// other; over NFS it may also fail because its first try did succeed and only the answer was lost, which looks the
    /// same and is.
    private func link(_ temporary: String, to name: String, size: Int) throws(Errno) {
        do {
            _ = try answer { unsafe linkat(descriptor, temporary, descriptor, name, 0) }
            unsafe unlinkat(descriptor, temporary, 0)
            return
        } catch .fileExists {
            return try settle(temporary, as: name, size: size)
        } catch .notPermitted, .notSupported, .noFunction, .tooManyLinks, .ioError {
            // No hard links here, as on FAT, exFAT, some servers and some file systems of FUSE.
        }
        do {
            let noReplace: UInt32 = 1
            _ = try answer { unsafe renameat2(descriptor, temporary, descriptor, name, noReplace) }
        } catch .fileExists {
            try settle(temporary, as: name, size: size)
        } catch .invalidArgument, .noFunction, .notSupported, .notPermitted {
            // Nor a rename that keeps what is there.
            try claim(name, for: temporary, size: size)
        }
    }

    /// Takes the name with an empty file, which only one writer can make, and renames over that. Whoever is killed in between
    /// leaves an empty file, which is of another length than any object: a torn upload, which the next try replaces.
    private func claim(_ name: String, for temporary: String, size: Int) throws(Errno) {
        do {
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            close(try answer { unsafe openat(descriptor, name, flags, 0o666) })
        } catch .fileExists {
            return try settle(temporary, as: name, size: size)
        }
        try rename(temporary, over: name)
    }

    /// The name is taken: by the same object, or by what a torn upload or a stranger left.
    private func settle(_ temporary: String, as name: String, size: Int) throws(Errno) {
        guard let status = try status(name), status.isFile(of: size) else {
            return try rename(temporary, over: name)
        }
        unsafe unlinkat(descriptor, temporary, 0)
        try synchronizeFile(name)
    }

    private func rename(_ temporary: String, over name: String) throws(Errno) {
        _ = try answer { unsafe renameat(descriptor, temporary, descriptor, name) }
    }

    /// Somebody else wrote the file, and may not have synced it.
    private func synchronizeFile(_ name: String) throws(Errno) {
        let file = try answer { unsafe openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        defer { close(file) }
        _ = try answer { fsync(file) }
    }

    /// Writes a new file under a temporary name and returns that once the bytes last. The user's umask decides who may
    /// read it, since several users may share a remote.
    private func write(_ bytes: [UInt8]) throws(Errno) -> String {
        let name = TemporaryName.make()
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = try answer { unsafe openat(descriptor, name, flags, 0o666) }
        var isClosed = false
        do throws(Errno) {
            defer { if !isClosed { close(file) } }
            try Folder.write(bytes, to: file)
            _ = try answer { fsync(file) }
            isClosed = true
            // NFS may say only now that there was no room (close(2)); EINTR leaves the file closed.
            if close(file) != 0, errno != EINTR { throw Errno(rawValue: errno) }
        } catch {
            unsafe unlinkat(descriptor, name, 0)
            throw error
        }
        return name
    }

    private static func write(_ bytes: [UInt8], to file: Int32) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let wanted = min(bytes.count - done, 1 << 20)
            let count = try answer {
                unsafe bytes.withUnsafeBytes {
                    unsafe Int32(clamping: Glibc.write(file, $0.baseAddress?.advanced(by: done), wanted))
                }
            }
            guard count > 0 else { throw .ioError }
            done += Int(count)
        }
    }
}
