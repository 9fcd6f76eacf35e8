import Foundation
import TestSupport
import Testing

/// What `ls` and `show` find is the vault's, and the same with and without a mount.
@Suite struct EntryTests {
    private struct Refusal {
        let arguments: [String]
        var code: Int32 = 1
        let sentence: String
    }

    private static let refusals = [
        Refusal(arguments: ["show", "../outside.txt"], sentence: "../outside.txt: `..` leads nowhere"),
        Refusal(arguments: ["show", "mail/../../outside.txt"], sentence: "`..` leads nowhere"),
        Refusal(arguments: ["ls", ".."], sentence: "`..` leads nowhere"),
        Refusal(arguments: ["ls", "mail/.."], sentence: "`..` leads nowhere"),
        Refusal(arguments: ["show", "link"], sentence: "link is a symbolic link, which is not followed."),
        Refusal(
            arguments: ["show", "out/outside.txt"], code: 40,
            sentence: "There is no entry out/outside.txt in the vault."),
        Refusal(arguments: ["ls", "out"], code: 40, sentence: "There is no folder out in the vault."),
        Refusal(arguments: ["show", ".coffer/lock"], sentence: "`.coffer` is not an entry"),
        Refusal(arguments: ["show", "/./.coffer/lock"], sentence: "`.coffer` is not an entry"),
        Refusal(arguments: ["ls", ".coffer"], sentence: "`.coffer` is not an entry"),
        Refusal(arguments: ["show", "pipe"], sentence: "pipe is no regular file"),
        Refusal(arguments: ["show", "mail"], sentence: "mail is a folder, not an entry."),
        Refusal(arguments: ["show", ""], sentence: "The top of the vault is a folder, not an entry."),
        Refusal(
            arguments: ["show", "none"], code: 40, sentence: "no entry none in the vault.\n        See what there is"),
        Refusal(arguments: ["show", "mail/gmail", "user"], sentence: "has no field `user`.\n        The fields are"),
        Refusal(arguments: ["show", "mail/gmail", ""], sentence: "has no field ``.\n        The fields are"),
        Refusal(
            arguments: ["show", "mail/gmail/x"], code: 40, sentence: "There is no entry mail/gmail/x in the vault."),
        Refusal(arguments: ["ls", "none"], code: 40, sentence: "There is no folder none in the vault."),
        Refusal(arguments: ["ls", "mail/gmail"], code: 40, sentence: "There is no folder mail/gmail in the vault."),
    ]

    @Test(arguments: [true, false]) func nothingOutsideOfTheVaultIsFound(mounted: Bool) throws {
        try TestVault.with { vault in
            try vault.home.write("the host's", to: "outside.txt")
            try vault.mount()
            try unsafe Posix.check(mkdir(vault.path("mail"), 0o700), "mkdir")
            try vault.write("s3cret\n", to: "mail/gmail")
            try unsafe Posix.check(symlink("../outside.txt", vault.path("link")), "symlink")
            try unsafe Posix.check(symlink("..", vault.path("out")), "symlink")
            try unsafe Posix.check(mkfifo(vault.path("pipe"), 0o600), "mkfifo")
            if !mounted { try vault.lock() }
            for refusal in Self.refusals {
                let result = try vault.coffer(refusal.arguments, input: TestVault.password).run(expecting: refusal.code)
                #expect(result.text.isEmpty && result.errorText.contains(refusal.sentence), "\(refusal)")
            }
            #expect(vault.isMounted == mounted, "reading a control file would have locked it")
            #expect(try vault.opened("show", "//mail/./gmail/").run(expecting: 0).text == "s3cret\n")
            if mounted { try vault.lock() }
        }
    }

    /// Names are bytes: in a pipe they come as they are, in JSON with their bytes beside them.
    @Test func listsAreTheSameMountedAndNot() throws {
        try TestVault.with { vault in
            try vault.mount()
            try unsafe Posix.check(mkdir(vault.path("mail"), 0o700), "mkdir")
            try vault.write("s3cret\n", to: "entry")
            try vault.home.command("bash", ["-c", "echo odd > \"$0\"/$'bad\\xff\\n'", vault.directory]).run(
                expecting: 0)
            try unsafe Posix.check(symlink("nowhere", vault.path("link")), "symlink")
            let mounted = [try vault.opened("ls"), try vault.opened("ls", "--json")]
            let texts = try mounted.map { try $0.run(expecting: 0).output }
            #expect(texts[0] == Array("bad".utf8) + [0xFF, 0x0A, 0x0A] + Array("entry\nlink\nmail/\n".utf8))
            let json = String(decoding: texts[1], as: UTF8.self)
            #expect(json.contains("\"bytes\" : \"\(Data(Array("bad".utf8) + [0xFF, 0x0A]).base64EncodedString())\""))
            #expect(json.components(separatedBy: "\"bytes\"").count == 2, "text has no need of it")
            try vault.lock()
            #expect(try vault.opened("ls").run(expecting: 0).output == texts[0])
            #expect(try vault.opened("ls", "--json").run(expecting: 0).output == texts[1])
        }
    }

