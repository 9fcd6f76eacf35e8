import Foundation
import TestSupport

/// Performs steps below one folder, and tells what each gave.
struct ModelFolder {
    let top: String
    /// A bug for the test of the test: the steps that it is about go wrong in a small way.
    var fault: ModelFault?
    /// Where a vault is mounted, and forgets its swap files by itself.
    var isMount = false
    /// Descriptors that stay open from step to step.
    let held = HeldFiles()
    /// Times before this one were set by a step; later ones are of the clock (2023).
    private static let longAgo = 1_700_000_000

    fileprivate func path(_ name: String) -> String { "\(top)/\(name)" }

    /// Everything that a program could see of the step, as text: result, errno, content, attributes.
    func perform(_ operation: ModelOperation) -> String {
        do {
            return try result(of: fault?.change(operation) ?? operation)
        } catch let failure as SystemFailure {
            return "errno \(failure.code)"
        } catch {
            return "\(error)"
        }
    }

    private func result(of operation: ModelOperation) throws -> String {
        switch operation {
        case .create, .write, .append, .truncate, .read, .save: return try content(operation)
        case .hold(let name): try held.add(Posix.File(path(name), O_RDWR | O_NONBLOCK))
        case .writeHeld(let count, let seed): return try held.write(ModelOperation.bytes(count, seed))
        case .readHeld: return try held.latest.map { try describe($0) + digest($0) } ?? "none"
        case .release: held.removeLatest()
        case .unlink(let name): try Posix.check(unsafe unlink(path(name)), "")
        case .makeDirectory(let name, let mode):
            try Posix.check(unsafe mkdir(path(name), mode), "")
            // mkdir(2) sets none of these bits, but the system's own, mkdir(1) does (`-m`).
            if mode & 0o6000 != 0 { try Posix.check(unsafe chmod(path(name), mode), "") }
        case .removeDirectory(let name): try Posix.check(unsafe rmdir(path(name)), "")
        case .removeTree(let name): try removeTree(path(name))
        case .rename(let old, let new, let flags):
            try Posix.check(LateCalls.rename(path(old), path(new), flags: flags), "")
            noteLasting(new)
            if flags == 2 { noteLasting(old) }
        case .link(let old, let new):
            try Posix.check(unsafe link(path(old), path(new)), "")
            noteLasting(new)
        case .symbolicLink(let target, let name): try Posix.check(unsafe symlink(target, path(name)), "")
        case .fifo(let name): try Posix.check(unsafe mkfifo(path(name), 0o644), "")
        case .chmod(let name, let mode): try Posix.check(unsafe chmod(path(name), mode), "")
        case .times(let name, let seconds, let nanoseconds):
            let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
            try Posix.check(unsafe utimensat(AT_FDCWD, path(name), [time, time], AT_SYMLINK_NOFOLLOW), "")
        case .setAttribute(let name, let attribute, let count, let flags):
            let value = [UInt8](repeating: UInt8(ascii: "x"), count: count)
            try Posix.check(LateCalls.setAttribute(path(name), attribute, value, flags: flags), "")
        case .removeAttribute(let name, let attribute):
            try Posix.check(LateCalls.removeAttribute(path(name), attribute), "")
        case .list(let name): return try Posix.names(path(name)).sorted().joined(separator: " ")
        case .status(let name): return try describe(path(name))
        case .remount, .kill: break
        }
        return "done"
    }

    private func removeTree(_ path: String) throws {
        let isDirectory = try Posix.status(path).st_mode & S_IFMT == S_IFDIR
        guard isDirectory else { return try Posix.check(unsafe unlink(path), "") }
        for name in try Posix.names(path) { try removeTree("\(path)/\(name)") }
        try Posix.check(unsafe rmdir(path), "")
    }

    /// Without blocking: a FIFO may be where a file was.
    private func content(_ operation: ModelOperation) throws -> String {
        switch operation {
        case .create(let name, let mode):
            try Posix.File(path(name), O_WRONLY | O_CREAT | O_EXCL, mode: mode).close()
            noteVolatile(name)
        case .write(let name, let offset, let count, let seed):
            let file = try Posix.File(path(name), O_WRONLY | O_NONBLOCK)
            lseek(file.number, offset, SEEK_SET)
            try file.write(ModelOperation.bytes(count, seed))
            try file.close()
        case .append(let name, let count, let seed):
            let file = try Posix.File(path(name), O_WRONLY | O_NONBLOCK | O_APPEND)
            try file.write(ModelOperation.bytes(count, seed))
            try file.close()
        case .truncate(let name, let size): try Posix.check(unsafe truncate(path(name), size), "")
        case .read(let name):
            let file = try Posix.File(path(name), O_RDONLY | O_NONBLOCK)
            return try digest(file)
        case .save(let name, let count, let seed):
            let scratch = path(".save.tmp")
            try Posix.write(ModelOperation.bytes(count, seed), to: scratch)
            defer { unsafe _ = unlink(scratch) }
            try Posix.check(unsafe rename(scratch, path(name)), "")
        default: break
        }
        return "done"
    }

