import Foundation
import TestSupport
import Testing

/// A process behind a mount that does not answer: no verb waits for it for ever.
@Suite struct SilentProcessTests {
    /// All verbs that ask the mount, at the same time, since each gives it ten seconds.
    @Test func verbsEndAtAStoppedProcess() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("s3cret\n", to: "entry")
            let daemon = try vault.daemon()
            daemon.send(SIGSTOP)
            defer { daemon.send(SIGCONT) }
            let verbs = [
                ["lock"], ["lock", vault.directory], ["ls"], ["show", "entry"], ["verify"], ["passwd"],
                ["kit", "--text"],
                ["sync"], ["devices"], ["rotate"], ["remote", "show"], ["mount", vault.directory], ["status"],
            ]
            let script = verbs.enumerated().map { index, words in
                let quoted = words.map { "'\($0)'" }.joined(separator: " ")
                return "(\"$0\" \(quoted) < \"$1\" > out\(index) 2>&1; echo $? > code\(index)) &"
            }
            let command = vault.home.command(
                "bash", ["-c", (script + ["wait"]).joined(separator: "\n"), try Program.coffer(), vault.passwordFile])
            try command.run(expecting: 0)
            for (index, words) in verbs.enumerated() {
                let text = try String(contentsOfFile: vault.home.file("out\(index)"), encoding: .utf8)
                let code = try String(contentsOfFile: vault.home.file("code\(index)"), encoding: .utf8)
                #expect(code == (words == ["status"] ? "0\n" : "24\n"), "\(words): \(text)")
                #expect(text.contains("rocess \(daemon.identifier) behind"), "\(words): \(text)")
                #expect(text.contains("does not answer"), "\(words): \(text)")
            }
            daemon.send(SIGCONT)
            #expect(try vault.opened("show", "entry").run(expecting: 0).text == "s3cret\n")
            try vault.lock()
        }
    }
}
