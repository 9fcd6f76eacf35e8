internal import Format
internal import Glibc
internal import Sealing
internal import SystemPackage

/// The files beside a vault's, looked at before SQLite opens any: which belong to another state of it, and which are
/// missing.
struct Companions {
    /// SQLite's log and the redo journal of a killed process, whose vault's file was replaced since.
    private(set) var foreign: [FilePath] = []
    /// What the latest changes stand in.
    private(set) var missing: [FilePath] = []

    init(of path: FilePath) {
        guard let mark = SessionMark.read(inFile: path) else { return }
        let (log, journal) = (FilePath(path.string + "-wal"), Journal.path(of: path))
        let (logSize, outline) = (Companions.size(of: log), Journal.outline(beside: path))
        let hasLog = (logSize ?? 0) > 0
        let isOther = outline?.session.map { $0 != mark.identifier } ?? false
        if isOther, hasLog || outline?.hasEntries == true {
            foreign = [journal] + (hasLog ? [log] : [])
        } else if outline?.isForeign == true {
            // It says nothing of the log.
            foreign = [journal]
        } else if !mark.isOpen, outline == nil, hasLog {
            foreign = [log]
        }
        guard mark.isOpen else { return }
        if logSize == nil || foreign.contains(log) { missing.append(log) }
        if mark.hasJournal, outline == nil || isOther || foreign.contains(journal) { missing.append(journal) }
    }

    /// What SQLite and the journal open beside the vault's file has to be a regular file: a pipe would be waited for, a link be
    /// followed or not, and a folder be an error of the disk.
    static func check(_ path: FilePath) throws(VaultError) {
        for suffix in ["-wal", "-redo", "-chunks", "-shm", "-journal"] {
            let companion = FilePath(path.string + suffix)
            var status = stat()
            guard unsafe lstat(companion.string, &status) == 0 else { continue }
            let kind: String
            switch status.st_mode & S_IFMT {
            case S_IFREG: continue
            case S_IFDIR: kind = "a folder"
            case S_IFLNK: kind = "a symbolic link"
            case S_IFIFO: kind = "a pipe"
            case S_IFSOCK: kind = "a socket"
            default: kind = "a device"
            }
            throw .planted(companion, kind: kind)
        }
    }

    /// What a newer program has left beside the vault is not taken for a journal without anything in it, which a new one
    /// would be written over, nor for a damaged reserve.
    ///
    /// - Throws: `newerFormat`.
    static func checkFormats(of path: FilePath) throws(VaultError) {
        let (journal, reserve) = (Journal.path(of: path), FilePath(path.string + "-reserve"))
        let heads = Journal.heads(journal) + [Companions.head(of: reserve)]
        for (head, magic) in zip(heads, ["CFRJ", "CFRJ", "CFRS"]) {
            if let format = ObjectFormat.newer(head, magic: Array(magic.utf8)) { throw .newerFormat(format) }
        }
    }

    /// The first bytes of a file that is there and regular, or of a part of it.
    static func head(of path: FilePath, at offset: Int64 = 0) -> [UInt8] {
        let options: FileDescriptor.OpenOptions = [.noFollow, .closeOnExec, .nonBlocking]
        guard let file = try? FileDescriptor.open(path, .readOnly, options: options) else { return [] }
        defer { try? file.close() }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return [] }
        var bytes = [UInt8](repeating: 0, count: 8)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe (try? file.read(fromAbsoluteOffset: offset, into: $0)) ?? 0
        }
        return Array(bytes.prefix(count))
    }

    private static func size(of path: FilePath) -> Int64? {
        var status = stat()
        return unsafe lstat(path.string, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// Gives what does not belong another name.
    ///
    /// - Returns: the new names.
    func setAside() throws(VaultError) -> [FilePath] {
        var names: [FilePath] = []
        for path in foreign { names.append(try Companions.setAside(path)) }
        return names
    }

    /// Gives a file the first name of `….old`, `….old2` and so on that is free: nothing is written over.
    static func setAside(_ path: FilePath) throws(VaultError) -> FilePath {
        for number in 1..<1000 {
            let target = FilePath("\(path.string).old\(number == 1 ? "" : "\(number)")")
            do throws(Errno) {
                try move(path, to: target)
                return target
            } catch .fileExists {
                continue
            } catch {
                throw .io(error, "setting \(path) aside")
            }
        }
        throw .io(.fileExists, "setting \(path) aside")
    }

    /// Gives a file another name; EEXIST where that is taken, by link(2). Where there are no hard links our lock keeps others
    /// of this program away.
    static func move(_ path: FilePath, to target: FilePath) throws(Errno) {
        if unsafe link(path.string, target.string) == 0 {
            guard unsafe unlink(path.string) == 0 else { throw Errno(rawValue: errno) }
            return
        }
        let error = Errno(rawValue: errno)
        guard [.notPermitted, .notSupported, .noFunction, .tooManyLinks, .ioError].contains(error) else { throw error }
        guard size(of: target) == nil else { throw .fileExists }
        guard unsafe rename(path.string, target.string) == 0 else { throw Errno(rawValue: errno) }
    }
}
