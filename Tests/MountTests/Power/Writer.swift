import Foundation
import Synchronization
import TestSupport

/// What a name holds.
enum Holding: Equatable {
    case directory
    case file(Data)
}

/// One thing that a writer does, whose effect is there or not.
struct Step {
    enum Change {
        /// The file has this content then. In between it may be empty or hold a part of the old and of the new one.
        case content(String, Data)
        case directory(String)
        case remove(String)
        case move(String, to: String)
    }
    let change: Change

    /// The names that it is about.
    var names: [String] {
        switch change {
        case .content(let name, _), .directory(let name), .remove(let name): [name]
        case .move(let old, let new): [old, new]
        }
    }

    func apply(to state: inout [String: Holding]) {
        switch change {
        case .content(let name, let bytes): state[name] = .file(bytes)
        case .directory(let name): state[name] = .directory
        case .remove(let name): state[name] = nil
        case .move(let old, let new): state[new] = state.removeValue(forKey: old)
        }
    }
}

/// One of those who work in the mount: does a step after the other, and tells the log when each began and ended.
///
/// Not `Sendable`: one thread at a time has it.
final class Writer {
    let number: Int
    private(set) var steps: [Step] = []
    private(set) var state: [String: Holding] = [:]
    private let vault: TestVault
    private let log: RecordedLog
    private var random: SeededRandom

    /// Its own directory in the mount.
    private var directory: String { vault.path("w\(number)") }

    init(_ number: Int, _ vault: TestVault, _ log: RecordedLog, seed: UInt64) {
        (self.number, self.vault, self.log) = (number, vault, log)
        random = SeededRandom(seed: seed &+ UInt64(number))
    }

    private func path(_ name: String) -> String { name.isEmpty ? directory : "\(directory)/\(name)" }

    private func perform(_ change: Step.Change, _ body: () throws -> Void) throws {
        let step = Step(change: change)
        steps.append(step)
        try log.mark(Mark(kind: .start, writer: number, step: steps.count - 1))
        try body()
        try log.mark(Mark(kind: .end, writer: number, step: steps.count - 1))
        step.apply(to: &state)
    }

    /// fsync(2): all steps so far are promised when it returns.
    private func synchronize(_ file: Posix.File) throws {
        try log.mark(Mark(kind: .syncStart, writer: number, step: steps.count))
        try file.synchronize()
        try log.mark(Mark(kind: .syncEnd, writer: number, step: steps.count))
    }

    private func synchronizeDirectory() throws {
        try synchronize(Posix.File(directory, O_RDONLY | O_DIRECTORY))
    }

    // MARK: What it does

    /// Everything between two mounts. At the beginning cells are used that may have become free at the end of the
    /// last one, by an operation that was never synced.
    func work(_ count: Int) throws {
        if steps.isEmpty {
            try perform(.directory("")) { try Posix.check(unsafe mkdir(directory, 0o700), "mkdir") }
            // SQLite's log is in use before the first large file: when it is begun, SQLite syncs the directory.
            try fillJournal()
        }
        try rewrite("large 0", synced: [])
        for _ in 0..<count { try workOnce() }
        try rewrite("large 1", synced: [])
    }

    /// Nothing but the program's own work protects what is synced here: so much goes through the journal that its
    /// regions take turns more than once, and what becomes free of a large file was in its synced state.
    func workAlone() throws {
        try save("before", bytes(1...900), isSynced: true)
        try fillJournal()
        try fillJournal()
        try rewrite("large 0", synced: [0])
    }

    private func fillJournal() throws {
        for part in 0..<9 { try save("part \(part)", bytes(200_000...250_000), isSynced: false) }
    }