    /// On a terminal a name stands as `ls` shows it there, and a shell gives it to `show` and `ls` again.
    @Test(arguments: [true, false]) func namesThatAreNoText(mounted: Bool) throws {
        try TestVault.with { vault in
            try vault.mount()
            let names = ["plain", "a'$'\\377", "caf\u{E9}", "a b", "it'\\''s", "'$'\\n\\033''[31m", "\u{10FFFF}"]
            let make = names.map { "mkdir -p '\($0)' && echo '\($0)' > '\($0)/x'" }.joined(separator: " && ")
            try vault.home.command("bash", ["-c", "cd \"$0\" && \(make)", vault.directory]).run(expecting: 0)
            if !mounted { try vault.lock() }
            let list = try Pseudoterminal(vault.opened("ls"))
            #expect(try list.wait() == 0)
            let shown = list.transcriptText.split(whereSeparator: \.isNewline).map { String($0.dropLast()) }
            #expect(
                Set(shown) == [
                    "plain", "'a'$'\\377'", "caf\u{E9}", "'a b'", "'it'\\''s'", "''$'\\n\\033''[31m'",
                    "''$'\\364\\217\\277\\277'",
                ])
            let program = try Program.coffer()
            for name in shown {
                let line = "\"$0\" ls \(name) --password-file \"$1\" && \"$0\" show \(name)/x --password-file \"$1\""
                let result = try vault.home.command("bash", ["-c", line, program, vault.passwordFile]).run(expecting: 0)
                #expect(result.text.hasPrefix("x\n") && result.output.count > 3, "\(name)")
            }
            if mounted { try vault.lock() }
        }
    }

    /// Everything else is text: another file than the one that was named would be used.
    @Test func onlyPathsOfEntriesAreBytes() throws {
        try TestVault.with { vault in
            for words in ["ls --vault $'a\\xff'", "show x $'user\\xff'", "mount $'a\\xff'", "status $'--vault=\\xff'"] {
                let line = "\"$0\" \(words) --password-file \"$1\""
                let arguments = ["-c", words.hasPrefix("status") ? "\"$0\" \(words)" : line]
                let command = vault.home.command("bash", arguments + [try Program.coffer(), vault.passwordFile])
                #expect(try command.run(expecting: 64).errorText.contains("no text in UTF-8"), "\(words)")
            }
            let missing = vault.home.command(
                "bash",
                ["-c", "\"$0\" show $'a\\xff' --password-file \"$1\"", try Program.coffer(), vault.passwordFile])
            #expect(try missing.run(expecting: 40).errorText.contains("There is no entry 'a'$'\\377' in the vault."))
        }
    }

    /// CR and LF end a line in files from elsewhere: no password has the CR.
    @Test func fieldsOfLinesThatEndWithCRLF() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("s3cret\r\nuser: ann\r\nnote: a\rb\r\nlast: x\r", to: "entry")
            for (field, value) in [("password", "s3cret"), ("user", "ann"), ("note", "a\rb"), ("last", "x\r")] {
                #expect(try vault.opened("show", "entry", field).run(expecting: 0).text == value + "\n")
            }
            #expect(try vault.opened("show", "entry").run(expecting: 0).text.hasPrefix("s3cret\r\n"))
            try vault.lock()
        }
    }

    @Test func whatVanishesWhileAFolderIsListedIsLeftOut() throws {
        try TestVault.with { vault in
            try vault.mount()
            try unsafe Posix.check(mkdir(vault.path("folder"), 0o700), "mkdir")
            let loop = "cd \"$0\"; while :; do touch {1..500}; rm {1..500}; done"
            let changes = try vault.home.command("bash", ["-c", loop, vault.path("folder")]).start()
            for _ in 0..<30 { try vault.opened("ls", "folder").run(expecting: 0) }
            changes.kill()
            try changes.wait()
            try vault.lock()
        }
    }
}
