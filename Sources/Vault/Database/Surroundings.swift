internal import Glibc
internal import SystemPackage

/// What is around a vault's file, as far as opening it depends on that.
enum Surroundings {
    /// No file can be made beside it: the file system is read-only, or the user may not write to the folder.
    static func areUnwritable(_ path: FilePath) -> Bool {
        let parent = path.removingLastComponent()
        let folder = parent.isEmpty ? FilePath(".") : parent
        guard unsafe folder.withPlatformString({ unsafe access($0, W_OK) }) != 0 else { return false }
        return errno == EROFS || errno == EACCES
    }

    /// SQLite's log has something, which may not be in the file yet.
    static func haveLog(_ path: FilePath) -> Bool {
        var log = stat()
        return unsafe stat(path.string + "-wal", &log) == 0 && log.st_size > 0
    }
}
