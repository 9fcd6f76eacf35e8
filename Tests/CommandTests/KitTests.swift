import Foundation
import TestSupport
import Testing

/// The kit as picture and as text.
@Suite struct KitTests {
    private func decoded(_ home: TemporaryHome, _ picture: String) throws -> String {
        let arguments = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture]
        return try home.command("zbarimg", arguments).run(expecting: 0).text.trimmingCharacters(in: .newlines)
    }

    /// One call writes all forms of one kit.
    @Test func formsAreTheSameKit() throws {
        try TestVault.with { vault in
            let (png, svg) = (vault.home.file("kit one.png"), vault.home.file("kit.svg"))
            let result = try vault.opened("kit", "--png", png, "--svg", svg, "--text").run(expecting: 0)
            let text = result.text.trimmingCharacters(in: .newlines)
            #expect(text.hasPrefix("COFFER1:"))
            #expect(result.errorText.contains("Fingerprint: "))
            #expect(try decoded(vault.home, png) == text)
            try vault.home.command("rsvg-convert", ["-w", "1200", "-o", "svg.png", svg]).run(expecting: 0)
            #expect(try decoded(vault.home, "svg.png") == text)
            for file in [png, svg] {
                #expect(try Posix.status(file).st_mode & 0o7777 == 0o600)
                #expect(FileManager.default.contents(atPath: file)?.range(of: Data("violet".utf8)) == nil)
            }
            let terminal = try vault.opened("kit").run(expecting: 0)
            #expect(terminal.text.contains("\u{2588}"))
            try vault.opened("kit", "--png", vault.home.file("none/kit.png")).run(expecting: 1)
        }
    }

    /// What whoever finds the page in ten years needs, in each form that has letters.
    @Test func pageSaysWhatItIs() throws {
        try TestVault.with(initialized: false) { vault in
            let made = try vault.make("--email", "ann@example.org", "--kit", "first.txt")
            let words = try #require(made.text.firstMatch(of: #/Fingerprint: ([a-z ]+)/#)).1
            let today = Date().formatted(.iso8601.year().month().day())
            try vault.opened("remote", "set", "--create", vault.home.file("remote")).run(expecting: 0)
            let files = ["kit.txt", "kit.svg", "kit.PNG"].flatMap { ["--output", $0] }
            let password = ["--password-file", vault.passwordFile]
            let result = try vault.coffer(["kit", "--text"] + files + password).run(expecting: 0)
            let shown = try vault.opened("kit").run(expecting: 0).text
            let texts = try ["first.txt", "kit.txt", "kit.svg"].map { file in
                String(decoding: try Posix.read(vault.home.file(file)), as: UTF8.self)
            }
            for text in texts + [shown] {
                let flat = text.replacing(#/<[^>]*>/#, with: " ").replacing(#/\s+/#, with: " ")
                for part in [
                    "ann@example.org", String(words), today, "WHAT THIS IS FOR", "HOW TO JOIN", " 1. Install",
                    " 2. Run",
                    " 3. Compare", "coffer join --kit", "forgotten",
                ] { #expect(flat.lowercased().contains(part.lowercased()), "\(part) is not in \(flat)") }
            }
            #expect(texts[0].contains("join with --remote URL") && texts[1].contains("file:///"))
            let kit = result.text.trimmingCharacters(in: .newlines)
            #expect(try decoded(vault.home, "kit.PNG") == kit)
            for text in texts[1...] {
                let block = text.firstMatch(of: #/-----BEGIN COFFER KIT-----([^-]*)-----END COFFER KIT-----/#)
                #expect(try #require(block).1.filter { !$0.isWhitespace } == kit)
            }
            try vault.opened("kit", "--output", "kit.pdf").run(expecting: 64)
        }
    }

    @Test func initSaysThatAForgottenPasswordIsGone() throws {
        try TestVault.with(initialized: false) { vault in
            let said = try vault.make().errorText
            #expect(said.contains("Nobody can bring back a master password that is forgotten"))
        }
    }

    @Test func withInit() throws {
        try TestVault.with(initialized: false) { vault in
            try vault.make("--email", "me@example.org", "--kit", vault.home.file("kit.png"))
            #expect(try decoded(vault.home, "kit.png").hasPrefix("COFFER1:"))
        }
    }

    /// Neither by its name, nor by another one, nor before it is there.
    @Test func vaultIsNotWrittenOver() throws {
        try TestVault.with(initialized: false) { vault in
            try vault.coffer(["init", "--kit", vault.file, "--password-file", vault.passwordFile]).run(expecting: 64)
            let (same, link) = (vault.home.file("same.txt"), vault.home.file("link.txt"))
            try vault.coffer(["init", "--vault", same, "--kit", same, "--password-file", vault.passwordFile])
                .run(expecting: 1)
            #expect(!FileManager.default.fileExists(atPath: same))
            try vault.make()
            try FileManager.default.linkItem(atPath: vault.file, toPath: same)
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: vault.file)
            try vault.mount()
            for file in [vault.file, vault.file + "-wal", vault.file + "-chunks", vault.file + "-redo", same, link] {
                for form in ["--png", "--svg"] {
                    let result = try vault.opened("kit", form, file).run(expecting: 1)
                    #expect(result.errorText.contains("belongs to the vault"))
                }
            }
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// Whoever could read the file that was there before cannot read the kit.
    @Test func isForItsOwnerOnly() throws {
        try TestVault.with { vault in
            let file = try vault.home.write("old", to: "kit.PNG")
            try Posix.check(unsafe chmod(file, 0o644), "chmod")
            let reader = try Posix.File(file, O_RDONLY)
            try vault.opened("kit", "--png", file).run(expecting: 0)
            #expect(try Posix.status(file).st_mode & 0o7777 == 0o600)
            #expect(try reader.read(10, at: 0) == Array("old".utf8))
            #expect(try decoded(vault.home, file).hasPrefix("COFFER1:"))
            let printed = try vault.opened("kit", "--svg", "/dev/stdout").run(expecting: 0)
            #expect(printed.text.contains("</svg>"))
        }
    }

    /// A vault without the kit that was asked for would be taken for one with it.
    @Test func nothingIsMadeWhereItCannotBeWritten() throws {
        try TestVault.with(initialized: false) { vault in
            for (file, code) in [("none/kit.png", Int32(1)), ("kit.pdf", 64)] {
                let words = ["init", "--kdf-memory", "64", "--password-file", vault.passwordFile, "--kit", file]
                try vault.coffer(words).run(expecting: code)
                #expect(!FileManager.default.fileExists(atPath: vault.file))
            }
            try vault.make("--kit", "KIT.PNG")
            #expect(try decoded(vault.home, "KIT.PNG").hasPrefix("COFFER1:"))
        }
    }
}
