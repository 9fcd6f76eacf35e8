import Foundation
import TestSupport
import Testing

/// Attack 37: a kit whose address or identifier was changed, and what a kit may lead a joining device to.
@Suite struct KitRemoteTests {
    /// What says that somebody has compared the words, where a join does not get as far as that.
    private static let anyWords = ["--fingerprint", "any"]

    /// `coffer join` on B with a kit's text, where nobody can be asked.
    private func join(
        _ vault: TestVault, _ kit: String, _ arguments: [String] = [], words: [String] = anyWords,
        expecting code: Int32
    ) throws -> Command.Result {
        try vault.home.write(kit, to: "kit.txt")
        return try vault.coffer(
            ["join", "--kit", "kit.txt", "--email", TwoDevices.email, "--password-file", vault.passwordFile]
                + TwoDevices.cost + words + arguments
        ).run(expecting: code)
    }

    private func expectNothing(_ vault: TestVault) {
        let folder = vault.home.file(".local/share/coffer")
        #expect(((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).isEmpty)
    }

    /// The address leads to a copy of the remote, which has all that was there: nothing but the kit itself can tell.
    @Test func attack37ChangedKitDoesNotJoin() throws {
        try TwoDevices.with(joined: false) { devices in
            let (a, b) = (devices.a, devices.b)
            let kit = try a.opened("kit", "--text").run(expecting: 0).text
            try a.sync()
            let copy = b.home.file("copy")
            try Command("cp", ["-r", devices.place.folder, copy]).run(expecting: 0)
            let path = copy.replacing(" ", with: "%20")
            var said: Set<String> = []
            for forged in [ForgedKit.identifier, .epoch, .firstFormat, .remote("b'file://\(path)'")] {
                let text = try forged.text(of: kit, in: b.home)
                let result = try join(b, text, ["--remote", copy], expecting: 12)
                said.insert(result.errorText)
                expectNothing(b)
            }
            #expect(said.count == 1 && said.first?.contains("on which anything was changed") == true, "\(said)")
            // Without --remote it goes where the kit says, and is refused all the same.
            let forged = try ForgedKit.remote("b'file://\(path)'").text(of: kit, in: b.home)
            #expect(try join(b, forged, expecting: 12).errorText.contains("a folder of this machine: \(copy)\n"))
            expectNothing(b)
            _ = try join(b, kit, ["--remote", copy], words: a.fingerprint, expecting: 0)
            #expect(try b.show("note") == "first line\n")
        }
    }

