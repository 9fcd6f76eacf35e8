import Foundation
import TestSupport

/// The log that the recorder (Tests/PowerRecorder) writes, while it is being written: the test adds marks of its own,
/// and stops the program between two records.
final class RecordedLog: Sendable {
    private let file: Posix.File
    let path: String
    /// The files that are recorded, with what they held at the beginning.
    let directory: String
    let beginning: [String: (inode: UInt64, bytes: Data)]

    /// A log of what happens to the files below `directory` from now on.
    init(_ path: String, of directory: String) throws {
        self.path = path
        self.directory = directory
        beginning = try RecordedLog.files(below: directory)
        file = try Posix.File(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, mode: 0o600)
    }

    /// What a program needs in its environment to be recorded.
    func environment() throws -> [String: String] {
        let own = ["COFFER_RECORD_DIRECTORY": directory, "COFFER_RECORD_LOG": path]
        return try Program.preloading("libPowerRecorder.so").merging(own) { $1 }
    }

    /// Adds a record of the test's own.
    func mark(_ mark: Mark) throws {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt32(RecordKind.mark.rawValue))
        bytes.append(littleEndian: UInt32(0))
        for number in [UInt64(mark.writer), UInt64(mark.step), mark.kind.rawValue, 0] {
            bytes.append(littleEndian: number)
        }
        try file.write(bytes)
    }

    /// Runs `body` while no recorded call is under way in any process: the files are then as the log says.
    func whileStill<R>(_ body: () throws -> R) throws -> R {
        // Of another open file than the marks', which are no recorded calls.
        let lock = try Posix.File(path, O_RDONLY)
        try Posix.check(flock(lock.number, LOCK_EX), "flock \(path)")
        return try body()
    }

    /// Every file below `directory` by its path from there.
    static func files(below directory: String) throws -> [String: (inode: UInt64, bytes: Data)] {
        var found: [String: (inode: UInt64, bytes: Data)] = [:]
        for name in FileManager.default.enumerator(atPath: directory)?.allObjects as? [String] ?? [] {
            let path = "\(directory)/\(name)"
            let status = try Posix.status(path)
            guard status.st_mode & S_IFMT == S_IFREG else { continue }
            found[name] = (UInt64(status.st_ino), try Data(contentsOf: URL(filePath: path)))
        }
        return found
    }
}

/// As in Tests/PowerRecorder/include/recorder.h.
enum RecordKind: UInt32 {
    case create = 1
    case write, truncate, punch, allocate, unlink, rename, link, syncBegin, syncEnd, mark
}

/// What a writer of the test did at a place of the log.
struct Mark: Sendable {
    enum Kind: UInt64, Sendable { case start, end, syncStart, syncEnd }
    let kind: Kind
    let writer: Int
    /// The number of the step, from 0; of a sync, how many steps of the writer it covers.
    let step: Int
}

/// One record. Its place in the log is its index.
struct Record {
    let kind: RecordKind
    let inode: UInt64
    let offset: Int
    let length: Int
    /// From the recorded directory on; "" is that itself.
    let path: String
    /// Of a rename or a link: the new name, as ``path``.
    let target: String
    /// Where its data are in the log's bytes.
    let data: Range<Int>

    /// All records of a log.
    static func all(in bytes: Data, of directory: String) throws -> [Record] {
        var records: [Record] = []
        var position = 0
        func word<T: FixedWidthInteger>(_ offset: Int) -> T {
            unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: position + offset, as: T.self) }
        }
        func relative(_ range: Range<Int>) -> String {
            String(String(decoding: bytes[range], as: UTF8.self).dropFirst(directory.count + 1))
        }
        while position + 40 <= bytes.count {
            guard let kind = RecordKind(rawValue: word(0)) else { throw TestFailure("no record at \(position)") }
            let pathEnd = position + 40 + Int(word(4) as UInt32)
            let end = pathEnd + Int(word(32) as UInt64)
            let hasTarget = kind == .rename || kind == .link
            records.append(
                Record(
                    kind: kind, inode: word(8), offset: Int(word(16) as UInt64), length: Int(word(24) as UInt64),
                    path: relative((position + 40)..<pathEnd), target: hasTarget ? relative(pathEnd..<end) : "",
                    data: pathEnd..<end))
            position = end
        }
        guard position == bytes.count else { throw TestFailure("the log ends within a record") }
        return records
    }

    var asMark: Mark? {
        guard kind == .mark, let kind = Mark.Kind(rawValue: UInt64(length)) else { return nil }
        return Mark(kind: kind, writer: Int(inode), step: offset)
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian integer: some FixedWidthInteger) {
        var integer = integer.littleEndian
        unsafe Swift.withUnsafeBytes(of: &integer) { unsafe append(contentsOf: $0) }
    }
}