    /// The length of a file and a checksum (FNV-1a) of its bytes.
    private func digest(_ file: Posix.File) throws -> String {
        guard try file.status().st_mode & S_IFMT == S_IFREG else { return try file.read(1, at: 0).description }
        var (hash, length): (UInt64, Int) = (0xCBF2_9CE4_8422_2325, 0)
        while true {
            let part = try file.read(1 << 17, at: length)
            if part.isEmpty { return "\(length) bytes, \(hash)" }
            for byte in part { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            length += part.count
        }
    }

    /// All attributes that do not depend on the clock, the disk or the file system's own ways: a folder's size.
    private func describe(_ path: String) throws -> String {
        let status = try Posix.status(path)
        let kind = status.st_mode & S_IFMT
        var text =
            "mode \(String(status.st_mode, radix: 8)) links \(status.st_nlink) owner \(status.st_uid):\(status.st_gid)"
        if kind != S_IFDIR { text += " size \(status.st_size)" }
        if kind == S_IFLNK { text += " to " + (try FileManager.default.destinationOfSymbolicLink(atPath: path)) }
        if status.st_mtim.tv_sec < Self.longAgo {
            text += " modified \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        }
        for name in try LateCalls.attributeNames(path) ?? [] where name != Self.volatileMark {
            text += " \(name)=\(try LateCalls.attribute(path, name)?.count ?? -1)"
        }
        return text
    }

    private func describe(_ file: Posix.File) throws -> String {
        let status = try file.status()
        return "links \(status.st_nlink) mode \(String(status.st_mode, radix: 8)) "
    }

    /// The whole tree: every path with its attributes and, where asked for, content.
    func snapshot(contents: Bool = true) throws -> [String: String] {
        var all: [String: String] = [:]
        var folders = [""]
        while let folder = folders.popLast() {
            for name in try Posix.names(top + folder) where !(folder.isEmpty && name == "lost+found") {
                let path = "\(folder)/\(name)"
                var text = try describe(top + path)
                let kind = try Posix.status(top + path).st_mode & S_IFMT
                if kind == S_IFDIR { folders.append(path) }
                if contents, kind == S_IFREG { text += " " + (try digest(Posix.File(top + path, O_RDONLY))) }
                all[path] = text
            }
        }
        return all
    }
}

/// Files of a plain folder that would live in memory only on a mount.
extension ModelFolder {
    fileprivate static let volatileMark = "trusted.volatile"

    private func noteVolatile(_ name: String) {
        guard !isMount, ModelOperation.isSwapFile(name) else { return }
        _ = try? LateCalls.setAttribute(path(name), Self.volatileMark, [1], flags: 0)
    }

    /// A swap file that gets another name is one like any other.
    private func noteLasting(_ name: String) {
        if !isMount { _ = try? LateCalls.removeAttribute(path(name), Self.volatileMark) }
    }

    /// Does what locking does: descriptors are of no more use, swap files are gone.
    func lock() throws {
        held.removeAll()
        guard !isMount else { return }
        var folders = [top]
        while let folder = folders.popLast() {
            for name in try Posix.names(folder) {
                let path = "\(folder)/\(name)"
                if try Posix.status(path).st_mode & S_IFMT == S_IFDIR { folders.append(path) }
                guard try LateCalls.attributeNames(path)?.contains(Self.volatileMark) ?? false else { continue }
                // A file that was in memory only leaves no mark on its folder (found by the model test at seed 22923638).
                let before = try Posix.status(folder)
                try Posix.check(unsafe unlink(path), "unlink")
                let times = [before.st_atim, before.st_mtim]
                try Posix.check(unsafe utimensat(AT_FDCWD, folder, times, 0), "utimensat")
            }
        }
    }
}

/// Descriptors that a sequence keeps open, the latest of which it uses.
final class HeldFiles {
    private var files: [Posix.File] = []
    var latest: Posix.File? { files.last }

    func add(_ file: Posix.File) {
        files.append(file)
        if files.count > 4 { files.removeFirst() }
    }

    func removeLatest() { _ = files.popLast() }

    func removeAll() { files = [] }

    /// Writes at the beginning, and waits until that survives a killed process.
    func write(_ bytes: [UInt8]) throws -> String {
        guard let file = files.last else { return "none" }
        lseek(file.number, 0, SEEK_SET)
        try file.write(bytes)
        try file.synchronize()
        return "done"
    }
}
