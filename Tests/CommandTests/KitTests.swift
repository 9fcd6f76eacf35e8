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

    @Test func withInit() throws {
        try TestVault.with(initialized: false) { vault in
            try vault.make("--email", "me@example.org", "--kit", vault.home.file("kit.png"))
            #expect(try decoded(vault.home, "kit.png").hasPrefix("COFFER1:"))
        }
    }
}
