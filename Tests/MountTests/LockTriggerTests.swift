import Foundation
import TestSupport
import Testing

/// What locks a vault that nobody asked to lock: time without use, sleep, the end of a session. Each test of
/// logind has a message bus of its own.
@Suite struct LockTriggerTests {
    private static let sessionInterface = "org.freedesktop.login1.Session"

    private func mount(_ vault: TestVault, _ logind: LogindStandIn, _ options: [String] = []) throws -> ChildProcess {
        var command = try vault.opened("mount", "--foreground", vault.directory)
        command.arguments += options
        command.environment?["DBUS_SYSTEM_BUS_ADDRESS"] = logind.address
        let daemon = try command.start()
        try waitForMounts("the mount", by: daemon) { $0.contains { $0.directory == vault.directory } }
        return daemon
    }

    /// A vault whose daemon has done all that it does with logind at first.
    private func withMount(_ body: (TestVault, LogindStandIn, ChildProcess) throws -> Void) throws {
        try TestVault.with { vault in
            let logind = try LogindStandIn(vault.home)
            let daemon = try mount(vault, logind)
            try logind.work("an inhibitor is taken") { !logind.inhibitions.isEmpty }
            try logind.waitUntilSignalsAreHandled()
            try body(vault, logind, daemon)
        }
    }

    /// At the moment in which the machine may go to sleep, the vault is locked: no plaintext through what was open,
    /// no mount, nothing lost.
    @Test func sleepWaitsForTheLock() throws {
        try withMount { vault, logind, daemon in
            #expect(logind.inhibitions == [["sleep", "Coffer", "Locking the vault", "delay"]])
            let text = String(repeating: "plaintext ", count: 2000)
            try vault.write(text, to: "entry")
            let file = try Posix.File(vault.path("entry"), O_RDONLY)
            #expect(try file.read(9, at: 0) == Array("plaintext".utf8))
            let unsaved = try Posix.File(vault.path("unsaved"), O_WRONLY | O_CREAT)
            try unsaved.write(Array("written, not closed".utf8))

            try logind.emit("PrepareForSleep", boolean: false)
            try logind.waitUntilSignalsAreHandled()
            #expect(try vault.isMounted && !logind.isReleased())

            try logind.emit("PrepareForSleep", boolean: true)
            try logind.work("the inhibitor is released") { try logind.isReleased() }
            #expect(throws: SystemFailure.self) { _ = try file.read(9, at: 0) }
            #expect(!vault.isMounted)
            for suffix in ["-redo", "-wal"] {
                #expect(!FileManager.default.fileExists(atPath: vault.file + suffix), "all is in the vault's file")
            }

            #expect(try daemon.wait() == 0)
            try vault.mount()
            #expect(try vault.read("entry") == text)
            #expect(try vault.read("unsaved") == "written, not closed")
            try vault.lock()
        }
    }

