import Foundation
import TestSupport
import Testing

/// Attack 46: a command that came with a vault. It is shown and asked about before its first run, to who sits at a terminal;
/// nothing else runs it, and nothing else shows it.
@Suite struct WaitingCommandTests {
    /// A vault whose remote's password comes from a command that was never allowed on this machine. The command makes a file.
    private func with(_ body: (TestVault, _ mark: String) throws -> Void) throws {
        let server = try Server(Apache(authentication: .digest(user: "ann", password: "keep-me-9")).recipe)
        try TestVault.with { vault in
            let mark = vault.home.file("it ran")
            let command = "touch '\(mark)'; echo keep-me-9"
            let url = "http://ann@127.0.0.1:\(server.port)/"
            try vault.opened("remote", "set", url, "--remote-password-command", command).run(expecting: 0)
            try FileManager.default.removeItem(atPath: vault.home.file(".local/state/coffer/commands"))
            try FileManager.default.removeItem(atPath: mark)
            try body(vault, mark)
        }
    }

    private func hasRun(_ mark: String) -> Bool { FileManager.default.fileExists(atPath: mark) }

    @Test(arguments: [false, true]) func attack46_aCommandIsShownAndAskedAboutBeforeItsFirstRun(mounted: Bool) throws {
        try with { vault, mark in
            if mounted { try vault.mount("--no-sync") }
            for (show, run) in [("no", nil), ("yes", "no"), ("yes", "yes")] {
                let terminal = try Pseudoterminal(vault.opened("sync"))
                try terminal.expect("Show it?")
                #expect(!terminal.transcriptText.contains("keep-me-9"))
                try terminal.send("\(show)\r")
                if let run {
                    try terminal.expect("echo keep-me-9")
                    try terminal.expect("Run it on this machine")
                    #expect(!hasRun(mark))
                    try terminal.send("\(run)\r")
                }
                let code = try terminal.wait()
                #expect((code == 0) == (run == "yes"), "\(terminal.transcriptText)")
                #expect(hasRun(mark) == (run == "yes"))
            }
            // From now on it is this machine's.
            try vault.sync()
            if mounted { try vault.lock() }
        }
    }

    @Test func attack46_whereItWaitsIsSaidAndItIsShownOnATerminalOnly() throws {
        try with { vault, mark in
            for mounted in [false, true] {
                if mounted { try vault.mount() }
                let shown = try vault.opened("remote", "show").run(expecting: 0)
                #expect(shown.errorText.contains("never allowed on this machine"), "\(shown.errorText)")
                let json = try vault.opened("remote", "show", "--json").run(expecting: 0).text
                #expect(json.contains("\"hasWaitingCommand\" : true"))
                let refused = try vault.opened("remote", "show", "--command").run(expecting: 64)
                let failed = try vault.opened("sync").run(expecting: 30)
                for text in [shown.text, shown.errorText, json, refused.text, refused.errorText, failed.errorText] {
                    #expect(!text.contains("keep-me-9") && !text.contains("touch"), "\(text)")
                }
                let terminal = try Pseudoterminal(vault.opened("remote", "show", "--command"))
                try terminal.expect("echo keep-me-9")
                #expect(try terminal.wait() == 0)
            }
            let status = try vault.coffer(["status"]).run(expecting: 0).text
            #expect(status.contains("Command:") && status.contains("never allowed on this machine"), "\(status)")
            #expect(!status.contains("keep-me-9"))
            try vault.lock()
            let log = try vault.coffer(["log"]).run()
            #expect(!(log.text + log.errorText).contains("keep-me-9") && !hasRun(mark))
        }
    }

    /// In the foreground somebody may sit there, in the background nobody does.
    @Test func attack46_aMountAsksInTheForegroundOnly() throws {
        try with { vault, mark in
            let background = try Pseudoterminal(vault.opened("mount", vault.directory))
            #expect(try background.wait() == 0)
            #expect(!background.transcriptText.contains("Show it?"))
            try wait("a run that was refused") {
                try vault.coffer(["status"]).run(expecting: 0).text.contains("Trouble:")
            }
            #expect(!hasRun(mark))
            try vault.lock()
            let foreground = try Pseudoterminal(vault.opened("mount", "--foreground", vault.directory))
            try foreground.expect("Show it?")
            try foreground.send("yes\r")
            try foreground.expect("Run it on this machine")
            try foreground.send("yes\r")
            try wait("a run") { hasRun(mark) }
            try vault.lock()
            #expect(try foreground.wait() == 0)
        }
    }

    /// What a program's own options say may have a password in it, too.
    @Test func aCommandThatFailsIsNotQuoted() throws {
        try TestVault.with { vault in
            let failed = try vault.coffer(["ls", "--password-command", "echo keep-me-9; exit 3"]).run(expecting: 1)
            #expect(failed.errorText.contains("failed") && !failed.errorText.contains("keep-me-9"))
        }
    }
}
