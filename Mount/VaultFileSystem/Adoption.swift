internal import CLinux
internal import Format
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault

/// Moves what lies in plaintext in the folder below a mount into the vault, into a new folder of its top directory,
/// `adopted 2026-11-30 02.25.10`: files, directories, symbolic links and FIFOs, with modes, attributes and times.
///
/// **Nothing is lost**: what is removed below is in the vault before, and on the disk (fsync). What cannot be taken
/// stays where it is, and is named: devices and sockets, what cannot be read, what a program has open for writing or
/// changes meanwhile, what the vault refuses. A swap file gets another name, since the vault keeps those in memory only.
///
/// **Nothing is followed**: links are taken as links, and no other file system that is mounted below is entered.
///
/// Runs before the first request is answered: programs that come meanwhile wait.
struct Adoption {
    private let point: MountPoint
    private let vault: Vault
    private let fileSystem: VaultFileSystem
    private(set) var report = AdoptionReport()
    /// What is in the vault and still stands at the top of the folder, which nobody may write to.
    private var taken: [(name: [UInt8], status: stat)] = []

    /// Folders in folders, each with a descriptor.
    private static let deepest = 256

    init(_ point: MountPoint, _ fileSystem: VaultFileSystem) {
        (self.point, self.fileSystem, vault) = (point, fileSystem, fileSystem.vault)
    }

    /// Does it all.
    ///
    /// - Returns: how the folder is protected now; nil where it was not touched.
    mutating func run() throws(MountError) -> MountPoint.Protection? {
        guard try !point.names().isEmpty else { return nil }
        // The default of the signal that says that somebody wants a file under a lease would end the process.
        _ = signal(SIGIO, SIG_IGN)
        do throws(Obstacle) {
            let (name, top) = try makeTop()
            report.folder = name
            let source = Source(folder: point.descriptor, path: "", depth: 0)
            _ = try takeAll(of: source, into: top)
            try system { () throws(Errno) in try vault.synchronizeNames() }
            if taken.isEmpty {
                try system { () throws(Errno) in
                    unsafe try vault.removeDirectory(Array(name.utf8).span.bytes, in: .root)
                }
                report.folder = nil
            }
        } catch {
            // What is not known to be on the disk stays below.
            taken = []
            report.left.append(.init(name: point.path.string, reason: error.text))
        }
        return taken.isEmpty ? nil : point.removing { removeTaken() }
    }

    // MARK: The vault's side

    /// One operation of the vault, unless it is being locked.
    private func system<R>(_ body: () throws(Errno) -> R) throws(Obstacle) -> R {
        do throws(Errno) { return try fileSystem.pass(body) } catch { throw .system(error) }
    }

    /// The new folder; with a number, where one of that name is there already.
    private func makeTop() throws(Obstacle) -> (String, Node) {
        let name = "adopted \(Self.moment())"
        for number in 1...100 {
            let name = number == 1 ? name : "\(name) (\(number))"
            do throws(Obstacle) {
                return try (name, make(Array(name.utf8), in: .root, FileType.directory | 0o700, (geteuid(), getegid())))
            } catch {
                guard case .system(let errno) = error, errno == .fileExists else { throw error }
            }
        }
        throw .system(.fileExists)
    }