    /// Whoever closes the lid has to know beforehand that the vault stays open.
    @Test func statusTellsThatSuspendDoesNotLock() throws {
        func suspend(_ vault: TestVault) throws -> String? {
            let text = try vault.coffer(["status"]).run(expecting: 0).text
            return text.split(separator: "\n").first { $0.hasPrefix("Suspend:") }.map { String($0) }
        }
        try withMount { vault, _, daemon in
            #expect(
                try vault.coffer(["status", "--json"]).run(expecting: 0).text.contains("\"onSuspend\" : \"locks\""))
            #expect(try suspend(vault) == nil)
            try vault.lock()
            try daemon.wait()
        }
        try TestVault.with { vault in
            let nowhere = ["DBUS_SYSTEM_BUS_ADDRESS": "unix:path=\(vault.home.file("none"))"]
            let daemon = try vault.serve(environment: nowhere)
            // It finds that out beside the mount.
            var looks = 0
            while try suspend(vault) == nil, looks < 1000 { looks += 1 }
            #expect(try suspend(vault)?.contains("does not lock: there is no logind") == true)
            try vault.lock()
            try daemon.wait()
            try vault.mount("--no-lock-on-suspend")
            #expect(try suspend(vault)?.contains("does not lock, as --no-lock-on-suspend says") == true)
            try vault.lock()
        }
    }

    @Test(arguments: ["Lock", "LockedHint", "SessionRemoved"]) func sessionLocksAndEnds(_ way: String) throws {
        try withMount { vault, logind, daemon in
            let other = LogindStandIn.session + "1"
            try logind.emit("Lock", of: Self.sessionInterface, at: other)
            try logind.emit("Unlock", of: Self.sessionInterface, at: LogindStandIn.session)
            try logind.emit("SessionRemoved", session: other)
            try logind.waitUntilSignalsAreHandled()
            #expect(vault.isMounted && !daemon.hasEnded, "that was none of this session's business")
            switch way {
            case "Lock": try logind.emit("Lock", of: Self.sessionInterface, at: LogindStandIn.session)
            case "SessionRemoved": try logind.emit("SessionRemoved", session: LogindStandIn.session)
            default:
                logind.isLockedHint = true
                try logind.waitUntilSignalsAreHandled()
            }
            #expect(try daemon.wait() == 0)
            #expect(!vault.isMounted)
        }
    }

    /// logind keeps a session in which programs are left as "closing", and sends nothing. /run is the daemon's own
    /// here, as the list of sessions is in it.
    @Test(.enabled(if: geteuid() == 0, "a name space of mounts needs root")) func sessionWithProgramsLeft() throws {
        try TestVault.with { vault in
            let logind = try LogindStandIn(vault.home)
            let script = """
                \(Mount.leaveOthers)
                mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/sessions || exit 1
                printf 'UID=0\\nSTATE=active\\n' > /run/systemd/sessions/7
                exec "$@"
                """
            let mount = try vault.opened("mount", "--foreground", vault.directory)
            var command = vault.home.command(
                "unshare", ["--mount", "sh", "-c", script, "sh", mount.program] + mount.arguments)
            command.environment?["DBUS_SYSTEM_BUS_ADDRESS"] = logind.address
            let daemon = try command.start()
            try logind.work("an inhibitor is taken") { !logind.inhibitions.isEmpty }
            let top = "/proc/\(daemon.identifier)/root"
            let list = "\(top)/run/systemd/sessions"
            for state in ["online", "closing"] {
                try logind.waitUntilSignalsAreHandled()
                #expect(!daemon.hasEnded)
                try Posix.write(Array("UID=0\nSTATE=\(state)\n".utf8), to: list + "/.new")
                try Posix.check(unsafe rename(list + "/.new", list + "/7"), "rename")
            }
            #expect(try daemon.wait() == 0)
        }
    }

    /// A bus that goes away, or has no logind, or is not there at all, is nothing to speak of.
    @Test(arguments: ["goes away", "has no logind", "is not there"]) func bus(_ state: String) throws {
        try TestVault.with { vault in
            let logind = try LogindStandIn(vault.home, answers: state != "has no logind")
            if state == "is not there" { try logind.kill() }
            let daemon = try mount(vault, logind)
            if state == "goes away" {
                try logind.work("an inhibitor is taken") { !logind.inhibitions.isEmpty }
                try logind.waitUntilSignalsAreHandled()
                try logind.kill()
            }
            try vault.write("text", to: "entry")
            #expect(try vault.read("entry") == "text")
            try vault.lock()
            #expect(try daemon.wait() == 0)
        }
    }

    /// With the option the bus is not even looked at.
    @Test(arguments: [[], ["--no-lock-on-suspend"]]) func canBeTurnedOff(_ options: [String]) throws {
        try TestVault.with { vault in
            let logind = try LogindStandIn(vault.home)
            let daemon = try mount(vault, logind, options)
            if options.isEmpty { try logind.work("an inhibitor is taken") { !logind.inhibitions.isEmpty } }
            try vault.lock()
            try daemon.wait()
            #expect(try logind.countGuests() == (options.isEmpty ? 1 : 0))
        }
    }

    /// What a program wrote and the disk has no room for yet would be lost by locking.
    @Test(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root")) func idleWaitsForUnsavedData() throws {
        let parent = "/tmp/coffer-idle-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: false)
        defer {
            Mount.clear(below: parent)
            try? FileManager.default.removeItem(atPath: parent)
        }
        try Command("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", parent]).run(expecting: 0)
        try TestVault.with(in: parent) { vault in
            let daemon = try vault.serve("--idle", "5s")
            let file = try Posix.File(vault.path("entry"), O_WRONLY | O_CREAT)
            let ballast = vault.home.file("ballast")
            let filler = try Posix.File(ballast, O_WRONLY | O_CREAT)
            while try Posix.code({ try filler.write([UInt8](repeating: 1, count: 1 << 16)) }) == 0 {}
            let text = [UInt8](repeating: UInt8(ascii: "t"), count: 1 << 18)
            try file.write(text)
            // Twice as long as it would take, had nothing been written.
            #expect(throws: TestFailure.self, "it is not locked") { try daemon.wait(timeout: .seconds(10)) }
            #expect(vault.isMounted)
            try filler.close()
            try FileManager.default.removeItem(atPath: ballast)
            #expect(try daemon.wait() == 0)
            try? file.close()
            try vault.mount()
            #expect(try Posix.read(vault.path("entry")) == text)
            try vault.lock()
        }
    }
}
