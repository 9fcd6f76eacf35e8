import Foundation
import Synchronization
import TestSupport
import Testing

/// The daemon is killed: what was closed is there afterwards, and the next mount tidies up.
@Suite struct KillTests {
    @Test func nextMountClearsTheStaleOne() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("text", to: "entry")
            let daemon = try vault.daemon()
            daemon.send(SIGKILL)
            try daemon.waitForEnd()
            #expect(try Posix.code { _ = try vault.read("entry") } == ENOTCONN)
            try vault.mount()
            #expect(try Mount.below(vault.directory).count == 1)
            #expect(try vault.read("entry") == "text")
            try vault.lock()
            #expect(!vault.isMounted)
        }
    }

    /// A program that still writes must not get the bare folder while the vault is being unlocked: its text would lie
    /// there in clear, and be hidden by the mount.
    @Test func staleMountStaysUntilUnlocked() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            daemon.send(SIGKILL)
            try daemon.waitForEnd()
            try vault.coffer(["mount", vault.directory, "--password-command", "echo wrong"]).run(expecting: 12)
            #expect(try Posix.code { try vault.write("text", to: "entry") } == ENOTCONN)
            let writes = "echo text > '\(vault.path("entry"))'; head -n 1 '\(vault.passwordFile)'"
            try vault.coffer(["mount", vault.directory, "--password-command", writes]).run(expecting: 0)
            #expect(try Posix.code { _ = try vault.read("entry") } == ENOENT)
            try vault.lock()
            #expect(try Posix.names(vault.directory).isEmpty)
        }
    }

    /// The kernel answers some questions about a dead mount from its memory; that must not make it look alive.
    @Test func staleAfterListing() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            _ = try Posix.names(vault.directory)
            _ = try Posix.status(vault.directory)
            daemon.send(SIGKILL)
            try daemon.waitForEnd()
            _ = try? Posix.status(vault.directory)
            try vault.mount()
            try vault.write("text", to: "entry")
            try vault.lock()
        }
    }

    /// Beside a dead mount another process may have the vault: that is not called locked.
    @Test func deadMountBesideAnotherProcess() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            daemon.send(SIGKILL)
            try daemon.waitForEnd()
            let file = try Posix.File(vault.file, O_RDONLY)
            #expect(flock(file.number, LOCK_EX | LOCK_NB) == 0)
            let refusal = try vault.coffer(["lock"]).run(expecting: 24)
            #expect(refusal.errorText.contains("process \(getpid())"), "\(refusal.errorText)")
            #expect(!vault.isMounted)
            #expect(flock(file.number, LOCK_UN) == 0)
            try file.close()
            try vault.lock()
        }
    }

    /// Somewhere else than before: the dead mount goes too.
    @Test func staleMountElsewhereAndLock() throws {
        try TestVault.with { vault in
            for _ in 0..<2 {
                try vault.mount()
                let daemon = try vault.daemon()
                daemon.send(SIGKILL)
                try daemon.waitForEnd()
                try vault.lock()
                #expect(!vault.isMounted)
            }
            try vault.mount()
            let daemon = try vault.daemon()
            daemon.send(SIGKILL)
            try daemon.waitForEnd()
            try vault.coffer(["ls", "--password-file", vault.passwordFile]).run(expecting: 0)
            let other = try vault.home.directory("other")
            try vault.coffer(["mount", other, "--password-file", vault.passwordFile]).run(expecting: 0)
            #expect(!vault.isMounted)
            try vault.lock()
        }
    }

    /// What one writer did and knows to be done. Index of file -> the last content whose close() returned.
    private final class Ledger: Sendable {
        struct State {
            /// The last call that returned.
            var done: [String: String?] = [:]
            /// The call under way: its effect may be there or not.
            var pending: [String: String?] = [:]
        }
        let state = Mutex(State())
        /// The test is over, however it ended.
        let isOver = Atomic(false)

        func perform(_ name: String, _ content: String?, _ call: () throws -> Void) throws {
            state.withLock { $0.pending[name] = .some(content) }
            try call()
            state.withLock {
                $0.done[name] = .some(content)
                $0.pending[name] = nil
            }
        }
    }

    /// Every kind of operation at full speed until the daemon is gone.
    private static func work(_ vault: TestVault, _ ledger: Ledger, writer: Int, round: Int) {
        var step = 0
        do {
            while !ledger.isOver.load(ordering: .relaxed) {
                step += 1
                let name = "w\(writer) \(step % 17)"
                // Some in their row, some in chunks through the journal, some past it into whole chunks' cells.
                let lines = step % 23 == 0 ? 12_000 : 1 + step % 5 * 40
                let text = String(repeating: "writer \(writer) round \(round) step \(step)\n", count: lines)
                switch step % 4 {
                case 0:
                    try ledger.perform(name, nil) {
                        if unsafe unlink(vault.path(name)) != 0, errno != ENOENT { throw SystemFailure("unlink") }
                    }
                case 1:
                    let scratch = vault.path("w\(writer) scratch")
                    try Posix.write(Array(text.utf8), to: scratch)
                    try ledger.perform(name, text) {
                        try Posix.check(unsafe rename(scratch, vault.path(name)), "rename")
                    }
                default: try ledger.perform(name, text) { try vault.write(text, to: name) }
                }
            }
        } catch {}
    }

    /// A kill at a random moment of a write leaves the old content, a part of the new one, or the new one.
    @Test func underLoad() throws {
        let rounds = Program.long ? 200 : 20
        var random = SystemRandomNumberGenerator()
        try TestVault.with { vault in
            let ledgers = [Ledger(), Ledger()]
            defer { for ledger in ledgers { ledger.isOver.store(true, ordering: .relaxed) } }
            for round in 0..<rounds {
                let daemon = try vault.serve()
                try check(vault, ledgers, "round \(round)")
                let group = DispatchGroup()
                for (writer, ledger) in ledgers.enumerated() {
                    Thread.run(in: group) {
                        Self.work(vault, ledger, writer: writer, round: round)
                    }
                }
                // Killed by work done, not by time: after a random number of the writers' operations.
                let wanted = Int.random(in: 1...120, using: &random)
                let script = "i=0; while [ $i -lt \(wanted) ] && stat \"$1\" >&2; do i=$((i+1)); done"
                try vault.home.command("sh", ["-c", script, "sh", vault.directory]).run(expecting: 0)
                daemon.send(SIGKILL)
                try daemon.wait()
                #expect(group.wait(timeout: .now() + 300) == .success, "writers get an error and end")
            }
            let daemon = try vault.serve()
            try check(vault, ledgers, "the end")
            try vault.lock()
            try daemon.wait()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    private func check(_ vault: TestVault, _ ledgers: [Ledger], _ place: String) throws {
        for ledger in ledgers {
            let (done, pending) = ledger.state.withLock { ($0.done, $0.pending) }
            for (name, content) in done {
                let found = try present(name, in: vault)
                if let under = pending[name] {
                    // A write in flight: the file may be gone, empty, or hold a part of what was written.
                    let isOld = found == content
                    let isNew =
                        found == under || (under.map { new in found.map { new.hasPrefix($0) } ?? false } ?? false)
                    #expect(isOld || isNew, "\(place): \(name) holds what nobody wrote")
                } else {
                    #expect(found == content, "\(place): \(name) is not as its last close left it")
                }
                ledger.state.withLock {
                    $0.done[name] = .some(found)
                    $0.pending[name] = nil
                }
            }
        }
    }

    /// Nil where there is no such file; anything else that goes wrong is no such thing.
    private func present(_ name: String, in vault: TestVault) throws -> String? {
        var status = stat()
        if unsafe stat(vault.path(name), &status) != 0 {
            guard errno == ENOENT else { throw SystemFailure("stat") }
            return nil
        }
        return try vault.read(name)
    }
}
