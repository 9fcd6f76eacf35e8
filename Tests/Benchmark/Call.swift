import Glibc

/// A path ready for system calls: making a C string is no part of what is measured.
struct Path: Sendable {
    let bytes: [CChar]
    let text: String

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8CString)
    }
}

struct SystemError: Error, CustomStringConvertible {
    let description: String
}

/// A system call's result, or its error with the path it was about.
@discardableResult
func check(_ result: Int32, _ what: String) throws -> Int32 {
    guard result >= 0 else { throw SystemError(description: "\(what): \(unsafe String(cString: strerror(errno)))") }
    return result
}

/// The system calls that make up the operations.
enum Call {
    /// Makes a new file; `durable` waits for the disk.
    static func create(_ path: Path, _ content: ArraySlice<UInt8>, durable: Bool) throws {
        let file = try check(unsafe open(path.bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644), path.text)
        defer { close(file) }
        try write(file, content, path)
        if durable { try check(fsync(file), path.text) }
    }

    /// Replaces what is in a file, which is made where it is missing.
    static func overwrite(_ path: Path, _ content: ArraySlice<UInt8>) throws {
        let file = try check(unsafe open(path.bytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644), path.text)
        defer { close(file) }
        try write(file, content, path)
    }

    static func append(_ path: Path, _ content: ArraySlice<UInt8>) throws {
        let file = try check(unsafe open(path.bytes, O_WRONLY | O_APPEND | O_CLOEXEC), path.text)
        defer { close(file) }
        try write(file, content, path)
    }

    static func rename(_ old: Path, _ new: Path) throws {
        try check(unsafe Glibc.rename(old.bytes, new.bytes), old.text)
    }

    static func unlink(_ path: Path) throws { try check(unsafe Glibc.unlink(path.bytes), path.text) }

    static func stat(_ path: Path) throws {
        var attributes = Glibc.stat()
        try check(unsafe fstatat(AT_FDCWD, path.bytes, &attributes, 0), path.text)
    }

    /// The first bytes of a file.
    static func beginning(of path: Path, count: Int) throws -> ArraySlice<UInt8> {
        let file = try check(unsafe open(path.bytes, O_RDONLY | O_CLOEXEC), path.text)
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: count)
        let length = unsafe read(file, &buffer, count)
        return buffer.prefix(max(0, length))
    }

    /// Opens, reads to the end and closes, as `cat` does.
    static func cat(_ path: Path, _ buffer: inout [UInt8]) throws {
        let file = try check(unsafe open(path.bytes, O_RDONLY | O_CLOEXEC), path.text)
        defer { close(file) }
        while unsafe read(file, &buffer, buffer.count) > 0 {}
    }

    /// Lists a directory with the attributes of each entry, as `ls -l` does; returns how many there were.
    @discardableResult
    static func list(_ path: Path) throws -> Int {
        let file = try check(unsafe open(path.bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path.text)
        guard let directory = unsafe fdopendir(file) else { throw SystemError(description: path.text) }
        defer { unsafe _ = closedir(directory) }
        var count = 0
        var attributes = Glibc.stat()
        while let entry = unsafe readdir(directory) {
            let found = unsafe withUnsafePointer(to: &entry.pointee.d_name.0) {
                unsafe fstatat(file, $0, &attributes, AT_SYMLINK_NOFOLLOW)
            }
            try check(found, path.text)
            count += 1
        }
        return count
    }

    static func write(_ file: Int32, _ content: ArraySlice<UInt8>, _ path: Path) throws {
        let count = unsafe content.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
        guard count == content.count else { throw SystemError(description: "short write: \(path.text)") }
    }
}
