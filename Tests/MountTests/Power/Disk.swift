import Foundation
import TestSupport

/// What a disk holds after a loss of power at some place of a recorded log.
///
/// The model, in the words of Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014, ALICE): what was
/// synced is there; of the rest each part may be there or not. As in CrashMonkey (Mohan et al., "Finding Crash-
/// Consistency Bugs with Bounded Black-Box Crash Testing", OSDI 2018) crash states are built from a recorded log.
///
/// - Bytes: fsync(2) or fdatasync(2) of the file that returned makes everything durable that was written before it
///   began. Of later writes each sector of 512 bytes, or each page of 4096, has any of its states since then, whatever
///   its neighbours have: torn writes, and those out of order. It is one of *its states*, since pages are written back
///   whole: a later write to the same sector is not there without an earlier one.
/// - Length: any since the last sync; what lies in between and was not written reads as zeroes. Where a truncation is
///   lost, what was written after it is lost too, since it went to blocks that only the file's new map names. A hole
///   is a write of zeroes.
/// - Names: fsync(2) of the directory makes its entries durable. That of a file alone does not (fsync(2)), although
///   ext4, XFS and Btrfs do it for new files. Of later changes each name has any of its states, but renames and links
///   come in the order in which they were made.
/// - sync_file_range(2) is no sync. Time alone makes nothing durable.
struct Disk {
    /// One file, from its creation on.
    struct File {
        var beginning = Data()
        var changes: [Change] = []
        /// Each sync that returned: the places of its beginning and its end.
        var syncs: [(begin: Int, end: Int)] = []
    }

    struct Change {
        enum Kind {
            case bytes(offset: Int, data: Range<Int>)
            case zeroes(offset: Int, count: Int)
            case length(Int)
            case atLeast(Int)
        }
        let place: Int
        let kind: Kind
    }

    /// A name of a directory gets another file, or none.
    struct Naming {
        let place: Int
        let name: String
        let file: Int?
        /// Part of a rename or a link.
        let isOrdered: Bool
    }

    struct Directory {
        var beginning: [String: Int] = [:]
        var namings: [Naming] = []
        var syncs: [(begin: Int, end: Int)] = []
    }

    let bytes: Data
    let records: [Record]
    private(set) var files: [File] = []
    private(set) var directories: [String: Directory] = [:]

    /// Reads the log, which nobody writes any more.
    init(_ log: RecordedLog) throws {
        bytes = try Data(contentsOf: URL(filePath: log.path))
        records = try Record.all(in: bytes, of: log.directory)
        var reading = Reading()
        for (path, file) in log.beginning {
            let (directory, name) = Disk.split(path)
            directories[directory, default: Directory()].beginning[name] = files.count
            reading.names[path] = files.count
            reading.inodes[file.inode] = files.count
            files.append(File(beginning: file.bytes))
        }
        for (place, record) in records.enumerated() { take(record, place, &reading) }
    }

    /// Who is who at the place of the log that is being read.
    private struct Reading {
        var inodes: [UInt64: Int] = [:]
        var names: [String: Int] = [:]
        var begun: [Int: Int] = [:]
    }

    private mutating func take(_ record: Record, _ place: Int, _ reading: inout Reading) {
        func change(_ kind: Change.Kind) {
            guard let file = reading.inodes[record.inode] else { return }
            files[file].changes.append(Change(place: place, kind: kind))
        }
        switch record.kind {
        case .create:
            reading.inodes[record.inode] = files.count
            name(record.path, files.count, place, &reading)
            files.append(File())
        case .write: change(.bytes(offset: record.offset, data: record.data))
        case .truncate: change(.length(record.length))
        case .punch: change(.zeroes(offset: record.offset, count: record.length))
        case .allocate: change(.atLeast(record.offset + record.length))
        case .unlink: name(record.path, nil, place, &reading)
        case .link: name(record.target, reading.names[record.path], place, &reading, isOrdered: true)
        case .rename:
            name(record.target, reading.names[record.path], place, &reading, isOrdered: true)
            name(record.path, nil, place, &reading, isOrdered: true)
        case .syncBegin: reading.begun[record.offset] = place
        case .syncEnd:
            guard let begin = reading.begun.removeValue(forKey: record.offset) else { return }
            if directories[record.path] != nil {
                directories[record.path]?.syncs.append((begin, place))
            } else if let file = reading.inodes[record.inode] {
                files[file].syncs.append((begin, place))
            }
        case .mark: break
        }
    }

    private mutating func name(
        _ path: String, _ file: Int?, _ place: Int, _ reading: inout Reading, isOrdered: Bool = false
    ) {
        reading.names[path] = file
        let (directory, name) = Disk.split(path)
        directories[directory, default: Directory()].namings.append(
            Naming(place: place, name: name, file: file, isOrdered: isOrdered))
    }

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