    private func workOnce() throws {
        let name = "file \(random.below(12))"
        switch random.below(20) {
        case 0...2: try save(name, bytes(1...900), isSynced: false)
        case 3...4: try save(name, bytes(1000...60_000), isSynced: false)
        case 5: try save(name, bytes(1...60_000), isSynced: true)
        // Many that go through the journal one after the other, which take its regions in turns.
        case 6: try save("part", bytes(150_000...250_000), isSynced: false)
        case 7: try save("large \(random.below(2))", bytes(1 << 20...1 << 20), isSynced: random.below(2) == 0)
        case 8: try rewrite("large \(random.below(2))", synced: random.below(2) == 0 ? [] : [Int(random.below(3))])
        case 9...12: try appendTo(name)
        case 13...14: try remove(name)
        case 15...16: try replace(name)
        case 17: try makeDirectory("directory \(random.below(6))")
        case 18: try editorSave(name)
        default: try synchronizeDirectory()
        }
    }

    private func bytes(_ count: ClosedRange<Int>) -> Data {
        let length = count.lowerBound + Int(random.below(UInt64(count.count)))
        let line = Data("writer \(number) step \(steps.count) \(random.next())\n".utf8)
        var data = Data(capacity: length + line.count)
        while data.count < length { data.append(data.isEmpty ? line : data) }
        return data.prefix(length)
    }

    private func save(_ name: String, _ content: Data, isSynced: Bool) throws {
        guard state[name] != .directory else { return }
        try perform(.content(name, content)) {
            let file = try Posix.File(path(name), O_WRONLY | O_CREAT | O_TRUNC)
            try file.write([UInt8](content))
            if isSynced { try synchronize(file) }
            try file.close()
        }
    }

    /// A large file is written over in place, a few times in one opening: its earlier chunks are no version then,
    /// and their cells become free. The parts with these numbers are synced.
    private func rewrite(_ name: String, synced: Set<Int>) throws {
        guard case .file(let old)? = state[name], old.count == 1 << 20 else {
            return try save(name, bytes(1 << 20...1 << 20), isSynced: false)
        }
        let file = try Posix.File(path(name), O_WRONLY)
        var content = [UInt8](old)
        for part in 0..<3 {
            let start = Int(random.below(9)) << 16
            let added = bytes(8 << 16...8 << 16)
            content.replaceSubrange(start..<(start + added.count), with: added)
            try perform(.content(name, Data(content))) {
                guard lseek(file.number, start, SEEK_SET) == start else { throw SystemFailure("lseek") }
                try file.write([UInt8](added))
                // The close of a copy commits as every close(2) does (flush of FUSE).
                let copy = dup(file.number)
                guard copy >= 0, close(copy) == 0 else { throw SystemFailure("close") }
            }
            if synced.contains(part) { try synchronize(file) }
        }
        try file.close()
    }

    private func appendTo(_ name: String) throws {
        guard case .file(let old)? = state[name] else { return try save(name, bytes(1...900), isSynced: false) }
        let added = bytes(1...3000)
        try perform(.content(name, old + added)) {
            let file = try Posix.File(path(name), O_WRONLY | O_APPEND)
            try file.write([UInt8](added))
            try file.close()
        }
    }

    private func remove(_ name: String) throws {
        guard case .file? = state[name] else { return }
        try perform(.remove(name)) { try Posix.check(unsafe unlink(path(name)), "unlink") }
    }

    private func replace(_ name: String) throws {
        try save("scratch", bytes(1...20_000), isSynced: false)
        try perform(.move("scratch", to: name)) {
            try Posix.check(unsafe rename(path("scratch"), path(name)), "rename")
        }
    }

    private func makeDirectory(_ name: String) throws {
        if state[name] == nil {
            try perform(.directory(name)) { try Posix.check(unsafe mkdir(path(name), 0o700), "mkdir") }
        }
        try save("\(name)/inside \(random.below(3))", bytes(1...2000), isSynced: false)
    }

    /// As editors do: a new file that is synced takes the old one's name, and then the directory is synced.
    private func editorSave(_ name: String) throws {
        try save("new text", bytes(1...40_000), isSynced: true)
        try perform(.move("new text", to: name)) {
            try Posix.check(unsafe rename(path("new text"), path(name)), "rename")
        }
        try synchronizeDirectory()
    }
}
