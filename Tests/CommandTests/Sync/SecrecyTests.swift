import Foundation
import TestSupport
import Testing

/// What whoever runs the remote can know.
@Suite struct SecrecyTests {
    /// Attack 1: all that a server holds and saw, requests, headers and bodies, against a dictionary that has the right
    /// password in it. Whoever guesses needs something that a guess can be tried on: a wrap with its salt. Nothing of the
    /// kind is there, so no guess can be told from another.
    @Test func attack1AFullDumpGivesADictionaryNothing() throws {
        try TwoDevices.with(.apache, joined: false) { devices in
            let server = try #require(devices.place.server)
            let relay = try RecordingRelay(to: server.port)
            let url = devices.url.replacing(":\(server.port)/", with: ":\(relay.port)/")
            try devices.a.opened("remote", "set", url).run(expecting: 0)
            try devices.a.edit { try devices.a.write("dumped\n", to: "one") }
            try devices.a.sync()
            try devices.a.opened("kit", "--png", devices.kit, "--email", TwoDevices.email).run(expecting: 0)
            try devices.join("--remote", url)
            let remote = RemoteFiles(folder: devices.place.folder).contents()
            let dump = relay.bytes + remote.flatMap { Array($0.key.utf8) + $0.value }
            #expect(dump.count > 10_000)

            // Nothing in the clear, whole or as base64 or hexadecimal digits.
            let secrets = [
                TestVault.password, TwoDevices.email, "s3cret", "gmail", "mail", "dumped", "alpha", "beta",
            ]
            for secret in secrets {
                for form in forms(secret) { #expect(!contains(dump, form), "\(secret) as \(form)") }
            }
            // Every wrap begins with its magic and version (Sealing.md): none has come by, and none is there.
            let kit = try devices.a.opened("kit", "--text").run(expecting: 0).text
            #expect(!contains(dump, Array("COFFER1:".utf8)) && !contains(dump, Array(kit.utf8).prefix(60).map { $0 }))
            #expect(try wraps(in: dump, of: devices.a).isEmpty)
        }
    }

    private func forms(_ text: String) -> [[UInt8]] {
        let data = Data(text.utf8)
        let hexadecimal = data.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        // Short words are in any random text as base64; as bytes with their case they are not to be.
        let base64 = text.utf8.count < 6 ? [] : [Array(data.base64EncodedString().prefix { $0 != "=" }.dropLast().utf8)]
        return (text.utf8.count < 5 ? [] : [Array(text.utf8)]) + [Array(hexadecimal.utf8)] + base64
    }

    private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool { Data(bytes).range(of: Data(part)) != nil }

    /// Where one of the vault's own wraps, or the salt of one, is in the dump.
    private func wraps(in dump: [UInt8], of vault: TestVault) throws -> [String] {
        // From the salt on: before it stand the parameters and the vault's identifier, which is public.
        let query = "SELECT name, hex(substr(value, 37)) FROM header WHERE name LIKE 'wrap.unlock%'"
        let rows = try vault.home.command("sqlite3", [vault.file, query]).run(expecting: 0).text
        #expect(rows.contains("wrap.unlock"))
        return rows.split(separator: "\n").compactMap { row in
            let fields = row.split(separator: "|")
            let digits = Array(fields[1].utf8)
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
                UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
            }
            // The salt alone would do for whoever also guesses.
            let hasSome = stride(from: 0, to: bytes.count - 16, by: 16).contains { offset in
                let part = Array(bytes[offset..<(offset + 16)])
                return Set(part).count > 4 && contains(dump, part)
            }
            return hasSome ? String(fields[0]) : nil
        }
    }

    /// Attack 24: two vaults with other names, trees and contents but equal padded sizes look alike: all that an observer
    /// of the remote can compute (names but for what is random in them, sizes, counts) is the same.
    @Test func attack24VaultsOfEqualSizesLookAlike() throws {
        func shape(_ fill: (TestVault) throws -> Void) throws -> [String] {
            let place = try RemotePlace(.directory)
            return try TestVault.with(initialized: false) { vault in
                try vault.make("--device-name", "laptop")
                try vault.opened("remote", "set", place.folder).run(expecting: 0)
                try vault.edit { try fill(vault) }
                try vault.sync()
                let contents = RemoteFiles(folder: place.folder).contents()
                return contents.map { path, bytes in
                    let general = path.replacing(#/[0-9a-f]{32}/#, with: "*").replacing(
                        #/chunk\/[0-9a-f]{2}\//#, with: "chunk/*/")
                    return "\(general) \(bytes.count)"
                }.sorted()
            }
        }
        let one = try shape { vault in
            try FileManager.default.createDirectory(atPath: vault.path("mail"), withIntermediateDirectories: false)
            try vault.write("tr0ub4dor\nuser: ann\n", to: "mail/gmail")
            try vault.write("correct horse\n", to: "mail/work")
            try vault.write(String(repeating: "a", count: 70_000), to: "photo")
        }
        let other = try shape { vault in
            try FileManager.default.createDirectory(
                atPath: vault.path("bank"), withIntermediateDirectories: false)
            try vault.write("PIN 1234\n", to: "card")
            try vault.write("x: y\nuser: bob, and more than in the other vault\n", to: "bank/saving")
            try vault.write(String(repeating: "b", count: 69_990), to: "scan")
        }
        #expect(one == other)
        #expect(one.contains { $0.hasPrefix("v1/log/") })
    }
}
