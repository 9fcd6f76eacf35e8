import Foundation
import TestSupport
import Testing

/// What the verbs print, and usage.
@Suite struct VerbTests {
    static let verbs = [
        "init", "mount", "lock", "status", "ls", "show", "verify", "passwd", "kit", "join", "sync", "devices",
        "devices revoke", "devices rename", "devices leave", "history", "rotate", "remote", "remote set", "remote show",
        "remote clear", "remote rebuild",
    ]

    private func object(_ result: Command.Result) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(result.output)) as? [String: Any])
    }

    @Test(arguments: verbs) func helpAndUsage(_ verb: String) throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        let words = verb.split(separator: " ").map(String.init)
        let help = try home.command(try Program.coffer(), words + ["--help"]).run(expecting: 0)
        #expect(help.text.contains("coffer \(verb)") && help.errorText.isEmpty)
        let example = try #require(help.text.firstMatch(of: #/\nExample:\n\n  coffer (\w+)/#))
        #expect(String(example.1) == words[0])
        // Lines are broken at the terminal's width.
        let codes = try #require(help.text.firstMatch(of: #/\nExit codes: ([^.]+)\./#)).1.replacing("\n", with: " ")
        #expect(codes.hasPrefix("0 done") && codes.hasSuffix("64 usage"))
        // What else is missing would be said first.
        let needed = ["history": ["--device", "name"], "devices rename": ["name"]][verb] ?? []
        let arguments = words + ["--no-such-option", "argument"] + needed
        let wrong = try home.command(try Program.coffer(), arguments).run(expecting: 64)
        #expect(wrong.text.isEmpty && wrong.errorText.contains("no-such-option"))
    }

    @Test func usageOfTheProgram() throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        #expect(try home.coffer("--help").run(expecting: 0).text.contains("SUBCOMMANDS"))
        #expect(try home.coffer("--version").run(expecting: 0).text == "0.1.0\n")
        for arguments in [["nonsense"], ["mount"], ["show"], ["mount", "a", "b"], ["init", "--kdf-memory", "x"]] {
            try home.command(try Program.coffer(), arguments).run(expecting: 64)
        }
        for idle in ["0", "", "1x", "-5m", "99999999999d"] {
            try home.coffer("mount", "--idle=\(idle)", "/tmp").run(expecting: 64)
        }
    }

    /// A verb that there is not is told from an argument that is one too many.
    @Test(arguments: [
        ("find", "`find`.\n        Did you mean `coffer ls`?"),
        ("mout", "`mout`.\n        Did you mean `coffer mount`?"),
        ("hsow x", "`hsow`.\n        Did you mean `coffer show`?"),
        ("unlock m", "`unlock`.\n        Did you mean `coffer mount`?"),
        ("xyzzy", "`xyzzy`.\n        See what there is with `coffer --help`."),
        ("devices revok x", "`devices revok`.\n        Did you mean `coffer devices revoke`?"),
        ("remote nonsense", "`remote nonsense`.\n        See what there is with `coffer remote --help`."),
    ]) func unknownVerb(_ words: String, _ sentence: String) throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        let arguments = words.split(separator: " ").map(String.init)
        let result = try home.command(try Program.coffer(), arguments).run(expecting: 64)
        #expect(
            result.text.isEmpty && result.errorText.hasPrefix("coffer: There is no verb \(sentence)"),
            "\(result.errorText)")
    }

    @Test func initAgainChangesNothing() throws {
        try TestVault.with(initialized: false) { vault in
            let made = try object(vault.make("--json"))
            #expect((made["vault"] as? String)?.count == 32)
            #expect(made["path"] as? String == vault.file)
            #expect((made["fingerprint"] as? String)?.split(separator: " ").count == 6)
            let before = FileManager.default.contents(atPath: vault.file)
            let result = try vault.opened("init", "--kdf-memory", "64").run(expecting: 21)
            #expect(result.text.isEmpty)
            #expect(FileManager.default.contents(atPath: vault.file) == before)
            let mode = try Posix.status(vault.file).st_mode & 0o7777
            #expect(mode & 0o077 == 0, "nobody else reads the vault")
        }
    }

    /// Another file than the one that was named would be used.
    @Test func argumentsAreText() throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        let program = try Program.coffer()
        for script in [
            "exec \"$1\" init --vault \"$(printf 'v\\377')\"",
            "COFFER_VAULT=$(printf 'v\\377') exec \"$1\" status",
        ] {
            let result = try home.command("sh", ["-c", script, "sh", program]).run(expecting: 64)
            #expect(result.text.isEmpty && result.errorText.contains("no text in UTF-8"), "\(result.errorText)")
        }
    }

    @Test func interruptedInitLeavesNothing() throws {
        try TestVault.with(initialized: false, trueCost: true) { vault in
            let cost = ["--kdf-passes", "10", "--kdf-memory", "256", "--allow-weak-password"]
            let making = try vault.coffer(["init", "--password-file", vault.passwordFile] + cost).start()
            // The key is being derived when the memory for it is there.
            while !making.hasEnded, try RunningProcess.memory("VmRSS", of: making.identifier) < 128 << 10 {}
            making.send(SIGINT)
            #expect(try making.wait() == 128 + SIGINT)
            #expect(!FileManager.default.fileExists(atPath: vault.home.file(".local/share/coffer")))
            try vault.make()
        }
    }

    @Test(arguments: [
        ["--kdf-memory", "63"], ["--kdf-memory", "4097"], ["--kdf-passes", "2"], ["--kdf-passes", "11"],
    ])
    func kdfOutOfBounds(_ arguments: [String]) throws {
        try TestVault.with(initialized: false) { vault in
            let result = try vault.coffer(["init"] + arguments, input: TestVault.password).run(expecting: 13)
            #expect(result.text.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: vault.file))
        }
    }

    /// Without a cost given, one is measured; the wrap in the header says which (Sealing.md).
    @Test func kdfIsCalibrated() throws {
        try TestVault.with(initialized: false, trueCost: true) { vault in
            try vault.opened("init").run(expecting: 0)
            let query = "SELECT hex(substr(value, 9, 8)) FROM header WHERE name = 'wrap.unlock'"
            let words = try vault.home.command("sqlite3", [vault.file, query]).run(expecting: 0).text
            #expect(try (3...10).contains(#require(UInt32(words.prefix(2), radix: 16))))
            let quarter = ProcessInfo.processInfo.physicalMemory >> 22
            let memory = try #require(UInt32(words.dropFirst(8).prefix(8), radix: 16)).byteSwapped
            #expect(memory == UInt32(max(64, min(256, quarter))))
        }
    }

    @Test(arguments: [
        ["mount"], ["lock"], ["status"], ["ls"], ["show", "a"], ["verify"], ["passwd"], ["kit"], ["sync"], ["devices"],
        ["devices", "revoke", "a"], ["devices", "rename", "a", "b"], ["devices", "leave", "--yes"],
        ["history", "--device", "a"], ["rotate"], ["remote", "set", "/tmp"], ["remote", "show"], ["remote", "clear"],
        ["remote", "rebuild"],
    ])
    func noVault(_ verb: [String]) throws {
        try TestVault.with(initialized: false) { vault in
            let arguments = verb + (verb == ["mount"] ? [vault.directory] : [])
            if verb == ["lock"] { return _ = try vault.coffer(arguments).run(expecting: 0) }
            let result = try vault.coffer(arguments).run(expecting: 20)
            #expect(result.text.isEmpty && result.errorText.contains("no vault"))
        }
    }

    @Test(arguments: ["text", "empty", "database", "directory"]) func notAVault(_ kind: String) throws {
        try TestVault.with(initialized: false) { vault in
            let file = vault.home.file("thing")
            switch kind {
            case "text": try vault.home.write(String(repeating: "not a vault\n", count: 1000), to: "thing")
            case "empty": try vault.home.write("", to: "thing")
            case "directory": _ = try vault.home.directory("thing")
            default:
                try vault.home.command("sqlite3", [file, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"]).run(
                    expecting: 0)
            }
            let before = FileManager.default.contents(atPath: file)
            for verb in ["ls", "verify", "mount"] {
                let arguments = [verb, "--vault", file] + (verb == "mount" ? [vault.directory] : [])
                let result = try vault.coffer(arguments, input: TestVault.password).run(expecting: 20)
                #expect(result.text.isEmpty, "\(verb)")
            }
            #expect(FileManager.default.contents(atPath: file) == before, "somebody's file is left as it is")
        }
    }

    /// One waits for the other, as scripts expect (make -j, xargs -P).
    @Test func readingAtOnce() throws {
        try TestVault.with { vault in
            let lists = try (0..<4).map { _ in try vault.opened("ls").start() }
            for list in lists { #expect(try list.wait() == 0) }
        }
    }

    @Test(arguments: [true, false]) func listAndShow(mounted: Bool) throws {
        try TestVault.with { vault in
            try vault.mount()
            try FileManager.default.createDirectory(atPath: vault.path("mail"), withIntermediateDirectories: false)
            try vault.write("s3cret\nUser: me@example.org\nurl:https://a.b\nempty:\n\nfree notes\n", to: "mail/gmail")
            try vault.write("", to: "nothing")
            try vault.write("x", to: "b\nad\u{1B}\u{9B}\u{202E}")
            if !mounted { try vault.lock() }
            func run(_ arguments: String..., code: Int32 = 0) throws -> Command.Result {
                try vault.coffer(arguments, input: TestVault.password).run(expecting: code)
            }
            // For programs names are what they are; what a person sees of them is EntryTests'.
            #expect(try run("ls").text == "b\nad\u{1B}\u{9B}\u{202E}\nmail/\nnothing\n")
            #expect(try run("ls", "/mail").text == "gmail\n")
            let items = try JSONSerialization.jsonObject(with: Data(try run("ls", "--json", "mail").output))
            let item = try #require((items as? [[String: Any]])?.first)
            #expect(item["name"] as? String == "gmail" && item["isDirectory"] as? Bool == false)
            #expect(item["size"] as? Int == 63)
            #expect(try run("show", "mail/gmail").text.hasSuffix("free notes\n"))
            #expect(try run("show", "/mail/gmail", "password").text == "s3cret\n")
            #expect(try run("show", "mail/gmail", "user").text == "me@example.org\n")
            #expect(try run("show", "mail/gmail", "URL").text == "https://a.b\n")
            #expect(try run("show", "mail/gmail", "empty").text == "\n")
            #expect(try run("show", "nothing").text.isEmpty)
            for (wrong, code) in [
                (["mail/gmail", "none"], Int32(1)), (["none"], 40), (["mail"], 1), (["mail/gmail/below"], 40),
            ] {
                let result = try vault.coffer(["show"] + wrong, input: TestVault.password).run(expecting: code)
                #expect(result.text.isEmpty && result.errorText.hasPrefix("coffer: "))
            }
            #expect(try run("ls", "none", code: 40).text.isEmpty)
            if mounted { try vault.lock() }
        }
    }

    /// What is not mounted asks for no password and tells nothing that only the key tells.
    @Test func status() throws {
        try TestVault.with { vault in
            let locked = try object(vault.coffer(["status", "--json"]).run(expecting: 0))
            #expect(locked["isMounted"] as? Bool == false)
            #expect(locked["entries"] == nil)
            #expect(try vault.coffer(["status"]).run(expecting: 0).text.contains("locked"))
            try vault.mount()
            try vault.write("x", to: "entry")
            let open = try object(vault.coffer(["status", "--json"]).run(expecting: 0))
            #expect(open["isMounted"] as? Bool == true)
            #expect(open["mount"] as? String == vault.directory)
            #expect(open["entries"] as? Int == 1)
            #expect(open["isReadOnly"] as? Bool == false)
            #expect(try vault.coffer(["status"]).run(expecting: 0).text.contains("unlocked at \(vault.directory)"))
            try vault.lock()
        }
    }

    @Test(arguments: [true, false]) func verifyIntact(mounted: Bool) throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write(String(repeating: "content ", count: 50_000), to: "entry")
            if !mounted { try vault.lock() }
            let report = try object(vault.opened("verify", "--json").run(expecting: 0))
            #expect((report["damage"] as? [Any])?.isEmpty == true)
            #expect(report["contentBytes"] as? Int ?? 0 >= 400_000)
            if mounted { try vault.lock() }
        }
    }
}
