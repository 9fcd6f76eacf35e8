import Foundation
import SystemPackage
import TestSupport

@testable import Vault

/// The folder of one history in a mount, with the calls that programs make.
final class MountedFolder: HistoryPlace {
    private let top: String
    var opened: [(file: FileDescriptor, isWanted: Bool)] = []

    init(_ path: String) { top = path }

    func make() throws { try FileManager.default.createDirectory(atPath: top, withIntermediateDirectories: true) }

    // MARK: Calls

    func isNamed(_ file: FileDescriptor) -> Bool {
        var status = stat()
        return unsafe fstat(file.rawValue, &status) == 0 && status.st_nlink > 0
    }

    func open(_ path: String) throws -> FileDescriptor { try open(path, [.append]) }

    func close(_ file: FileDescriptor) { try? file.close() }

    /// What fsync(2) has returned for is in a file: one that another device's change took the name of has one again by then.
    func append(_ text: String, to file: FileDescriptor) throws {
        _ = try file.writeAll(Array((text + "\n").utf8))
        try check(fsync(file.rawValue))
    }

    func append(_ path: String, _ text: String) throws { try write(text + "\n", to: path, [.append]) }

    func truncate(_ path: String) throws { try write("", to: path, [.truncate]) }

    func create(_ path: String) throws { try write("", to: path, [.create, .exclusiveCreate]) }

    func makeDirectory(_ path: String) throws { try check(unsafe mkdir(place(path), 0o700)) }

    func makeFIFO(_ path: String) throws { try check(unsafe mkfifo(place(path), 0o600)) }

    func makeSymbolicLink(_ path: String, to target: String) throws { try check(unsafe symlink(target, place(path))) }

    func setMode(_ path: String, _ mode: UInt32) throws {
        guard try kind(path) != S_IFLNK else { throw Errno.notSupported }
        try check(unsafe chmod(place(path), mode))
    }

    func setTime(_ path: String, _ seconds: Int64) throws {
        // The access time is left (UTIME_OMIT).
        let times = [timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2), timespec(tv_sec: Int(seconds), tv_nsec: 7)]
        try check(unsafe utimensat(AT_FDCWD, place(path), times, AT_SYMLINK_NOFOLLOW))
    }

    func setAttribute(_ path: String, _ value: String) throws {
        try check(LateCalls.setAttribute(place(path), "user.x", Array(value.utf8), flags: 0))
    }

    private func place(_ path: String) -> String { "\(top)/\(path)" }

    private func check(_ answer: Int32) throws { if answer != 0 { throw Errno(rawValue: errno) } }

    private func kind(_ path: String) throws -> UInt32 { try Posix.status(place(path)).st_mode & S_IFMT }

    private func open(_ path: String, _ options: FileDescriptor.OpenOptions) throws -> FileDescriptor {
        if !options.contains(.exclusiveCreate), try kind(path) != S_IFREG { throw Errno.invalidArgument }
        return try FileDescriptor.open(
            FilePath(place(path)), .writeOnly, options: options.union([.noFollow, .closeOnExec]),
            permissions: [.ownerRead, .ownerWrite])
    }

    private func write(_ text: String, to path: String, _ options: FileDescriptor.OpenOptions) throws {
        let file = try open(path, options)
        defer { try? file.close() }
        _ = try file.writeAll(Array(text.utf8))
    }

    func save(_ path: String, _ text: String) throws {
        let isThere = (try? kind(path)) != nil
        try write(text + "\n", to: path, isThere ? [.truncate] : [.create, .exclusiveCreate])
    }

    func rename(_ old: String, _ new: String) throws { try rename(old, new, flags: 0) }

    func exchange(_ old: String, _ new: String) throws { try rename(old, new, flags: 2) }

    private func rename(_ old: String, _ new: String, flags: UInt32) throws {
        try check(LateCalls.rename(place(old), place(new), flags: flags))
    }

    func link(_ old: String, _ new: String) throws { try check(unsafe Glibc.link(place(old), place(new))) }

    func unlink(_ path: String) throws { try check(unsafe Glibc.unlink(place(path))) }

    func removeTree(_ path: String) throws {
        guard try kind(path) == S_IFDIR else { return try unlink(path) }
        for child in try FileManager.default.contentsOfDirectory(atPath: place(path)) {
            try removeTree("\(path)/\(child)")
        }
        try check(unsafe rmdir(place(path)))
    }

    // MARK: What is to be seen

    /// All that is in the folder and goes to other devices, in the order of paths.
    private func everything() throws -> [(path: String, status: stat)] {
        var items: [(path: String, status: stat)] = []
        func walk(_ path: String) throws {
            for name in try FileManager.default.contentsOfDirectory(atPath: place(path)).sorted() {
                let child = path.isEmpty ? name : "\(path)/\(name)"
                let status = try Posix.status(place(child))
                let isDirectory = status.st_mode & S_IFMT == S_IFDIR
                if unsafe ScratchNames.isLocal(Array(name.utf8).span.bytes, isDirectory: isDirectory) { continue }
                items.append((child, status))
                if isDirectory { try walk(child) }
            }
        }
        if FileManager.default.fileExists(atPath: top) { try walk("") }
        return items
    }

    private func text(_ path: String) throws -> String { String(decoding: try Posix.read(place(path)), as: UTF8.self) }

    func paths() throws -> [String] { try everything().map(\.path).sorted() }

    func texts() throws -> [Set<String>] {
        var files: [ino_t: Set<String>] = [:]
        for item in try everything() where item.status.st_mode & S_IFMT == S_IFREG {
            files[item.status.st_ino] = Set(
                try text(item.path).split(whereSeparator: \.isWhitespace).map(String.init))
        }
        return Array(files.values)
    }

    func picture() throws -> [String: String] {
        var picture: [String: String] = [:]
        let items = try everything()
        for item in items {
            var text = String(item.status.st_mode, radix: 8)
            switch item.status.st_mode & S_IFMT {
            case S_IFREG:
                text += " \(item.status.st_mtim.tv_sec).\(item.status.st_mtim.tv_nsec) " + (try self.text(item.path))
                let names = items.filter { $0.status.st_ino == item.status.st_ino }.map(\.path)
                if names.count > 1 { text += " is \(names)" }
            case S_IFLNK: text += " -> " + (try FileManager.default.destinationOfSymbolicLink(atPath: place(item.path)))
            default: break
            }
            picture[item.path] = text + attribute(of: item.path)
        }
        return picture
    }

    private func attribute(of path: String) -> String {
        let value = try? LateCalls.attribute(place(path), "user.x")
        return value.map { " " + String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
