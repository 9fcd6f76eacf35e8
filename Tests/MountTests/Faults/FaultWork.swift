import Foundation
import TestSupport

/// A program's work in a mount whose disk fails: every kind of change, and for each what its answer promises.
struct FaultWork {
    let vault: TestVault
    let fault: Fault
    private(set) var ledger: FaultLedger
    /// What went against the contract.
    private(set) var complaints: [String] = []
    /// How many calls have failed.
    private(set) var failures = 0
    /// fsync(2) has failed, because the disk's own did.
    private var hasFailedSync = false
    private var random: SeededRandom

    init(_ vault: TestVault, _ ledger: FaultLedger, _ fault: Fault) {
        (self.vault, self.ledger, self.fault) = (vault, ledger, fault)
        random = SeededRandom(seed: fault.seed)
    }

    /// What the vault holds before anything fails.
    static func prepare(_ vault: TestVault) throws {
        for (name, count) in [
            ("small", 300), ("medium", 60_000), ("large", 1 << 20), ("victim", 900), ("moved", 5000), ("log", 2000),
            ("replaced", 40_000), ("inline", 200),
        ] { try Posix.write([UInt8](text(name, count)), to: vault.path(name)) }
        for name in ["empty", "folder"] { try Posix.check(unsafe mkdir(vault.path(name), 0o700), "mkdir \(name)") }
    }

    private static func text(_ label: String, _ count: Int) -> Data {
        var data = Data(capacity: count + 40)
        var line = 0
        while data.count < count {
            data.append(Data("\(label) line \(line)\n".utf8))
            line += 1
        }
        return data.prefix(count)
    }

    private mutating func bytes(_ name: String, _ count: Int) -> Data {
        Self.text("\(name) \(random.next() % 1000)", count)
    }

    /// All of it, as far as nothing keeps it from that.
    mutating func run() {
        save("new", count: 500, synced: true)
        check("large")
        save("medium", count: 60_000, synced: false)
        save("scratch", count: 20_000, synced: false)
        name(from: "scratch", to: "replaced")
        make("folder/inside")
        save("folder/inside/file", count: 3000, synced: false)
        rewriteLarge()
        save("inline", count: 180, synced: false)
        remove("victim", directory: false)
        append("log", count: 2500)
        resize("large", to: 300_000)
        nameOverSwapFile(from: "medium")
        name(from: "moved", to: "folder/moved")
        save("small", count: 700, synced: true)
        check("replaced")
        remove("empty", directory: true)
        rewriteLarge()
        synchronizeDirectory()
        save("new", count: 100_000, synced: true)
    }

    // MARK: One call each

    /// - Returns: whether the call has returned success.
    private mutating func attempt(_ what: String, _ call: () throws -> Void) -> Bool {
        do {
            try call()
            return true
        } catch let failure as SystemFailure {
            failures += 1
            // What a full disk says of a sync or of an index is an error of input and output.
            if failure.code != EIO, failure.code != fault.error {
                complaints.append("\(what) gave \(failure), neither EIO nor errno \(fault.error)")
            }
        } catch {
            complaints.append("\(what): \(error)")
        }
        return false
    }

    /// A name that a failed call was to change is as it was.
    private mutating func checkUnchanged(_ name: String) {
        let isThere = (try? Posix.status(vault.path(name))) != nil
        if isThere != ledger.exists(name) { complaints.append("a failed call has changed \(name)") }
    }

    private mutating func make(_ name: String) {
        if attempt("mkdir \(name)", { [vault] in try Posix.check(unsafe mkdir(vault.path(name), 0o700), "mkdir") }) {
            ledger.set(name, .directory)
        } else {
            checkUnchanged(name)
        }
    }

    private mutating func remove(_ name: String, directory: Bool) {
        let isGone = attempt("remove \(name)") { [vault] in
            let path = vault.path(name)
            try Posix.check(directory ? unsafe rmdir(path) : unsafe unlink(path), "remove")
        }
        if isGone { ledger.set(name, nil) } else { checkUnchanged(name) }
    }

    private mutating func name(from old: String, to new: String) {
        guard ledger.exists(old) else { return }
        let isDone = attempt("rename \(old)") { [vault] in
            try Posix.check(unsafe rename(vault.path(old), vault.path(new)), "rename")
        }
        if isDone { return ledger.move(old, to: new) }
        checkUnchanged(old)
        checkUnchanged(new)
    }

