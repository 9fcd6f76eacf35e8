import Foundation
import TestSupport

/// Performs steps below one folder, and tells what each gave.
struct ModelFolder {
    let top: String
    /// A bug for the test of the test: the steps that it is about go wrong in a small way.
    var fault: ModelFault?
    /// Times before this one were set by a step; later ones are of the clock (2023).
    private static let longAgo = 1_700_000_000

    private func path(_ name: String) -> String { "\(top)/\(name)" }

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
        case .unlink(let name): try Posix.check(unsafe unlink(path(name)), "")
        case .makeDirectory(let name, let mode):
            try Posix.check(unsafe mkdir(path(name), mode), "")
            // mkdir(2) sets none of these bits, but the system's own, mkdir(1) does (`-m`).
            if mode & 0o6000 != 0 { try Posix.check(unsafe chmod(path(name), mode), "") }
        case .removeDirectory(let name): try Posix.check(unsafe rmdir(path(name)), "")
        case .removeTree(let name): try removeTree(path(name))
        case .rename(let old, let new, let flags):
            try Posix.check(LateCalls.rename(path(old), path(new), flags: flags), "")
        case .link(let old, let new): try Posix.check(unsafe link(path(old), path(new)), "")
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
        for name in try LateCalls.attributeNames(path) ?? [] {
            text += " \(name)=\(try LateCalls.attribute(path, name)?.count ?? -1)"
        }
        return text
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

/// Where the mount and the plain folder went apart.
struct Divergence: Sendable {
    /// How many steps had been made, with the one that shows it.
    var steps: Int
    var what: String
}

/// Runs one sequence on a new vault and on an empty folder, comparing after every step.
struct ModelRunner {
    let operations: [ModelOperation]
    /// After how many steps the attributes of the whole trees are compared, besides each step's result; contents are
    /// every twentieth time.
    var interval = 25

    /// On a new vault and a plain folder beside it.
    func run() throws -> Divergence? {
        try TestVault.with { vault in
            let plain = ModelFolder(top: try vault.home.directory("plain"))
            var daemon = try vault.serve()
            let divergence = try run(plain, ModelFolder(top: vault.directory)) { operation in
                daemon = try again(operation, vault, daemon)
            }
            if divergence != nil { return divergence }
            try vault.lock()
            try daemon.wait()
            try vault.opened("verify").run(expecting: 0)
            return nil
        }
    }

    /// On any two folders; `restart` does what concerns the mount only.
    func run(
        _ plain: ModelFolder, _ mounted: ModelFolder, restart: (ModelOperation) throws -> Void
    ) throws -> Divergence? {
        for (index, operation) in operations.enumerated() {
            if operation.isForTheMount {
                try restart(operation)
            } else {
                let expected = plain.perform(operation)
                let found = mounted.perform(operation)
                if found != expected {
                    return Divergence(steps: index + 1, what: "\(operation)\n  plain: \(expected)\n  mount: \(found)")
                }
            }
            // What is wrong with an entry that no later step is about would be missed.
            let isLast = index == operations.count - 1
            let isWhole = operation.isForTheMount || index % (20 * interval) == 20 * interval - 1 || isLast
            if isWhole || index % interval == interval - 1 {
                if let difference = try compare(plain, mounted, contents: isWhole) {
                    return Divergence(steps: index + 1, what: "after \(operation)\n\(difference)")
                }
            }
        }
        return nil
    }

    private func again(_ operation: ModelOperation, _ vault: TestVault, _ daemon: ChildProcess) throws -> ChildProcess {
        if operation == .kill { daemon.send(SIGKILL) } else { try vault.lock() }
        try daemon.wait()
        return try vault.serve()
    }

    private func compare(_ plain: ModelFolder, _ mounted: ModelFolder, contents: Bool) throws -> String? {
        let (expected, found) = (try plain.snapshot(contents: contents), try mounted.snapshot(contents: contents))
        let names = Set(expected.keys).union(found.keys).sorted()
        let different = names.filter { expected[$0] != found[$0] }
        if different.isEmpty { return nil }
        return different.prefix(5).map {
            "\($0)\n  plain: \(expected[$0] ?? "not there")\n  mount: \(found[$0] ?? "not there")"
        }.joined(separator: "\n")
    }
}

extension ModelRunner {
    /// The shortest sequence found that still goes apart: parts are left out, large ones first (delta debugging,
    /// Zeller and Hildebrandt 2002), for at most `attempts` runs.
    static func shrink(
        _ failing: [ModelOperation], attempts: Int,
        run: ([ModelOperation]) throws -> Divergence? = { try ModelRunner(operations: $0).run() }
    ) throws -> ([ModelOperation], Divergence?) {
        var (best, divergence): ([ModelOperation], Divergence?) = (failing, nil)
        var (size, left) = (max(1, failing.count / 2), attempts)
        while left > 0 {
            var start = 0
            var shrunk = false
            while start < best.count, left > 0 {
                var candidate = best
                candidate.removeSubrange(start..<min(start + size, best.count))
                left -= 1
                if let found = try run(candidate) {
                    (best, divergence, shrunk) = (Array(candidate.prefix(found.steps)), found, true)
                } else {
                    start += size
                }
            }
            if size == 1, !shrunk { break }
            size = max(1, size / 2)
        }
        return (best, divergence)
    }
}