    /// By the user's clock, with no character that some system does not take in a name.
    private static func moment() -> String {
        var (now, parts) = unsafe (time(nil), tm())
        unsafe localtime_r(&now, &parts)
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month))-\(two(day)) \(two(hour)).\(two(minute)).\(two(second))"
    }

    private func make(
        _ name: [UInt8], in parent: Node, _ mode: UInt32, _ owner: (UInt32, UInt32)
    ) throws(Obstacle) -> Node {
        try system { () throws(Errno) in
            unsafe try vault.makeNode(
                name.span.bytes, in: parent, mode: mode, owner: owner, device: 0, remember: false
            ).0
        }
    }

    /// Root keeps the owners; others own what they adopt.
    private static func owner(_ status: stat) -> (UInt32, UInt32) {
        geteuid() == 0 || status.st_uid == geteuid() ? (status.st_uid, status.st_gid) : (geteuid(), getegid())
    }

    /// What an editor would recover from.
    private static func kept(_ name: [UInt8]) -> [UInt8] {
        unsafe ScratchNames.isVolatile(name.span.bytes) ? name + Array(".adopted".utf8) : name
    }

    private func setTimes(_ status: stat, of node: Node) throws(Obstacle) {
        var changes = AttributeChanges()
        changes.accessed = Timestamp(status.st_atim)
        changes.modified = Timestamp(status.st_mtim)
        let wanted = changes
        _ = try system { () throws(Errno) in try vault.setAttributes(of: node, wanted) }
    }

    // MARK: The folder's side

    /// A folder that is gone through.
    private struct Source {
        let folder: Int32
        /// From the mount point on, for people.
        let path: String
        let depth: Int
    }

    /// - Returns: whether everything in the folder was taken.
    private mutating func takeAll(of source: Source, into target: Node) throws(Obstacle) -> Bool {
        let names: [[UInt8]]
        do throws(Errno) { names = try FolderNames.list(source.folder) } catch { throw .system(error) }
        var isWhole = true
        for name in names {
            let path = source.path + String(decoding: name, as: UTF8.self)
            do throws(Obstacle) {
                guard try take(name, path, from: source, into: target) else {
                    isWhole = false
                    continue
                }
            } catch {
                // Behind the closed gate, nothing more can be taken.
                if case .system(let errno) = error, errno == .socketNotConnected { throw error }
                report.left.append(.init(name: path, reason: error.text))
                isWhole = false
            }
        }
        return isWhole
    }

    /// - Returns: false for a directory of which something was left.
    private mutating func take(
        _ name: [UInt8], _ path: String, from source: Source, into target: Node
    ) throws(Obstacle) -> Bool {
        let status = try Self.status(name, in: source.folder)
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        switch status.st_mode & S_IFMT {
        case S_IFREG: try takeFile(name, status, from: source.folder, into: target)
        case S_IFDIR: guard try takeDirectory(name, path, status, from: source, into: target) else { return false }
        case S_IFLNK: try takeLink(name, status, from: source.folder, into: target)
        case S_IFIFO:
            let made = try make(name, in: target, FileType.fifo | status.st_mode & 0o7777, Self.owner(status))
            try setTimes(status, of: made)
        case S_IFSOCK: throw .socket
        default: throw .device
        }
        if !isDirectory { report.taken += 1 }
        guard source.depth > 0 else {
            taken.append((name, status))
            return true
        }
        try system { () throws(Errno) in try vault.synchronizeNames() }
        try Self.remove(name, status, from: source.folder)
        return true
    }

    private mutating func takeDirectory(
        _ name: [UInt8], _ path: String, _ status: stat, from source: Source, into target: Node
    ) throws(Obstacle) -> Bool {
        guard source.depth < Self.deepest else { throw .tooDeep }
        let folder = try Self.open(name, in: source.folder, O_DIRECTORY)
        defer { close(folder) }
        let made = try make(name, in: target, FileType.directory | status.st_mode & 0o7777, Self.owner(status))
        try copyAttributes(folder, to: made)
        let isWhole = try takeAll(
            of: Source(folder: folder, path: path + "/", depth: source.depth + 1), into: made)
        try setTimes(status, of: made)
        return isWhole
    }

    private func takeLink(
        _ name: [UInt8], _ status: stat, from folder: Int32, into target: Node
    ) throws(Obstacle) {
        var text = [CChar](repeating: 0, count: Limits.symbolicLinkLength + 1)
        let count = unsafe Self.withName(name) { unsafe readlinkat(folder, $0, &text, text.count) }
        guard count >= 0 else { throw .system(Errno(rawValue: errno)) }
        let link = text[..<count].map { UInt8(bitPattern: $0) }
        let made = try system { () throws(Errno) in
            unsafe try vault.makeSymbolicLink(
                name.span.bytes, in: target, target: link.span.bytes, owner: Self.owner(status), remember: false
            ).0
        }
        try setTimes(status, of: made)
    }

    private func takeFile(
        _ name: [UInt8], _ status: stat, from folder: Int32, into target: Node
    ) throws(Obstacle) {
        // Should it have become a FIFO since it was looked at, opening it does not wait.
        let file = try Self.open(name, in: folder, O_NONBLOCK | O_NOCTTY)
        defer { close(file) }
        guard coffer_has_writers(file) == 0 else { throw .inUse }
        let kept = Self.kept(name)
        let made = try make(kept, in: target, FileType.regular | status.st_mode & 0o7777, Self.owner(status))
        do throws(Obstacle) {
            try copyContent(file, to: made)
            try copyAttributes(file, to: made)
            guard try Self.isSame(status, Self.status(file)), coffer_has_writers(file) == 0 else { throw .changed }
            try setTimes(status, of: made)
        } catch {
            // A part of it would pass for the whole.
            try? system { () throws(Errno) in unsafe try vault.unlink(kept.span.bytes, in: target) }
            throw error
        }
    }

    private func copyContent(_ file: Int32, to node: Node) throws(Obstacle) {
        try system { () throws(Errno) in try vault.opened(node, writing: true, truncate: false) }
        defer { try? system { () throws(Errno) in vault.closed(node, writing: true) } }
        var buffer = PlainBuffer(capacity: 1 << 18)
        buffer.resize(to: 1 << 18)
        var offset: UInt64 = 0
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(Errno(rawValue: errno)) }
            if count == 0 { break }
            try buffer.withBytes { (bytes) throws(Obstacle) in
                try system { () throws(Errno) in
                    try vault.write(node, offset: offset, bytes.extracting(0..<count))
                }
            }
            offset &+= UInt64(count)
        }
        try system { () throws(Errno) in try vault.synchronize(node) }
    }

    /// Those that the vault keeps: what other name spaces mean (access lists, capabilities) does not hold in it.
    private func copyAttributes(_ file: Int32, to node: Node) throws(Obstacle) {
        var list = [CChar](repeating: 0, count: 65536)
        let count = unsafe flistxattr(file, &list, list.count)
        guard count >= 0 else {
            // A file system without any.
            if errno == EOPNOTSUPP { return }
            throw .system(Errno(rawValue: errno))
        }
        for name in list[..<count].map({ UInt8(bitPattern: $0) }).split(separator: 0)
        where name.starts(with: Array("user.".utf8)) || name.starts(with: Array("trusted.".utf8)) {
            var value = PlainBuffer(capacity: 65536)
            value.resize(to: 65536)
            let length = unsafe Self.withName(Array(name)) { name in
                unsafe value.withUnsafeMutableBytes { unsafe fgetxattr(file, name, $0.baseAddress, $0.count) }
            }
            guard length >= 0 else { throw .system(Errno(rawValue: errno)) }
            value.resize(to: length)
            try value.withBytes { (bytes) throws(Obstacle) in
                try system { () throws(Errno) in
                    unsafe try vault.setExtendedAttribute(
                        Array(name).span.bytes, to: bytes, of: node, flag: .any)
                }
            }
        }
    }

    // MARK: Removing

    /// The folder may be written to for as long as this takes.
    private mutating func removeTaken() {
        for (name, status) in taken {
            do throws(Obstacle) { try Self.remove(name, status, from: point.descriptor) } catch {
                report.left.append(.init(name: String(decoding: name, as: UTF8.self), reason: error.text))
            }
        }
    }

    private static func remove(_ name: [UInt8], _ status: stat, from folder: Int32) throws(Obstacle) {
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        // What a directory had in it is gone from it by now, and its times with that.
        if !isDirectory, try !isSame(status, Self.status(name, in: folder)) { throw .changed }
        let answer = unsafe withName(name) { unsafe unlinkat(folder, $0, isDirectory ? AT_REMOVEDIR : 0) }
        guard answer == 0 else { throw .remains(Errno(rawValue: errno)) }
    }

    // MARK: System calls

    private static func withName<R>(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> R) -> R {
        unsafe body((name + [0]).map { CChar(bitPattern: $0) })
    }

    private static func status(_ name: [UInt8], in folder: Int32) throws(Obstacle) -> stat {
        var status = stat()
        let answer = unsafe withName(name) { unsafe fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) }
        guard answer == 0 else { throw .system(Errno(rawValue: errno)) }
        return status
    }

    private static func status(_ file: Int32) throws(Obstacle) -> stat {
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw .system(Errno(rawValue: errno)) }
        return status
    }

    /// Whether it is the same file still, with the same content: one that has lost another of its names counts.
    private static func isSame(_ one: stat, _ other: stat) -> Bool {
        one.st_dev == other.st_dev && one.st_ino == other.st_ino && one.st_mode == other.st_mode
            && one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec
            && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec
    }

    private static func open(_ name: [UInt8], in folder: Int32, _ flags: Int32) throws(Obstacle) -> Int32 {
        let file = unsafe withName(name) {
            unsafe coffer_open_beneath(folder, $0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags)
        }
        guard file >= 0 else { throw errno == EXDEV ? .mounted : .system(Errno(rawValue: errno)) }
        return file
    }
}

extension Timestamp {
    fileprivate init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: UInt32(clamping: time.tv_nsec))
    }
}