    /// A file that lives in memory only stays as well when the rename over it fails. It is gone with the daemon.
    private mutating func nameOverSwapFile(from old: String) {
        let swap = ".swap.swp"
        guard attempt("create \(swap)", { [vault] in _ = try Posix.File(vault.path(swap), O_WRONLY | O_CREAT) }) else {
            return
        }
        let isDone = attempt("rename \(old)") { [vault] in
            try Posix.check(unsafe rename(vault.path(old), vault.path(swap)), "rename")
        }
        if isDone { return ledger.move(old, to: swap) }
        checkUnchanged(old)
        if (try? Posix.status(vault.path(swap))) == nil { complaints.append("a failed rename has taken \(swap)") }
        _ = attempt("remove \(swap)") { [vault] in try Posix.check(unsafe unlink(vault.path(swap)), "unlink") }
    }

    private mutating func save(_ name: String, count: Int, synced: Bool) {
        if name.contains("/"), !ledger.exists(String(name.prefix { $0 != "/" } + "/inside")) { return }
        let content = bytes(name, count)
        write(name, O_WRONLY | O_CREAT | O_TRUNC, [UInt8](content), at: nil, result: content, synced: synced)
    }

    /// Half of the large file, in place: cells of its own, and past the journal.
    private mutating func rewriteLarge() {
        guard var content = ledger.content("large") else { return }
        let start = Int(random.below(8)) << 15, added = bytes("large", 512 << 10)
        if content.count < start + added.count { content.append(Data(count: start + added.count - content.count)) }
        content.replaceSubrange(start..<(start + added.count), with: added)
        write("large", O_WRONLY, [UInt8](added), at: start, result: content, synced: true)
    }

    private mutating func append(_ name: String, count: Int) {
        guard let old = ledger.content(name) else { return }
        let added = bytes(name, count)
        write(name, O_WRONLY | O_APPEND, [UInt8](added), at: nil, result: old + added, synced: false)
    }

    private mutating func write(
        _ name: String, _ flags: Int32, _ bytes: [UInt8], at offset: Int?, result: Data, synced: Bool
    ) {
        var opened: Posix.File?
        _ = attempt("open \(name)") { [vault] in opened = try Posix.File(vault.path(name), flags) }
        guard let file = opened else { return checkUnchanged(name) }
        if !ledger.exists(name) { ledger.set(name, .file(Data())) }
        if flags & O_TRUNC != 0 { ledger.spoil(name, with: Data()) }
        var isDone = attempt("write \(name)") {
            if let offset, lseek(file.number, offset, SEEK_SET) != offset { throw SystemFailure("lseek") }
            try file.write(bytes)
        }
        if isDone, synced { isDone = synchronize(file, name, isSmall: bytes.count < 200_000) }
        let isClosed = attempt("close \(name)") { try file.close() }
        if isDone, isClosed { ledger.set(name, .file(result)) } else { ledger.spoil(name, with: result) }
    }

    private mutating func resize(_ name: String, to size: Int) {
        guard let old = ledger.content(name) else { return }
        if attempt("truncate \(name)", { [vault] in try Posix.check(unsafe truncate(vault.path(name), size), "") }) {
            ledger.set(name, .file(old.prefix(size)))
        } else {
            ledger.spoil(name, with: old.prefix(size))
        }
    }

    private mutating func synchronize(_ file: Posix.File, _ name: String, isSmall: Bool) -> Bool {
        let isDone = attempt("fsync \(name)") { try file.synchronize() }
        if isDone, hasFailedSync { complaints.append("fsync \(name) succeeds after one has failed") }
        // Of a large content only its chunks' sync may have failed, in which no other file has a part.
        if !isDone, isSmall, fault.isOfSyncs { hasFailedSync = true }
        return isDone
    }

    private mutating func synchronizeDirectory() {
        _ = attempt("fsync of the directory") { [vault] in
            try Posix.File(vault.directory, O_RDONLY | O_DIRECTORY).synchronize()
        }
    }

    // MARK: Looking

    /// Reading gives what is there, or an error.
    private mutating func check(_ name: String) {
        var found: Holding?
        if attempt("read \(name)", { [vault] in found = .file(Data(try Posix.read(vault.path(name)))) }) {
            if let complaint = ledger.complaint(name, found) { complaints.append("in the mount, \(complaint)") }
        }
    }

    /// Nothing fails any more: everything is readable, and what is in a file can be made to stay.
    mutating func checkAll(canSync: Bool) {
        for name in ledger.known {
            guard ledger.exists(name) else {
                checkUnchanged(name)
                continue
            }
            if case .exactly(.directory?)? = ledger.names[name] { continue }
            let before = failures
            check(name)
            if failures > before { complaints.append("\(name) cannot be read after the fault") }
            if canSync { settle(name) }
        }
    }

    private mutating func settle(_ name: String) {
        let before = failures
        var content: Data?
        let isDone = attempt("settling \(name)") { [vault] in
            content = Data(try Posix.read(vault.path(name)))
            try Posix.File(vault.path(name), O_WRONLY).synchronize()
        }
        if isDone, let content { ledger.settle(name, content) }
        if failures > before { complaints.append("\(name) cannot be synced after the fault") }
    }
}
