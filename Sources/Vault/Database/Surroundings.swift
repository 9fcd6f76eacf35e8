internal import Glibc
internal import SystemPackage

/// What is around a vault's file, as far as opening it depends on that.
enum Surroundings {
    /// No file can be made beside it: the file system is read-only, or the user may not write to the folder.
    static func areUnwritable(_ path: FilePath) -> Bool {
        guard unsafe access(folder(of: path), W_OK) != 0 else { return false }
        return errno == EROFS || errno == EACCES
    }

    /// The folder that a file is in. Each connection asks for it: by its bytes, since `removingLastComponent` looks at every
    /// component of the path (half of what opening a small vault took in a debug build, measured).
    static func folder(of path: FilePath) -> String {
        let text = path.string
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == text.startIndex ? "/" : String(text[..<slash])
    }

    /// SQLite's log has something, which may not be in the file yet.
    static func haveLog(_ path: FilePath) -> Bool {
        var log = stat()
        return unsafe stat(path.string + "-wal", &log) == 0 && log.st_size > 0
    }
}
