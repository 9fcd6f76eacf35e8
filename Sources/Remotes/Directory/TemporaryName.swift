internal import Glibc
internal import SystemPackage

/// Names of files that are not objects yet. The grammar of paths excludes them by their first dot; Syncthing leaves
/// names of this prefix where they are and takes them for its own unfinished files (lib/fs/tempname.go).
enum TemporaryName {
    private static let prefix = ".syncthing.coffer-"
    private static let suffix = ".tmp"

    /// A day: no upload takes that long, not even that of a machine which was suspended meanwhile for the night.
    private static let lifetime = 86400

    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return prefix + String(generator.next(), radix: 16) + String(generator.next(), radix: 16) + suffix
    }

    private static func isOne(_ name: String) -> Bool { name.hasPrefix(prefix) && name.hasSuffix(suffix) }

    /// Removes what runs left that did not end well. How old a file is tells the clock that stamps it: one that is made
    /// for it, since a server's clock may be far from ours.
    static func removeOld(in folder: borrowing Folder) {
        var old: [(name: String, time: Int)] = []
        try? folder.forEachName { (name) throws(Errno) in
            if isOne(name), let status = try folder.status(name), status.isFile {
                old.append((name, status.st_mtim.tv_sec))
            }
            return old.count < 1000
        }
        guard !old.isEmpty, let now = time(in: folder) else { return }
        for file in old {
            let (age, overflow) = now.subtractingReportingOverflow(file.time)
            if !overflow, age > lifetime { try? folder.remove(file.name) }
        }
    }

    private static func time(in folder: borrowing Folder) -> Int? {
        let name = make()
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        guard let file = try? answer({ unsafe openat(folder.descriptor, name, flags, 0o666) }) else { return nil }
        defer {
            close(file)
            try? folder.remove(name)
        }
        var status = stat()
        return unsafe fstat(file, &status) == 0 ? status.st_mtim.tv_sec : nil
    }
}
