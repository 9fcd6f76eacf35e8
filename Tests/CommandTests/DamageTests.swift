import Foundation
import TestSupport
import Testing

/// Vaults that are damaged or older than what was seen: code 26, and what is intact stays readable.
@Suite struct DamageTests {
    private func filled(_ vault: TestVault) throws {
        try vault.mount()
        for index in 0..<8 { try vault.write("first content \(index)\n", to: "entry \(index)") }
        try vault.lock()
    }

    @Test func olderCopy() throws {
        try TestVault.with { vault in
            try filled(vault)
            let copy = vault.home.file("copy")
            try FileManager.default.copyItem(atPath: vault.file, toPath: copy)
            try vault.mount()
            try vault.write("second content", to: "entry 1")
            try vault.lock()
            try FileManager.default.removeItem(atPath: vault.file)
            try FileManager.default.copyItem(atPath: copy, toPath: vault.file)

            for arguments in [
                ["ls"], ["show", "entry 1"], ["passwd"], ["kit", "--text"], ["mount", vault.directory],
            ] {
                let result = try vault.coffer(arguments, input: TestVault.password).run(expecting: 26)
                #expect(result.text.isEmpty && result.errorText.contains("older copy"), "\(arguments)")
            }
            #expect(try vault.opened("verify").run(expecting: 26).errorText.contains("coffer:"))
            try vault.mount("--read-only")
            #expect(try vault.read("entry 1") == "first content 1\n")
            try vault.lock()
            try vault.opened("verify", "--accept").run(expecting: 0)
            try vault.mount()
            #expect(try vault.read("entry 1") == "first content 1\n")
            try vault.write("third", to: "entry 1")
            try vault.lock()
        }
    }

