import Foundation
import TestSupport
import Testing

/// What is written where, and what becomes of results that nobody gets.
@Suite struct OutputTests {
    /// The program behind a shell, which sends its output elsewhere.
    private func shell(_ line: String, _ vault: TestVault, _ arguments: [String]) throws -> Command {
        vault.home.command("bash", ["-c", line, try Program.coffer()] + arguments)
    }

    /// With every verb that prints a result.
    @Test func aFullStandardOutputIsAnError() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("s3cret\n", to: "entry")
            try vault.opened("remote", "set", "--create", vault.home.file("remote")).run(expecting: 0)
            let password = ["--password-file", vault.passwordFile]
            for arguments in [
                ["ls"], ["ls", "--json"], ["show", "entry"], ["show", "entry", "password"], ["verify"],
                ["verify", "--json"], ["kit"], ["kit", "--text"], ["kit", "--mail", "--email", "me@example.org"],
                ["devices"], ["devices", "--json"], ["remote", "show"], ["remote", "show", "--json"], ["sync"],
                ["sync", "--json"], ["init", "--kdf-memory", "64", "--vault", vault.home.file("another")], ["status"],
                ["status", "--json"], ["--help"], ["ls", "--help"], ["--version"],
            ] {
                let opens = arguments[0] != "status"
                let command = try shell("exec \"$0\" \"$@\" > /dev/full", vault, arguments + (opens ? password : []))
                let result = try command.run(expecting: 1)
                let sentence = "coffer: The output could not be written: No space left on device.\n"
                #expect(result.errorText.hasSuffix(sentence), "\(arguments): \(result.errorText)")
            }
            try vault.lock()
        }
    }

    /// Arguments are not always typed by who runs the program: they come from names, too.
    @Test func messagesHaveNoControlCharacters() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("s3cret\n", to: "entry")
            let odd = "/\n\u{1B}[31m\u{9B}\u{202E}/x"
            for words in [
                ["show"], ["show", "entry"], ["ls"], ["lock"], ["mount"], ["status", "--vault"], ["sync", odd],
                ["ls", "--"], ["init", "--kdf-memory"],
            ] {
                let result = try vault.coffer(words + [odd], input: TestVault.password).run()
                #expect(result.code != 0 && result.errorText.contains("[31m"), "\(words)")
                let isOdd = "\u{1B}\u{9B}\u{202E}".unicodeScalars.contains
                #expect(!result.errorText.unicodeScalars.contains(where: isOdd), "\(words)")
                let isUsage = result.code == 64
                #expect(isUsage || !result.errorText.contains("/\n"), "a name cannot end a message: \(words)")
            }
            try vault.lock()
        }
    }

    /// As any program that SIGPIPE ends.
    @Test func aReaderThatHasEnoughEndsItQuietly() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("x" + String(repeating: "y", count: 1 << 20), to: "big")
            let line = "\"$0\" \"$@\" | head -c1; echo ${PIPESTATUS[0]}"
            let result = try shell(line, vault, ["show", "big"]).run(expecting: 0)
            #expect(result.text == "x141\n" && result.errorText.isEmpty)
            try vault.lock()
        }
    }
}
