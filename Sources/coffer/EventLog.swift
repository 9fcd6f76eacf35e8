internal import CLinux
internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization
internal import SystemPackage
internal import Vault

/// What went wrong in the background, where nobody looks: a save, a push, an alarm. It goes to the system's journal
/// (syslog(3), identifier `coffer`), and into a file in `$XDG_STATE_HOME`, which `coffer log` reads on every machine.
///
/// No line has the name of an entry. Each is `time TAB vault's file TAB sentence`.
final class EventLog: Sendable {
    /// What a sentence is about: of each, one that was written is not written again before another one.
    enum Topic: Sendable { case saving, synchronising, locking }

    private let vault: String
    private let last = Mutex<[Topic: String]>([:])
    /// Writing may have to wait, for a disk or for the journal's socket.
    private let queue = DispatchQueue(label: "coffer.log", qos: .utility)

    init(_ vault: FilePath) {
        self.vault = Console.printable(vault.string)
        // While there is room: it is a full disk that has something to say.
        queue.async { LogFile.prepare() }
    }

    /// - Parameters:
    ///   - trouble: what is wrong; nil where all is well.
    ///   - relief: what is written where something was wrong before.
    func note(_ topic: Topic, _ trouble: String?, relief: String) {
        let isNew = last.withLock { last in
            defer { last[topic] = trouble }
            return last[topic] != trouble
        }
        if isNew { write(trouble ?? relief) }
    }

    func write(_ sentence: String) {
        let (line, time) = (Console.printable(sentence), Moment.iso8601(Moment.now))
        queue.async { [vault] in
            EventLog.tellJournal("\(vault): \(line)")
            LogFile.append("\(time)\t\(vault)\t\(line)\n")
        }
    }

    /// Returns when all is written.
    func finish() { queue.sync {} }

    private static func tellJournal(_ text: String) {
        // A constant stays where it is; syslog(3) keeps the pointer.
        let name: StaticString = "coffer"
        unsafe name.utf8Start.withMemoryRebound(to: CChar.self, capacity: name.utf8CodeUnitCount + 1) {
            unsafe openlog($0, LOG_PID, LOG_USER)
        }
        unsafe text.withCString { text in
            unsafe withVaList([text]) { unsafe vsyslog(LOG_WARNING, "%s", $0) }
        }
    }
}

/// The file of the ``EventLog``: at most twice ``limit`` bytes, in two files.
enum LogFile {
    private static var path: FilePath { Directories.state.appending("coffer").appending("log") }
    private static var older: FilePath { FilePath(path.string + ".1") }
    /// In bytes.
    private static let limit: Int64 = 64 << 10

    struct Line: Codable {
        /// ISO 8601
        var time: String
        var message: String
    }

    /// Makes the file, with blocks for what comes.
    static func prepare() {
        Directories.makeState()
        try? open()?.close()
    }

    static func append(_ line: String) {
        Directories.makeState()
        guard let file = open() else { return }
        defer { try? file.close() }
        // Of two processes that find it full, only one puts it aside.
        _ = flock(file.rawValue, LOCK_EX)
        if let size = try? file.seek(offset: 0, from: .end), size + Int64(line.utf8.count) > limit, isStillThere(file) {
            _ = unsafe rename(path.string, older.string)
            guard let next = open() else { return }
            defer { try? next.close() }
            _ = try? next.writeAll(Array(line.utf8))
            return
        }
        _ = try? file.writeAll(Array(line.utf8))
    }

    private static func open() -> FileDescriptor? {
        let file = try? FileDescriptor.open(
            path, .writeOnly, options: [.create, .append, .closeOnExec, .noFollow], permissions: .ownerReadWrite)
        guard let file else { return nil }
        Ownership.give(file, toOwnerOf: path.removingLastComponent())
        // Its blocks are taken beforehand, the size stays (FALLOC_FL_KEEP_SIZE).
        _ = fallocate64(file.rawValue, 1, 0, limit)
        return file
    }

    private static func isStillThere(_ file: FileDescriptor) -> Bool {
        var (opened, named) = (stat(), stat())
        return unsafe fstat(file.rawValue, &opened) == 0 && stat(path.string, &named) == 0
            && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
    }

    /// The lines about a vault, oldest first.
    static func lines(of vault: FilePath) -> [Line] {
        let name = Console.printable(vault.string)
        return [older, path].flatMap { path -> [Line] in
            guard let file = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking]) else {
                return []
            }
            defer { try? file.close() }
            var bytes = [UInt8](repeating: 0, count: Int(2 * limit))
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe (try? file.read(into: $0)) ?? 0 }
            return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").compactMap { line in
                let fields = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
                guard fields.count == 3, fields[1] == name else { return nil }
                return Line(time: String(fields[0]), message: String(fields[2]))
            }
        }
    }
}

extension Trouble {
    /// For the log.
    var sentence: String {
        switch self {
        case .unsaved(1, let reason): "The content of one entry could not be saved: \(reason)."
        case .unsaved(let count, let reason): "The contents of \(count) entries could not be saved: \(reason)."
        case .behind(let reason): "Changes could not be moved into the vault's file: \(reason)."
        case .locked(let kept, let lost):
            "Locked with \(kept + lost) contents unsaved: \(kept) are in the reserve, \(lost) had no room there."
        case .strayed(let files):
            "\(files[0]) was replaced, moved or deleted while the vault is mounted; nothing is saved until it is back."
        }
    }
}
