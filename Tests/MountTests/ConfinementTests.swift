import Foundation
import TestSupport
import Testing

/// What the process that has the keys can do no more once it serves a mount, and the small one beside it that does some of
/// that for it.
@Suite struct ConfinementTests {
    /// Lines of /proc/PID/status of all threads (proc(5)), each with all values that it has.
    private func status(_ field: String, of process: pid_t) throws -> Set<String> {
        var values: Set<String> = []
        for thread in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task") {
            let lines = RunningProcess.text("task/\(thread)/status", of: process).split(separator: "\n")
            // It may have ended since it was listed.
            guard let line = lines.first(where: { $0.hasPrefix("\(field):") }) else { continue }
            values.insert(line.dropFirst(field.count + 1).trimmingCharacters(in: .whitespaces))
        }
        return values
    }

    /// The process beside one that serves a mount.
    private func attendant(of daemon: pid_t) throws -> RunningProcess {
        let children = RunningProcess.text("task/\(daemon)/children", of: daemon).split(separator: " ")
        let found = children.compactMap { pid_t($0) }.filter {
            RunningProcess.text("cmdline", of: $0).hasPrefix("coffer attendant\0")
        }
        #expect(found.count == 1)
        return try RunningProcess(try #require(found.first))
    }

    /// From the moment in which the mount can be used, each thread: the filter cannot be taken off.
    @Test func theProcessWithTheKeysIsConfined() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            let beside = try attendant(of: daemon.identifier)
            #expect(try status("Seccomp", of: daemon.identifier) == ["2"])
            #expect(try status("NoNewPrivs", of: daemon.identifier) == ["1"])
            try vault.write("text", to: "entry")
            #expect(try vault.read("entry") == "text")
            #expect(try vault.coffer(["status", "--json"]).run(expecting: 0).text.contains("\"isConfined\" : true"))
            // fusermount3 is set-user-id.
            #expect(try status("NoNewPrivs", of: beside.identifier) == ["0"])
            try vault.lock()
            #expect(daemon.hasEnded && beside.hasEnded && !vault.isMounted)
        }
    }

    /// It has nothing of the vault's, no terminal, and stands in no folder that somebody may want to unmount.
    @Test(.enabled(if: geteuid() == 0, "only root may look")) func theProcessBesideHasNothing() throws {
        try TestVault.with { vault in
            try vault.mount()
            let beside = try attendant(of: vault.daemon().identifier).identifier
            let folder = "/proc/\(beside)/fd"
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
                #expect(target == "/dev/null" || target.hasPrefix("socket:["), "\(name) is \(target)")
            }
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(beside)/cwd") == "/")
            #expect(try !RunningProcess(beside).memoryContains(TestVault.password))
            try vault.lock()
        }
    }

    // MARK: Code of somebody else's in it

    private func withIntruder(_ call: Int? = nil, _ body: (TestVault, ChildProcess, () throws -> String) throws -> Void)
        throws
    {
        try TestVault.with { vault in
            let fifo = vault.home.file("tmp/answers")
            try Posix.check(unsafe mkfifo(fifo, 0o600), "mkfifo")
            var environment = try Program.preloading("libIntruder.so")
            environment["COFFER_INTRUDER_ANSWERS"] = fifo
            environment["COFFER_INTRUDER_CALL"] = call.map { "\($0)" }
            let daemon = try vault.serve(environment: environment)
            try vault.write("text", to: "entry")
            try body(vault, daemon) {
                daemon.send(SIGUSR2)
                return try Command("cat", [fifo]).run(expecting: 0).text
            }
        }
    }

    /// It runs no program, not in a child either, reads no process, and reaches little of the kernel; and the vault is
    /// served on.
    @Test func codeInTheProcessWithTheKeysReachesLittle() throws {
        try withIntruder { vault, daemon, intrude in
            let answers = try intrude().split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            let open: Set = ["unix", "inet", "inet6", "netlink"]
            let otherSockets: Set = ["packet", "alg", "vsock"]
            #expect(answers.count == 20)
            for answer in answers {
                let expected = open.contains(answer[0]) ? 0 : otherSockets.contains(answer[0]) ? EAFNOSUPPORT : EPERM
                #expect(answer[1] == "\(expected)", "\(answer[0])")
            }
            #expect(try vault.read("entry") == "text")
            try vault.lock()
            #expect(try daemon.wait() == 0)
        }
    }

    /// What changes the whole machine ends the process. What was saved is there.
    @Test(arguments: [
        ("kexec_load", 246), ("init_module", 175), ("pivot_root", 155), ("reboot", 169), ("swapon", 167),
        ("a call of another set of numbers", 0x4000_0000 + 39),
    ]) func codeThatChangesTheMachineEnds(_ name: String, _ number: Int) throws {
        // The numbers are those of one kind of processor.
        guard (try Command("uname", ["-m"]).run(expecting: 0).text) == "x86_64\n" else { return }
        try withIntruder(number) { vault, daemon, intrude in
            #expect(try intrude().isEmpty)
            #expect(try daemon.wait() == 128 + SIGSYS)
            #expect(try Posix.code { _ = try vault.read("entry") } == ENOTCONN)
            try vault.mount()
            #expect(try vault.read("entry") == "text")
            try vault.lock()
        }
    }

    // MARK: One of the two is gone

    /// It ends with the process of the mount, whatever ends that one.
    @Test(arguments: [SIGKILL, SIGTERM, SIGABRT]) func nothingIsLeftBehindTheDaemon(_ signal: Int32) throws {
        try TestVault.with { vault in
            let daemon = try vault.serve()
            let beside = try attendant(of: daemon.identifier)
            daemon.send(signal)
            try daemon.wait()
            try beside.waitForEnd()
            if signal == SIGTERM { #expect(!vault.isMounted) }
            // A dead mount is in the way of nobody.
            #expect(try Posix.code { _ = try vault.read("entry") } == (signal == SIGTERM ? ENOENT : ENOTCONN))
            _ = try vault.coffer(["lock"]).run(expecting: 0)
            #expect(!vault.isMounted)
        }
    }

    /// Signals for the whole group, as a terminal sends them, are for the process of the mount alone.
    @Test(arguments: [SIGTERM, SIGINT, SIGHUP]) func itOutlivesWhatAsksForALock(_ signal: Int32) throws {
        try TestVault.with { vault in
            let daemon = try vault.serve()
            let beside = try attendant(of: daemon.identifier)
            beside.send(signal)
            daemon.send(signal)
            #expect(try daemon.wait() == 0)
            #expect(!vault.isMounted && beside.hasEnded)
        }
    }

    /// The vault is served on. Who locks it with the program takes the mount away; else a dead one is left, in which
    /// nothing hangs, and which the next verb takes away.
    @Test(arguments: ["lock", "SIGTERM"]) func aVaultWhoseAttendantWasKilledLocks(_ way: String) throws {
        try TestVault.with { vault in
            let daemon = try vault.serve()
            let beside = try attendant(of: daemon.identifier)
            beside.send(SIGKILL)
            try beside.waitForEnd()
            try vault.write("text", to: "entry")
            if way == "lock" { try vault.lock() } else { daemon.send(SIGTERM) }
            #expect(try daemon.wait() == 0)
            if way == "SIGTERM" { #expect(try Posix.code { _ = try Posix.names(vault.directory) } == ENOTCONN) }
            try vault.coffer(["lock"]).run(expecting: 0)
            #expect(!vault.isMounted)
            try vault.mount()
            #expect(try vault.read("entry") == "text")
            try vault.lock()
        }
    }

    /// A process that is stopped holds nothing up for ever. The lock waits for it for some seconds.
    @Test(.enabled(if: Program.long)) func aVaultWhoseAttendantIsStoppedLocks() throws {
        try TestVault.with { vault in
            let daemon = try vault.serve()
            let beside = try attendant(of: daemon.identifier)
            try vault.write("text", to: "entry")
            beside.send(SIGSTOP)
            defer { beside.send(SIGKILL) }
            try vault.lock()
            #expect(try daemon.wait() == 0)
            #expect(!vault.isMounted)
        }
    }

    /// As another user than root: fusermount3 unmounts, and nothing of either process is left.
    @Test(.enabled(if: geteuid() == 0, "only root can become another user"), arguments: ["lock", "TERM", "idle"])
    func anOrdinaryUsersVaultIsConfined(_ way: String) throws {
        try OrdinaryUser.with { user, _ in
            let end = ["lock": "\"$COFFER\" lock", "TERM": "kill $daemon", "idle": ":"][way] ?? ""
            // A file that is being written keeps the vault from being idle.
            let script = """
                "$COFFER" init --kdf-memory 64 --password-file "$PASSWORD"
                "$COFFER" mount "$DIR" --password-file "$PASSWORD" \(way == "idle" ? "--idle 1s" : "")
                exec 9> "$DIR/entry"
                echo text >&9
                daemon=$(pgrep -u "$(id -u)" -f -- "--ready-descriptor.*$DIR")
                beside=$(pgrep -P "$daemon" -f "coffer attendant")
                grep -x "NoNewPrivs:.1" "/proc/$daemon/status"
                grep -x "Seccomp:.2" "/proc/$daemon/status"
                exec 9>&-
                \(end)
                tail -s 0.05 --pid="$daemon" -f /dev/null
                tail -s 0.05 --pid="$beside" -f /dev/null
                ! grep fuse.coffer /proc/self/mounts
                "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                grep -x text "$DIR/entry"
                "$COFFER" lock
                """
            try user.script(script).run(expecting: 0)
        }
    }
}