    /// The words, the address and the host, and nothing that is sent before somebody has said that it is right.
    @Test func hostIsShownBeforeAnythingIsSent() throws {
        try TwoDevices.with(.apache, joined: false) { devices in
            let (a, b) = (devices.a, devices.b)
            let relay = try RecordingRelay(to: try #require(devices.place.server).port)
            let url = try #require(devices.place.address).replacing(#/:\d+\//#, with: ":\(relay.port)/")
            try a.opened("remote", "set", url).run(expecting: 0)
            let kit = try a.opened("kit", "--text").run(expecting: 0).text
            try a.sync()
            let before = relay.bytes.count

            let alone = try join(b, kit, expecting: 64)
            #expect(alone.errorText.contains("at the host 127.0.0.1: \(url)\n"))
            #expect(alone.errorText.contains("--remote-host"))
            // Before the password is asked for.
            try b.coffer(["join", "--kit", "kit.txt", "--email", TwoDevices.email] + Self.anyWords).run(expecting: 64)
            for host in ["cloud.example.org", "127.0.0.1:1", "127.0.0.1.example.org", ""] {
                let result = try join(b, kit, ["--remote-host", host], expecting: 33)
                #expect(result.errorText.contains("not at \(host) but at 127.0.0.1:\(relay.port)"))
            }
            _ = try join(b, kit, ["--remote", url, "--remote-host", "localhost"], expecting: 33)

            let arguments = ["join", "--email", TwoDevices.email, "--kit", "kit.txt"] + TwoDevices.cost
            for answer in ["no", "maybe"] {
                let terminal = try Pseudoterminal(b.coffer(arguments + ["--password-file", b.passwordFile]))
                try terminal.expect("at the host 127.0.0.1: \(url)")
                try terminal.expect("Is that your remote? [yes/no] ")
                try terminal.send("\(answer)\r")
                #expect(try terminal.wait() == 33)
                #expect(terminal.transcriptText.contains("nothing was sent there"))
            }
            expectNothing(b)
            #expect(relay.bytes.count == before, "something was sent")

            let terminal = try Pseudoterminal(b.coffer(arguments + ["--password-file", b.passwordFile]))
            try terminal.expect("[yes/no] ")
            try terminal.send("yes\r")
            try terminal.expect("the same words")
            #expect(relay.bytes.count > before)
            try terminal.send("yes\r")
            #expect(try terminal.wait() == 0)
            for host in ["127.0.0.1", "127.0.0.1:\(relay.port)"] {
                try FileManager.default.removeItem(atPath: b.file)
                _ = try join(b, kit, ["--remote-host", host], words: a.fingerprint, expecting: 0)
            }
        }
    }

    /// What is on a kit is anybody's: a sentence, before anything is asked or sent.
    @Test func attack37AddressesThatAreNone() throws {
        let home = try TemporaryHome()
        let vault = Self.kitOfTheFirstFormat
        let cases: [(address: String, code: Int32, says: String)] = [
            ("b'https://host/\\x1b[31m'", 42, "control characters"), ("b'https://host/\\n'", 42, "control characters"),
            ("b'https://ann:secret@host/'", 42, "a password in it"), ("b'ftp://host/'", 42, "ftp is neither"),
            ("b'smb://host/share'", 42, "smb is neither"), ("b'javascript:alert(1)'", 42, "relative"),
            ("b'../vault'", 42, "relative"), ("b'-oProxyCommand=x'", 42, "relative"),
            ("'https://h\\u00f6st/'.encode()", 42, "no host that can be looked up"),
            ("'https://b\\u0430nk.example/'.encode()", 42, "no host that can be looked up"),
            ("b'https://host:0/'", 42, "port"), ("b'https://host/?a'", 42, "?"),
            ("b'file://host/share'", 42, "no host"),
            ("b'https://' + b'a' * 300", 42, "no host"), ("b'https://host/' + b'a' * 500", 42, "not all of it"),
            ("b'https://host/\\xff'", 42, "not all of it"), ("b''", 64, "says nothing of a remote"),
            ("b'https://good.example@evil.example/'", 64, "at the host evil.example: "),
            ("b'https://good.example%40x@evil.example/'", 64, "at the host evil.example: "),
            ("b'https://xn--bnk-5cd.example/'", 64, "letters which are written as xn--"),
            ("b'https://BANK.example/'", 64, "at the host bank.example: "),
        ]
        for (address, code, says) in cases {
            try home.write(ForgedKit.remote(address).text(of: vault, in: home), to: "kit.txt")
            let result = try home.coffer("join", "--kit", "kit.txt", "--email", "a@b", "--fingerprint", "any")
                .run(expecting: code)
            #expect(result.errorText.contains(says), "\(address): \(result.errorText)")
            #expect(result.text.isEmpty && !result.errorText.contains("\u{1B}") && !result.errorText.contains("secret"))
            #expect(result.errorText.split(separator: "\n").count { $0.hasPrefix("coffer:") } == 1)
        }
    }

    /// It is whole, and so it is no damage.
    @Test func kitOfALaterProgram() throws {
        let home = try TemporaryHome()
        try home.write(ForgedKit.laterFormat.text(of: Self.kitOfTheFirstFormat, in: home), to: "kit.txt")
        let result = try home.coffer("join", "--kit", "kit.txt", "--email", "a@b", "--fingerprint", "any")
            .run(expecting: 1)
        #expect(result.errorText.contains("newer coffer") && result.errorText.contains("Update coffer"))
        #expect(!result.errorText.contains("damage"))
    }

    /// A kit that a program from before has issued, and one of the present format for the same vault, which was made from
    /// the documents alone: both join, now and with every later program.
    @Test(arguments: [1, 2]) func recordedKitsJoin(format: Int) throws {
        try TestVault.with(initialized: false, trueCost: true) { vault in
            let archive = Bundle.module.path(forResource: "kits", ofType: "tar.gz", inDirectory: "Recorded")
            try Command("tar", ["-xzf", #require(archive), "-C", vault.home.path]).run(expecting: 0)
            let remote = vault.home.file("remote")
            var kit = String(decoding: try Posix.read(vault.home.file("kit-\(format).txt")), as: UTF8.self)
            #expect(try join(vault, kit, expecting: 30).errorText.contains("this machine: /srv/coffer\n"))
            // That of the first format can be changed by anybody, and says so.
            if format == 1 {
                let address = "b'file://\(remote.replacing(" ", with: "%20"))'"
                kit = try ForgedKit.remote(address).text(of: kit, in: vault.home)
            }
            let words = ["--fingerprint", "tilos gokuj bidog nomis mofis bitov"]
            let result = try join(vault, kit, format == 1 ? [] : ["--remote", remote], words: words, expecting: 0)
            #expect(result.errorText.contains("first format") == (format == 1))
            #expect(try vault.show("note") == "first line\n")
        }
    }

    /// Neither when it joins nor later; who gives the address gives the login.
    @Test func attack37DefaultOfNetrcGoesToNoAddressOfAKit() throws {
        let server = try Server(Apache(authentication: .basic(user: "ann", password: "cloud")).recipe)
        let relay = try RecordingRelay(to: server.port)
        let url = "http://127.0.0.1:\(relay.port)/"
        func authorizations() -> Int {
            String(decoding: relay.bytes, as: UTF8.self).matches(of: #/(?i)\r\nAuthorization:/#).count
        }
        try TestVault.with(initialized: false) { a in
            try TestVault.with(initialized: false) { b in
                try a.make("--email", TwoDevices.email)
                try a.home.write("default login ann password cloud\n", to: ".netrc")
                try a.opened("remote", "set", url).run(expecting: 0)
                try a.sync()
                let kit = try a.opened("kit", "--text").run(expecting: 0).text
                try a.sync()

                let before = authorizations()
                try b.home.write("default login ann password cloud\n", to: ".netrc")
                let host = ["--remote-host", "127.0.0.1"]
                #expect(try join(b, kit, host, expecting: 30).errorText.contains("refuses"))
                #expect(authorizations() == before)
                try b.home.write("machine 127.0.0.1 login ann password cloud\n", to: ".netrc")
                _ = try join(b, kit, host, words: a.fingerprint, expecting: 0)

                let joined = authorizations()
                #expect(joined > before)
                try b.home.write("default login ann password cloud\n", to: ".netrc")
                try b.sync(expecting: 30)
                #expect(authorizations() == joined)
                try b.opened("remote", "set", url).run(expecting: 0)
                try b.sync()
                #expect(authorizations() > joined)
            }
        }
    }

    private static let kitOfTheFirstFormat =
        "COFFER1:INDFESYBAAAAAFTUF5JGYJ5LRHMHOOPIXJ3LJOP3EVCCLV6PNVHIDCNXETJZZECQAEAAAAGV5Q43KBDDTIOIRHAHN26TQDQTJLUISO"
        + "7FJYCOUT4XB5S7BWQDTJBUMUSXAEBAAAAEAAAAAAABAAAACAAAAD5SKRBF27HW2TUBRG3SJU44SBIAPICY5ZD6FWRQWG4FPZ5RNOEY4AAA"
        + "AAAAAAAAABEL6XPRX5ORIM25QY7EOAXRD75SWTVFRE464CKKQIEYSVFDUQRA3SQO7WUBZQXTIVKYIMN52OMODSFFKTM6OP42SGQV5IFGK2"
        + "QOWYYSDJUKDS22ANZ5CTD4GLDY6VC24ZWYBF3KMTTBLZ4GH75NMGLX74KXAPFYSZP7QUWRCIAGM2LMMU5C6LZPONZHML3DN5TGMZLSJLJD"
        + "HSQ"
}
