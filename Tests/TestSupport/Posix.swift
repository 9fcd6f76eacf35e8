public import Glibc

/// System calls on paths, whose failures are errors that carry errno.
public enum Posix {
    /// An open file that closes itself at the end of its life, at the latest.
    public final class File: Sendable {
        private let descriptor: Descriptor
        private let path: String
        /// The descriptor's number.
        public var number: Int32 { descriptor.number }

        /// open(2)
        public init(_ path: String, _ flags: Int32, mode: mode_t = 0o644) throws(SystemFailure) {
            self.path = path
            descriptor = try Descriptor(unsafe open(path, flags | O_CLOEXEC, mode), "open \(path)")
        }

        /// close(2), whose answer counts.
        public func close() throws(SystemFailure) {
            let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
            descriptor.close()
            guard Glibc.close(copy) == 0 else { throw SystemFailure("close \(path)") }
        }

        /// Writes all of it at the file's position.
        public func write(_ bytes: [UInt8]) throws(SystemFailure) {
            var done = 0
            while done < bytes.count {
                let rest = bytes[done...]
                let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress, $0.count) }
                guard count > 0 else { throw SystemFailure("write \(path)") }
                done += count
            }
        }

        /// pread(2)
        public func read(_ count: Int, at offset: Int) throws(SystemFailure) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            let count = unsafe pread(number, &bytes, count, offset)
            guard count >= 0 else { throw SystemFailure("read \(path)") }
            return Array(bytes[..<count])
        }

        /// fsync(2)
        public func synchronize() throws(SystemFailure) {
            guard fsync(number) == 0 else { throw SystemFailure("fsync \(path)") }
        }

        /// fstat(2)
        public func status() throws(SystemFailure) -> stat {
            var status = stat()
            guard unsafe fstat(number, &status) == 0 else { throw SystemFailure("fstat \(path)") }
            return status
        }
    }

    /// Makes or empties a file, writes it and closes it; every answer counts.
    public static func write(_ bytes: [UInt8], to path: String) throws(SystemFailure) {
        let file = try File(path, O_WRONLY | O_CREAT | O_TRUNC)
        try file.write(bytes)
        try file.close()
    }

    /// All bytes of a file.
    public static func read(_ path: String) throws(SystemFailure) -> [UInt8] {
        let file = try File(path, O_RDONLY)
        var all: [UInt8] = []
        while true {
            let part = try file.read(1 << 17, at: all.count)
            if part.isEmpty { return all }
            all += part
        }
    }

    /// lstat(2)
    public static func status(_ path: String) throws(SystemFailure) -> stat {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw SystemFailure("lstat \(path)") }
        return status
    }

    /// FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_IMMUTABLE_FL of ioctl_iflags(2): macros that Swift does not import.
    private static let getFlags: UInt = 0x8008_6601
    private static let setFlags: UInt = 0x4008_6602
    private static let immutable: Int32 = 0x10

    /// Whether a directory has the immutable flag; nil where the file system has no flags.
    public static func isImmutable(_ path: String) throws(SystemFailure) -> Bool? {
        let directory = try File(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        var flags: Int32 = 0
        return unsafe ioctl(directory.number, getFlags, &flags) == 0 ? flags & immutable != 0 : nil
    }

    /// Takes the immutable flag of a directory.
    ///
    /// - Returns: whether it had it.
    static func clearImmutable(_ path: String) throws(SystemFailure) -> Bool {
        let directory = try File(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        var flags: Int32 = 0
        guard unsafe ioctl(directory.number, getFlags, &flags) == 0, flags & immutable != 0 else { return false }
        flags &= ~immutable
        return unsafe ioctl(directory.number, setFlags, &flags) == 0
    }

    /// Takes the answer of a call, 0 or -1.
    public static func check(_ answer: Int32, _ call: String) throws(SystemFailure) {
        guard answer == 0 else { throw SystemFailure(call) }
    }

    /// The errno of what `body` throws; 0 when it does not throw.
    public static func code(_ body: () throws -> Void) throws -> Int32 {
        do { try body() } catch let failure as SystemFailure { return failure.code }
        return 0
    }

    /// The names in a directory but `.` and `..`, in the order of readdir(3).
    public static func names(_ path: String) throws(SystemFailure) -> [String] {
        guard let stream = unsafe opendir(path) else { throw SystemFailure("opendir \(path)") }
        defer { unsafe _ = closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
