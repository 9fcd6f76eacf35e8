import Foundation
import TestSupport
import Testing

/// Where the master password comes from, and what a wrong one gets.
@Suite struct PasswordTests {
    private static let wrong = "plum violet anchor 48 harbour"

    @Test(arguments: [["mount"], ["ls"], ["show", "a"], ["verify"], ["passwd"], ["kit", "--text"]])
    func wrongOne(_ verb: [String]) throws {
        try TestVault.with { vault in
            let arguments = verb + (verb == ["mount"] ? [vault.directory] : [])
            let result = try vault.coffer(arguments, input: Self.wrong + "\n").run(expecting: 12)
            #expect(result.text.isEmpty)
            #expect(
                result.errorText == """
                    coffer: The password does not open this vault.
                            Check the keyboard layout and Caps Lock, and try again.

                    """)
            #expect(!vault.isMounted)
        }
    }

    @Test(arguments: ["", "\n", "password\n", "12345678\n", "aaaaaaaa\n", "abc\n"]) func weakOne(_ line: String) throws
    {
        try TestVault.with(initialized: false) { vault in
            let result = try vault.coffer(["init", "--kdf-memory", "64"], input: line).run(expecting: 22)
            #expect(result.text.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: vault.file), "nothing is made")
        }
    }

    @Test func weakOneByOverride() throws {
        try TestVault.with(initialized: false) { vault in
            let arguments = ["init", "--kdf-memory", "64", "--allow-weak-password"]
            try vault.coffer(arguments, input: "\n").run(expecting: 22)
            try vault.coffer(arguments, input: "abc\n").run(expecting: 0)
            try vault.coffer(["ls"], input: "abc\n").run(expecting: 0)
        }
    }

    @Test func byFileCommandAndInput() throws {
        try TestVault.with { vault in
            try vault.coffer(["ls", "--password-file", vault.passwordFile]).run(expecting: 0)
            try vault.coffer(["ls", "--password-command", "cat '\(vault.passwordFile)'"]).run(expecting: 0)
            try vault.coffer(["ls"], input: TestVault.password).run(expecting: 0)
            try vault.coffer(["ls"], input: TestVault.password + "\r\nmore\n").run(expecting: 0)
            try vault.coffer(["ls", "--password-file", vault.home.file("none")]).run(expecting: 1)
            try vault.coffer(["ls", "--password-command", "exit 3"]).run(expecting: 1)
            for arguments in [["--password-command", "cat '\(vault.passwordFile)'"], ["--password-file=password"]] {
                try vault.coffer(["mount", vault.directory] + arguments).run(expecting: 0)
                try vault.lock()
            }
        }
    }

    /// Nobody is there to be asked: that is said, and not that an empty password was given.
    @Test(arguments: [
        ["mount"], ["ls"], ["show", "a"], ["verify"], ["passwd"], ["kit", "--text"], ["devices"], ["sync"], ["rotate"],
        ["remote", "show"],
    ]) func nobodyToAsk(_ verb: [String]) throws {
        try TestVault.with { vault in
            let arguments = verb + (verb == ["mount"] ? [vault.directory] : [])
            let result = try vault.coffer(arguments).run(expecting: 22)
            let sentence = "The vault \(vault.file) is locked, and there is no terminal to ask for the master password"
            #expect(result.text.isEmpty && result.errorText.hasPrefix("coffer: \(sentence)"), "\(result.errorText)")
            #expect(!result.errorText.contains("password is empty"))
        }
    }

    @Test func nobodyToAskForAnother() throws {
        try TestVault.with { vault in
            let another = vault.home.file("another")
            let made = try vault.coffer(["init", "--kdf-memory", "64", "--vault", another]).run(expecting: 22)
            #expect(made.errorText.hasPrefix("coffer: There is no terminal to ask for the master password"))
            let changed = try vault.coffer(["passwd"], input: TestVault.password + "\n").run(expecting: 22)
            #expect(changed.errorText.hasPrefix("coffer: There is no terminal to ask for the new master password"))
            try vault.mount()
            let kit = try vault.coffer(["kit", "--text"]).run(expecting: 22)
            #expect(kit.errorText.hasPrefix("coffer: There is no terminal to ask for the master password"))
            try vault.lock()
        }
    }

    /// Which of them would be taken, nobody can know.
    @Test func twoSourcesAreRefused() throws {
        try TestVault.with { vault in
            let both = ["--password-file", vault.passwordFile, "--password-command", "cat '\(vault.passwordFile)'"]
            for verb in [["ls"], ["mount", vault.directory], ["devices"], ["passwd"], ["init"]] {
                let result = try vault.coffer(verb + both).run(expecting: 64)
                #expect(result.errorText.contains("--password-file and --password-command both"), "\(verb)")
            }
            #expect(!vault.isMounted)
        }
    }

    /// Editors of Windows write a byte order mark before the text, which nobody sees.
    @Test func byteOrderMark() throws {
        try TestVault.with { vault in
            let file = try vault.home.write("\u{FEFF}" + TestVault.password + "\r\n", to: "with mark")
            try vault.coffer(["ls", "--password-file", file]).run(expecting: 0)
            try vault.coffer(["ls", "--password-command", "cat '\(file)'"]).run(expecting: 0)
            try vault.coffer(["ls"], input: "\u{FEFF}" + TestVault.password + "\n").run(expecting: 0)
            try vault.coffer(["mount", vault.directory, "--password-file", file]).run(expecting: 0)
            try vault.lock()
            let new = try vault.home.write("\u{FEFF}copper lantern 93 meadow\n", to: "new")
            try vault.opened("passwd", "--new-password-file", new).run(expecting: 0)
            try vault.coffer(["ls"], input: "copper lantern 93 meadow\n").run(expecting: 0)
        }
    }

    /// The same letters in another normal form of Unicode are the same password.
    @Test func inAnyNormalForm() throws {
        try TestVault.with(initialized: false) { vault in
            try vault.coffer(["init", "--kdf-memory", "64"], input: "gr\u{FC}ner Anker 47 Hafen\n").run(expecting: 0)
            try vault.coffer(["ls"], input: "gru\u{308}ner Anker 47 Hafen\n").run(expecting: 0)
        }
    }

    @Test func onTerminal() throws {
        try TestVault.with(initialized: false) { vault in
            let initial = try Pseudoterminal(vault.coffer(["init", "--kdf-memory", "64"]))
            try initial.expect("master password: ")
            try initial.send(TestVault.password + "\r")
            try initial.expect("again: ")
            try initial.send("x\u{7F}" + TestVault.password + "\r")
            #expect(try initial.wait() == 0)
            #expect(!initial.transcriptText.contains("violet"), "no echo")

            let mount = try Pseudoterminal(vault.coffer(["mount", vault.directory]))
            try mount.expect("Master password: ")
            try mount.send(TestVault.password + "\r")
            #expect(try mount.wait() == 0)
            #expect(!mount.transcriptText.contains("violet"), "no echo")
            #expect(vault.isMounted, "the end of the terminal does not take the mount with it")
            try vault.write("text", to: "entry")
            try vault.lock()
        }
    }

    @Test func differingOrInterruptedOnTerminal() throws {
        try TestVault.with(initialized: false) { vault in
            let differing = try Pseudoterminal(vault.coffer(["init", "--kdf-memory", "64"]))
            try differing.expect("master password: ")
            try differing.send(TestVault.password + "\r")
            try differing.expect("again: ")
            try differing.send(Self.wrong + "\r")
            #expect(try differing.wait() == 22)

            let interrupted = try Pseudoterminal(vault.coffer(["init", "--kdf-memory", "64"]))
            try interrupted.expect("master password: ")
            try interrupted.send("half\u{3}")
            #expect(try interrupted.wait() == 130)
            #expect(!FileManager.default.fileExists(atPath: vault.file))
        }
    }

    /// Whatever ends the program while it waits for a password.
    @Test(arguments: [SIGTERM, SIGHUP, SIGINT]) func terminalIsLeftAsItWas(_ signal: Int32) throws {
        try TestVault.with { vault in
            let script = "trap : TERM HUP INT; \"$1\" ls; echo code $?; stty -a; echo end"
            let terminal = try Pseudoterminal(vault.home.command("sh", ["-c", script, "sh", try Program.coffer()]))
            try terminal.expect("Master password: ")
            let waiting = RunningProcess.all(home: vault.home.path).filter {
                !RunningProcess.text("cmdline", of: $0.identifier).contains("stty")
            }
            #expect(waiting.count == 1)
            for process in waiting { process.send(signal) }
            #expect(try terminal.expect("code").isEmpty == false)
            let shown = try terminal.expect("end")
            #expect(shown.hasPrefix(" \(128 + signal)"))
            #expect(shown.contains(" echo ") && !shown.contains("-isig"))
            #expect(try terminal.wait() == 0)
        }
    }

    @Test func editingOnTerminal() throws {
        try TestVault.with { vault in
            let terminal = try Pseudoterminal(vault.coffer(["ls"]))
            try terminal.expect("Master password: ")
            try terminal.send("all wrong\u{15}plum typo typo \u{17}\u{17}\u{1A}violet anchor 47 harbour\r")
            #expect(try terminal.wait() == 0)
        }
    }

    /// A command that prints more than its first line is not waited for in vain.
    @Test func commandWithMuchOutput() throws {
        try TestVault.with { vault in
            let command = "head -n 1 '\(vault.passwordFile)'; head -c 1000000 /dev/zero"
            try vault.coffer(["ls", "--password-command", command]).run(expecting: 0)
            try vault.coffer(["ls", "--password-command", "yes '\(TestVault.password)'"]).run(expecting: 1)
        }
    }

    /// Colours only on a terminal that did not ask for none.
    @Test func coloursOfErrors() throws {
        try TestVault.with(initialized: false) { vault in
            let plain = try vault.coffer(["ls"]).run(expecting: 20)
            #expect(!plain.errorText.contains("\u{1B}"))
            var command = try vault.coffer(["ls"])
            let coloured = try Pseudoterminal(command)
            #expect(try coloured.wait() == 20)
            #expect(coloured.transcriptText.contains("\u{1B}[31m"))
            command.environment?["NO_COLOR"] = "1"
            let colourless = try Pseudoterminal(command)
            #expect(try colourless.wait() == 20)
            #expect(!colourless.transcriptText.contains("\u{1B}[31m"))
        }
    }

    /// Other users can read a process's arguments, and its own ones its environment.
    @Test func isNeitherArgumentNorEnvironment() throws {
        try TestVault.with { vault in
            try vault.coffer(["mount", vault.directory], input: TestVault.password + "\n").run(expecting: 0)
            let daemon = try vault.daemon()
            for file in ["cmdline", "environ"] {
                let text = RunningProcess.text(file, of: daemon.identifier)
                #expect(!text.isEmpty)
                #expect(!text.contains("violet"))
            }
            try vault.lock()
            try daemon.waitForEnd()
        }
    }

    /// Secrets of containers are for everybody to read in there, so it is taken all the same.
    @Test func aFileThatOthersCanReadIsNamed() throws {
        try TestVault.with { vault in
            for (mode, isNamed) in [("600", false), ("640", true), ("644", true), ("604", true), ("400", false)] {
                try Command("chmod", [mode, vault.passwordFile]).run(expecting: 0)
                let said = try vault.coffer(["ls", "--password-file", vault.passwordFile]).run(expecting: 0).errorText
                #expect(said.contains("others can read the password file \(vault.passwordFile)") == isNamed, "\(mode)")
            }
        }
    }

    /// What a new password is worth is told in words, mounted or not.
    @Test(arguments: [false, true]) func strengthOfANewOneIsTold(mounted: Bool) throws {
        try TestVault.with { vault in
            if mounted { try vault.mount() }
            let weak = try vault.home.write("Summer2024!\n", to: "weak")
            let words = ["passwd", "--new-password-file"]
            let told = try vault.coffer(words + [weak, "--allow-weak-password"], input: TestVault.password + "\n")
                .run(expecting: 0).errorText
            #expect(told.contains("Whoever has your kit needs about") && told.contains("random words"), "\(told)")
            let strong = try vault.coffer(words + [vault.passwordFile], input: "Summer2024!\n").run(expecting: 0)
            #expect(strong.errorText.contains("more than 1,000 years"), "\(strong.errorText)")
            if mounted { try vault.lock() }
        }
    }

    @Test func change() throws {
        try TestVault.with { vault in
            let new = try vault.home.write("copper lantern 93 meadow\n", to: "new")
            let file = ["--new-password-file", new]
            try vault.coffer(["passwd"] + file, input: Self.wrong).run(expecting: 12)
            try vault.coffer(["passwd"], input: TestVault.password + "\nabc\n").run(expecting: 22)
            try vault.coffer(["passwd"], input: TestVault.password + "\n").run(expecting: 22)
            try vault.opened("ls").run(expecting: 0)
            try vault.coffer(["passwd"] + file, input: TestVault.password + "\n").run(expecting: 0)
            try vault.opened("ls").run(expecting: 12)
            try vault.coffer(["ls", "--password-file", new]).run(expecting: 0)

            let terminal = try Pseudoterminal(vault.coffer(["passwd"]))
            try terminal.expect("Present master password: ")
            try terminal.send("copper lantern 93 meadow\r")
            try terminal.expect("New master password: ")
            try terminal.send(TestVault.password + "\r")
            try terminal.expect("again: ")
            try terminal.send(TestVault.password + "\r")
            #expect(try terminal.wait() == 0)
            #expect(!terminal.transcriptText.contains("violet") && !terminal.transcriptText.contains("lantern"))
            try vault.opened("ls").run(expecting: 0)
        }
    }
}