    /// Flips one bit at places all over the file. Each time: an error of the documented kind, or every entry
    /// right; never a crash, never a silent wrong answer.
    @Test func flippedBits() throws {
        try TestVault.with { vault in
            try filled(vault)
            let original = try #require(FileManager.default.contents(atPath: vault.file))
            let positions = Program.long ? 4000 : 60
            var refusals = 0
            for number in 0..<positions {
                var changed = original
                changed[number * original.count / positions] ^= 1 << UInt8(number % 8)
                try changed.write(to: URL(filePath: vault.file))
                for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: vault.file + suffix) }
                let result = try vault.opened("show", "entry 3").run()
                let place = "bit \(number % 8) of byte \(number * original.count / positions)"
                if result.code == 0 {
                    #expect(result.text == "first content 3\n", "\(place)")
                } else {
                    refusals += 1
                    #expect([1, 12, 13, 20, 26].contains(result.code), "\(place): \(result.code) \(result.errorText)")
                    #expect(result.text.isEmpty && result.errorText.hasPrefix("coffer: "), "\(place)")
                }
            }
            #expect(refusals > 0)
        }
    }

    /// The largest row's bytes, which are a sealed content: code 26 that names the entry.
    @Test func flippedContent() throws {
        try TestVault.with { vault in
            try filled(vault)
            try vault.mount()
            try vault.write(String(repeating: "long ", count: 40_000), to: "long \u{1B}one")
            try vault.lock()
            var bytes = try #require(FileManager.default.contents(atPath: vault.file))
            // The long content was written last: it fills the end of the file.
            bytes[bytes.count - 30_000] ^= 0x10
            try bytes.write(to: URL(filePath: vault.file))
            let result = try vault.opened("verify").run(expecting: 26)
            #expect(result.text.contains("Damaged: long ?one: "), "what a name has of control characters stays in it")
            let shown = try vault.opened("show", "long \u{1B}one").run(expecting: 26)
            #expect(shown.text.isEmpty && shown.errorText.contains("long ?one: its content does not open"))
            #expect(shown.errorText.contains("coffer mount --read-only"), "\(shown.errorText)")
            #expect(try vault.opened("show", "entry 3").run(expecting: 0).text == "first content 3\n")
            try vault.mount("--read-only")
            #expect(try vault.read("entry 3") == "first content 3\n")
            #expect(try Posix.code { _ = try Posix.read(vault.path("long \u{1B}one")) } == EIO)
            try vault.lock()
        }
    }

    /// Large contents stand in a file of their own: without it, the small ones are all there, and the vault is of use
    /// again once the loss is accepted.
    @Test(arguments: ["missing", "cut short"]) func lostChunks(_ way: String) throws {
        try TestVault.with { vault in
            try filled(vault)
            try vault.mount()
            try FileManager.default.createDirectory(atPath: vault.path("d"), withIntermediateDirectories: false)
            try Posix.write([UInt8](repeating: 0x61, count: 3 << 20), to: vault.path("d/big"))
            try vault.lock()
            let chunks = vault.file + "-chunks"
            if way == "missing" {
                try FileManager.default.removeItem(atPath: chunks)
            } else {
                let bytes = try #require(FileManager.default.contents(atPath: chunks))
                try bytes.prefix(1_000_000).write(to: URL(filePath: chunks))
            }
            #expect(try vault.opened("ls").run(expecting: 26).errorText.contains("verify --accept"))
            let accepted = try vault.opened("verify", "--accept").run(expecting: 0)
            #expect(accepted.errorText.contains("d/big: set aside"), "\(accepted.errorText)")
            try vault.opened("verify").run(expecting: 0)
            try vault.mount()
            for index in 0..<8 { #expect(try vault.read("entry \(index)") == "first content \(index)\n") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: vault.path("d")).isEmpty)
            try vault.write("new", to: "d/big")
            try vault.lock()
            #expect(try vault.opened("show", "d/big").run(expecting: 0).text == "new")
        }
    }

    /// The mount has what would be set aside open.
    @Test(arguments: [[], ["--read-only"]]) func acceptingWhileMounted(_ options: [String]) throws {
        try TestVault.with { vault in
            try vault.coffer(["mount", vault.directory, "--password-file", vault.passwordFile] + options)
                .run(expecting: 0)
            let refusal = try vault.opened("verify", "--accept").run(expecting: 24)
            #expect(refusal.text.isEmpty && refusal.errorText.contains("coffer lock"), "\(refusal.errorText)")
            try vault.opened("verify").run(expecting: 0)
            try vault.lock()
        }
    }

    @Test(arguments: [0.1, 0.5, 0.9]) func truncated(_ part: Double) throws {
        try TestVault.with { vault in
            try filled(vault)
            let bytes = try #require(FileManager.default.contents(atPath: vault.file))
            try bytes.prefix(Int(Double(bytes.count) * part)).write(to: URL(filePath: vault.file))
            for arguments in [["ls"], ["mount", vault.directory]] {
                let result = try vault.coffer(arguments, input: TestVault.password).run()
                #expect(result.code == 26 || result.code == 20, "\(arguments): \(result.code) \(result.errorText)")
                #expect(result.text.isEmpty)
            }
        }
    }

    /// One row deleted by somebody who knows SQL but no key.
    @Test func deletedRow() throws {
        try TestVault.with { vault in
            try filled(vault)
            let list =
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND wr = 0 "
                + "AND name NOT LIKE 'sqlite_%'"
            let tables = try vault.home.command("sqlite3", [vault.file, list]).run(expecting: 0).text
            let original = try #require(FileManager.default.contents(atPath: vault.file))
            for table in tables.split(separator: "\n") {
                let count = try vault.home.command("sqlite3", [vault.file, "SELECT count(*) FROM \(table)"]).run(
                    expecting: 0)
                if count.text == "0\n" { continue }
                let delete = "DELETE FROM \(table) WHERE rowid = (SELECT max(rowid) FROM \(table))"
                try vault.home.command("sqlite3", [vault.file, delete]).run(expecting: 0)
                let result = try vault.opened("ls").run()
                #expect([26, 20, 12].contains(result.code), "\(table): \(result.code) \(result.errorText)")
                #expect(result.text.isEmpty, "\(table)")
                try original.write(to: URL(filePath: vault.file))
            }
            try vault.opened("ls").run(expecting: 0)
        }
    }

    /// A sentence that says what lies there, what it means and what to do; at each verb, and without a word of the disk.
    @Test(arguments: ["-wal", "-redo"]) func whatLiesInTheWayOfTheVaultsFilesIsSaid(_ suffix: String) throws {
        try TestVault.with { vault in
            let path = vault.file + suffix
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            for verb in [["ls"], ["verify"], ["mount", vault.directory]] {
                let said = try vault.coffer(verb + ["--password-file", vault.passwordFile]).run(expecting: 26).errorText
                #expect(said.contains("\(path) is a folder, and no file of the vault"), "\(said)")
                #expect(said.contains("\(path).other") && !said.contains("nput/output"), "\(said)")
            }
            try FileManager.default.moveItem(atPath: path, toPath: path + ".other")
            try vault.opened("verify").run(expecting: 0)
        }
    }
}
