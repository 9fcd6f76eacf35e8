import Foundation
import TestSupport
import Testing

/// `kit --mail`: a message that programs of others take apart.
@Suite struct KitMailTests {
    /// What Python's `email` finds in a message.
    private struct Found: Decodable {
        var defects: [String]
        var headers: [String: String]
        var date: Double
        var kinds: [String]
        var name: String
        var body: String
    }

    private static let parser = """
        import email, email.policy, json, sys
        message = email.message_from_bytes(open('message', 'rb').read(), policy=email.policy.default)
        parts = list(message.iter_parts())
        open('kit.png', 'wb').write(parts[1].get_payload(decode=True))
        print(json.dumps({
            'defects': [str(d) for p in message.walk() for d in p.defects],
            'headers': dict(message.items()), 'date': message['Date'].datetime.timestamp(),
            'kinds': [p.get_content_type() for p in message.walk()],
            'name': parts[1].get_filename(), 'body': parts[0].get_content()}))
        """

    /// The layout of kit and wrap is in Sealing.md.
    private static let cost = """
        import base64, struct, sys
        text = sys.stdin.read().strip()[8:]
        kit = base64.b32decode(text + '=' * (-len(text) % 8))
        passes, memory = struct.unpack_from('<II', kit, 76 + 8)
        print(passes * memory)
        """

    private func parse(_ message: [UInt8], in home: TemporaryHome) throws -> Found {
        try Data(message).write(to: URL(filePath: home.file("message")))
        let json = try home.command("python3", ["-c", Self.parser]).run(expecting: 0).output
        return try JSONDecoder().decode(Found.self, from: Data(json))
    }

    private func cost(of kit: String, in home: TemporaryHome) throws -> Int {
        let result = try home.command("python3", ["-c", Self.cost], input: kit).run(expecting: 0)
        return try #require(Int(result.text.trimmingCharacters(in: .newlines)))
    }

    private func picture(_ file: String, in home: TemporaryHome) throws -> String {
        let arguments = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file]
        return try home.command("zbarimg", arguments).run(expecting: 0).text.trimmingCharacters(in: .newlines)
    }

    @Test(arguments: [false, true]) func messageCarriesTheKit(isMounted: Bool) throws {
        try TestVault.with { vault in
            if isMounted { try vault.mount() }
            let address = "ann+vault@example.org"
            let png = vault.home.file("same.png")
            let result = try vault.opened("kit", "--mail", "--email", address, "--png", png).run(expecting: 0)
            #expect(result.errorText.contains("mail is not secret"))
            let found = try parse(result.output, in: vault.home)
            #expect(found.defects.isEmpty)
            #expect(found.headers["To"] == address && found.headers["From"] == address)
            #expect(
                Set(found.headers.keys) == [
                    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
                ])
            #expect(abs(Date().timeIntervalSince1970 - found.date) < 600)
            #expect(found.headers["Message-ID"]?.contains(#/^<[0-9a-f]{32}@coffer\.invalid>$/#) == true)
            #expect(found.kinds == ["multipart/mixed", "text/plain", "image/png"])
            #expect(found.name == "coffer-kit.png")
            #expect(found.body.contains("mail is not secret") && found.body.contains("coffer join --kit"))

            let kit = try picture("kit.png", in: vault.home)
            #expect(kit.hasPrefix("COFFER1:"))
            #expect(try picture(png, in: vault.home) == kit)
            let text = try vault.opened("kit", "--text", "--email", address).run(expecting: 0).text
            #expect(try cost(of: kit, in: vault.home) >= 2 * cost(of: text, in: vault.home))
        }
    }

    /// Lines end with CR and LF and are no longer than the standard allows, whatever the address.
    @Test func linesAreFolded() throws {
        try TestVault.with { vault in
            let address = "ann@" + String(repeating: "longer.", count: 34) + "example.org"
            let message = try vault.opened("kit", "--mail", "--email", address).run(expecting: 0).output
            let lines = message.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
            #expect(lines.allSatisfy { $0.last == 0x0D && !$0.dropLast().contains(0x0D) })
            let long = lines.filter { $0.count > 79 }
            #expect(long.map { String(decoding: $0, as: UTF8.self) } == [" \(address)\r", " \(address)\r"])
            #expect(try parse(message, in: vault.home).headers["To"] == address)
        }
    }

    /// Nothing but one plain address gets into a header; no vault is needed to say so.
    @Test(arguments: [
        "ann@example.org\r\nBcc: eve@example.org", "ann@example.org\n", "ann@example.org, eve@example.org",
        "Ann <ann@example.org>", "ann@example.org (eve@example.org)", "ann smith@example.org", "ann", "@example.org",
        "ann@", ".ann@example.org", "ann@@example.org", "änn@example.org", "\"ann\"@example.org",
    ])
    func attack30AddressIsNoHeader(_ address: String) throws {
        let home = try TemporaryHome()
        let result = try home.coffer("kit", "--mail", "--email", address).run(expecting: 64)
        #expect(result.output.isEmpty)
    }

    @Test func wrongCalls() throws {
        let home = try TemporaryHome()
        // The message form was called so once.
        #expect(try home.coffer("kit", "--email").run(expecting: 64).errorText.contains("--mail"))
        try home.coffer("kit", "--mail", "--text", "--email", "ann@example.org").run(expecting: 64)
    }
}
