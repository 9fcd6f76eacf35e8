import Foundation
import TestSupport
import Testing

/// `coffer backup`, and copies of a vault's files that were taken without it.
@Suite struct BackupVerbTests {
    private func create(_ vault: TestVault, _ arguments: String..., expecting code: Int32 = 0) throws -> Command.Result
    {
        // Without a password, and without a terminal that could be asked.
        try vault.coffer(["backup", "create"] + arguments).run(expecting: code)
    }

    private func restore(
        _ vault: TestVault, _ arguments: String..., expecting code: Int32 = 0
    ) throws -> Command.Result {
        try vault.coffer(["backup", "restore"] + arguments).run(expecting: code)
    }

    private func verify(_ vault: TestVault, _ backup: String, expecting code: Int32 = 0) throws -> Command.Result {
        try vault.coffer(["backup", "verify", backup, "--password-file", vault.passwordFile]).run(expecting: code)
    }

    private func names(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    /// Which entries a vault's file has, on a machine that never saw it.
    private func list(_ vault: TestVault, _ file: String, expecting code: Int32 = 0) throws -> Command.Result {
        var command = try vault.coffer(["ls", "--vault", file, "--password-file", vault.passwordFile])
        command.environment?["XDG_STATE_HOME"] = try vault.home.directory("state \(UUID().uuidString)")
        return try command.run(expecting: code)
    }

    @Test func mountedAndNot() throws {
        try TestVault.with { vault in
            let (one, two) = (vault.home.file("one"), vault.home.file("two"))
            try vault.mount()
            for number in 0..<20 { try vault.write("text \(number)\n", to: "entry \(number)") }
            try Posix.write([UInt8](repeating: 7, count: 900_000), to: vault.path("large"))
            let made = try create(vault, one, "--json").text
            #expect(made.contains(one) && made.contains("\"time\""))
            try vault.write("later\n", to: "later")
            try vault.lock()
            _ = try create(vault, two)
            #expect(try Posix.status(one).st_mode & 0o777 == 0o600)
            #expect(try verify(vault, one).text.contains("authenticated"))
            _ = try verify(vault, two)
            #expect(try names(vault.home.path).allSatisfy { !$0.contains("tmp.") && !$0.hasPrefix(".coffer-verify") })

            // On another machine.
            try TestVault.with(initialized: false) { other in
                _ = try restore(other, one)
                try other.mount()
                #expect(try other.read("entry 19") == "text 19\n")
                #expect(try Posix.read(other.path("large")).count == 900_000)
                #expect(!FileManager.default.fileExists(atPath: other.path("later")))
                try other.lock()
                try other.opened("verify").run(expecting: 0)
            }
            try TestVault.with(initialized: false) { other in
                _ = try restore(other, two)
                #expect(try other.opened("show", "later").run(expecting: 0).text == "later\n")
            }
        }
    }

    /// Each backup is the state of one moment, whatever is written meanwhile.
    @Test func besideAWriter() throws {
        try TestVault.with { vault in
            try vault.mount()
            let script = """
                i=0; while [ -e go ]; do i=$((i+1)); echo "$i" > "mount point/a"; echo "$i" > "mount point/b"
                head -c 400000 /dev/urandom > "mount point/large"; mv "mount point/large" "mount point/old"; done
                """
            try vault.home.write("", to: "go")
            let writer = try vault.home.command("bash", ["-c", script]).start()
            defer { writer.kill() }
            let rounds = Program.long ? 50 : 6
            for round in 0..<rounds {
                let backup = vault.home.file("backup \(round)")
                _ = try create(vault, backup)
                #expect(try verify(vault, backup).text.contains("authenticated"))
                let copy = vault.home.file("copy \(round).coffer")
                _ = try restore(vault, backup, "--vault", copy)
                let shown = try ["a", "b"].map { name in
                    try vault.coffer(["show", name, "--vault", copy, "--password-file", vault.passwordFile]).run()
                }
                let counts = shown.map { Int($0.text.trimmingCharacters(in: .newlines)) ?? 0 }
                // The shell empties each file before it writes it.
                let isBetween = shown.contains { $0.text.isEmpty }
                #expect(isBetween || counts[0] >= counts[1] && counts[0] <= counts[1] + 1, "\(counts)")
            }
            try FileManager.default.removeItem(atPath: vault.home.file("go"))
            _ = try writer.wait()
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    @Test func exitCodes() throws {
        try TestVault.with { vault in
            let backup = vault.home.file("backup")
            _ = try create(vault, backup)
            #expect(try create(vault, backup, expecting: 41).errorText.contains("--replace"))
            _ = try create(vault, backup, "--replace")
            _ = try create(vault, vault.file + "-wal", expecting: 64)
            _ = try create(vault, vault.home.file("no folder/backup"), expecting: 1)
            _ = try create(vault, vault.home.file("x"), "--vault", vault.home.file("none"), expecting: 20)
            for arguments in [["verify", vault.home.file("none")], ["restore", vault.home.file("none")]] {
                #expect(try vault.coffer(["backup"] + arguments).run(expecting: 20).errorText.contains("no backup at"))
            }
            #expect(try restore(vault, vault.file, expecting: 20).errorText.contains("no backup of a vault"))
            _ = try vault.coffer(["backup", "verify", backup], input: "another one\n").run(expecting: 12)

            try vault.mount()
            #expect(try restore(vault, backup, expecting: 24).errorText.contains("coffer lock"))
            _ = try create(vault, vault.path("backup"), expecting: 64)
            try vault.lock()

            let whole = try Posix.read(backup)
            let before = try names(vault.home.file(".local/share/coffer"))
            var changed = whole
            changed[whole.count / 2] ^= 1
            for bytes in [Array(whole.dropLast()), Array(whole.prefix(5000)), Array(whole.prefix(5)), changed] {
                let bad = vault.home.file("bad")
                try Posix.write(bytes, to: bad)
                #expect(try restore(vault, bad, expecting: 26).errorText.contains("damaged"))
                _ = try verify(vault, bad, expecting: 26)
                _ = try restore(vault, bad, "--vault", vault.home.file("new.coffer"), expecting: 26)
            }
            #expect(try names(vault.home.file(".local/share/coffer")) == before)
            #expect(!FileManager.default.fileExists(atPath: vault.home.file("new.coffer")))

            let other = vault.home.file("other.coffer")
            _ = try vault.make("--vault", other)
            let bytes = try Posix.read(other)
            #expect(try restore(vault, backup, "--vault", other, expecting: 21).errorText.contains("left as it is"))
            #expect(try Posix.read(other) == bytes)
        }
    }

    /// What was there is kept; the alarm for older copies is quiet for the restored state, and for no other.
    @Test func overTheVaultItself() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("first\n", to: "a")
            let backup = vault.home.file("backup")
            _ = try create(vault, backup)
            try vault.lock()
            let older = try Posix.read(vault.file)
            try vault.mount()
            for number in 0..<30 { try vault.write("\(number)\n", to: "later") }
            try vault.lock()
            _ = try vault.opened("show", "later").run(expecting: 0)

            let said = try restore(vault, backup)
            #expect(said.errorText.contains("vault.coffer.old"))
            #expect(try vault.opened("ls").run(expecting: 0).text == "a\n")
            try vault.mount()
            try vault.write("after\n", to: "after")
            for number in 0..<5 { try vault.write("\(number)\n", to: "after") }
            try vault.lock()
            let earlier = vault.file + ".old"
            var command = try vault.opened("show", "later", "--vault", earlier)
            command.environment?["XDG_STATE_HOME"] = try vault.home.directory("other state")
            #expect(try command.run(expecting: 0).text == "29\n")

            // The same backup once more, and then a copy that is older than what was made since.
            try Posix.write(older, to: vault.file)
            #expect(try vault.opened("ls").run(expecting: 26).errorText.contains("older copy"))
            _ = try restore(vault, backup)
            #expect(try vault.opened("ls").run(expecting: 0).text == "a\n")
        }
    }

    /// Never "0 entries" with 0: a copy of the file alone names what it lacks.
    @Test func aRawCopyWhileItIsMounted() throws {
        try TestVault.with { vault in
            try vault.mount()
            for number in 0..<20 { try vault.write("text \(number)\n", to: "entry \(number)") }
            let (alone, whole) = (vault.home.file("alone.coffer"), vault.home.file("whole.coffer"))
            try Posix.write(Posix.read(vault.file), to: alone)
            for suffix in ["", "-wal", "-redo"] { try Posix.write(Posix.read(vault.file + suffix), to: whole + suffix) }
            let refused = try list(vault, alone, expecting: 26).errorText
            #expect(refused.contains("alone.coffer-wal") && refused.contains("alone.coffer-redo"), "\(refused)")
            _ = try create(vault, vault.home.file("backup"), "--vault", alone, expecting: 26)
            #expect(try list(vault, whole).text.split(separator: "\n").count == 20)
            try vault.lock()
            let closed = vault.home.file("closed.coffer")
            try Posix.write(Posix.read(vault.file), to: closed)
            #expect(try list(vault, closed).text.split(separator: "\n").count == 20)
        }
    }

    /// A file that is put over a vault whose process was killed opens, and the log that lies there is kept.
    @Test func overAKilledProcess() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("first\n", to: "a")
            try vault.lock()
            let copy = try Posix.read(vault.file)
            let daemon = try vault.serve()
            for number in 0..<300 { try vault.write("\(number)\n", to: "entry \(number)") }
            daemon.kill()
            _ = try daemon.wait()
            try Posix.write(copy, to: vault.file)
            try FileManager.default.removeItem(atPath: vault.home.file(".local/state/coffer"))
            Mount.clear(below: vault.home.path)
            let shown = try vault.opened("ls").run(expecting: 0)
            #expect(shown.text == "a\n" && shown.errorText.contains("-redo.old"), "\(shown.errorText)")
            try vault.mount()
            #expect(try vault.read("a") == "first\n")
            try vault.lock()
            #expect(try names(vault.home.file(".local/share/coffer")).contains("vault.coffer-redo.old"))
        }
    }
}
