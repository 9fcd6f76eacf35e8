import Foundation
import SystemPackage
import TestSupport

@testable import Vault

/// The folder of one history in a mount, with the calls that programs make.
final class MountedFolder: HistoryPlace {
    private let top: String
    /// Until its user removes a file, what is written through its descriptor has to be somewhere.
    private var opened: [(file: FileDescriptor, isWanted: Bool)] = []

    init(_ path: String) { top = path }

    func make() throws { try FileManager.default.createDirectory(atPath: top, withIntermediateDirectories: true) }

    func closeAll() {
        for open in opened { try? open.file.close() }
        opened = []
    }

    // MARK: Calls

    func perform(_ step: HistoryStep) -> String? {
        let wereNamed = opened.map { isNamed($0.file) }
        var isRefused = false
        do { try carryOut(step) } catch { isRefused = true }
        for (index, wasNamed) in zip(opened.indices, wereNamed) where wasNamed && !isNamed(opened[index].file) {
            opened[index].isWanted = false
        }
        guard case .write(let text) = step, !isRefused, let open = opened.last, open.isWanted else { return nil }
        return text
    }

    private func isNamed(_ file: FileDescriptor) -> Bool {
        var status = stat()
        return unsafe fstat(file.rawValue, &status) == 0 && status.st_nlink > 0
    }

    private func carryOut(_ step: HistoryStep) throws {
        switch step {
        case .save(let path, let text): try save(path, text)
        case .append(let path, let text): try write(text + "\n", to: path, [.append])
        case .truncate(let path): try write("", to: path, [.truncate])
        case .replace(let path, let temporary, let text):
            try save(temporary, text)
            try rename(temporary, path)
        case .rewrite(let path, let away, let text):
            try rename(path, away)
            try save(path, text)
            try unlink(away)
        case .create(let path): try write("", to: path, [.create, .exclusiveCreate])
        case .makeDirectory(let path): try check(unsafe mkdir(place(path), 0o700))
        case .rename(let old, let new): try rename(old, new)
        case .exchange(let old, let new): try rename(old, new, flags: 2)
        case .link(let old, let new): try link(old, new)
        case .linkOver(let old, let new):
            try link(old, new + ".link")
            try rename(new + ".link", new)
        case .unlink(let path): try unlink(path)
        case .removeTree(let path): try removeTree(path)
        case .remake(let path, let name, let text):
            try removeTree(path)
            try check(unsafe mkdir(place(path), 0o700))
            try save("\(path)/\(name)", text)
        case .symbolicLink(let path, let target): try check(unsafe symlink(target, place(path)))
        case .fifo(let path): try check(unsafe mkfifo(place(path), 0o600))
        case .mode, .attribute, .times: try changeAttributes(step)
        case .open(let path): opened.append((try open(path, .writeOnly, [.append]), true))
        case .write(let text): if let open = opened.last { _ = try open.file.writeAll(Array((text + "\n").utf8)) }
        case .close: if let open = opened.popLast() { try open.file.close() }
        case .removeCopy(let number): try unlink(copy(number))
        case .editCopy(let number, let text): try write(text + "\n", to: copy(number), [.truncate])
        case .renameCopy(let number, let path): try rename(copy(number), path)
        }
    }

    private func changeAttributes(_ step: HistoryStep) throws {
        switch step {
        case .mode(let path, let mode):
            guard try kind(path) != S_IFLNK else { throw Errno.notSupported }
            try check(unsafe chmod(place(path), mode))
        case .times(let path, let seconds):
            let times = [timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2), timespec(tv_sec: Int(seconds), tv_nsec: 7)]
            try check(unsafe utimensat(AT_FDCWD, place(path), times, AT_SYMLINK_NOFOLLOW))
        case .attribute(let path, let value):
            try check(LateCalls.setAttribute(place(path), "user.x", Array(value.utf8), flags: 0))
        default: break
        }
    }

    private func place(_ path: String) -> String { "\(top)/\(path)" }

    private func check(_ answer: Int32) throws { if answer != 0 { throw Errno(rawValue: errno) } }

    private func kind(_ path: String) throws -> UInt32 { try Posix.status(place(path)).st_mode & S_IFMT }

    /// Programs would wait for a FIFO and follow a link.
    private func open(
        _ path: String, _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions
    ) throws -> FileDescriptor {
        if !options.contains(.exclusiveCreate), try kind(path) != S_IFREG { throw Errno.invalidArgument }
        return try FileDescriptor.open(
            FilePath(place(path)), mode, options: options.union([.noFollow, .closeOnExec]),
            permissions: [.ownerRead, .ownerWrite])
    }

    private func write(_ text: String, to path: String, _ options: FileDescriptor.OpenOptions) throws {
        let file = try open(path, .writeOnly, options)
        defer { try? file.close() }
        _ = try file.writeAll(Array(text.utf8))
    }

    private func save(_ path: String, _ text: String) throws {
        let isThere = (try? kind(path)) != nil
        try write(text + "\n", to: path, isThere ? [.truncate] : [.create, .exclusiveCreate])
    }

    private func rename(_ old: String, _ new: String, flags: UInt32 = 0) throws {
        try check(LateCalls.rename(place(old), place(new), flags: flags))
    }

    private func link(_ old: String, _ new: String) throws { try check(unsafe Glibc.link(place(old), place(new))) }

    private func unlink(_ path: String) throws { try check(unsafe Glibc.unlink(place(path))) }

    private func removeTree(_ path: String) throws {
        guard try kind(path) == S_IFDIR else { return try unlink(path) }
        for child in try FileManager.default.contentsOfDirectory(atPath: place(path)) {
            try removeTree("\(path)/\(child)")
        }
        try check(unsafe rmdir(place(path)))
    }

    /// The path of a conflict copy.
    private func copy(_ number: Int) throws -> String {
        let copies = try everything().map(\.path).filter { $0.contains("(conflict, ") }
        guard !copies.isEmpty else { throw Errno.noSuchFileOrDirectory }
        return copies[number % copies.count]
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

    func words() throws -> Set<String> {
        var words: Set<String> = []
        for item in try everything() where item.status.st_mode & S_IFMT == S_IFREG {
            for word in try text(item.path).split(whereSeparator: \.isWhitespace) { words.insert(String(word)) }
        }
        return words
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
