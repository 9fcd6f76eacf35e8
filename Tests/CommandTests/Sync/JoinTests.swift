import Foundation
import TestSupport
import Testing

/// `join`: the questions in their order, and everything that has to be refused.
@Suite struct JoinTests {
    private static let message = "does not open"

    /// Nothing of a vault is left where a join did not succeed.
    private func expectNothing(_ vault: TestVault, _ comment: Comment? = nil) {
        let folder = vault.home.file(".local/share/coffer")
        let left = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        #expect(left.isEmpty, comment)
    }

    @Test func questionsOnATerminal() throws {
        try TwoDevices.with(joined: false) { devices in
            let terminal = try Pseudoterminal(devices.b.coffer(["join"] + TwoDevices.cost))
            try terminal.expect("E-mail address: ")
            try terminal.send("Ann@Example.org\r")
            try terminal.expect("Master password: ")
            try terminal.send(TestVault.password + "\r")
            try terminal.expect("Kit (a picture, or a file with its text): ")
            try terminal.send(devices.kit + "\r")
            try terminal.expect("a folder of this machine: ")
            try terminal.expect("Is that your remote? [yes/no] ")
            try terminal.send("yes\r")
            try terminal.expect("Fingerprint: ")
            let words = try terminal.expect("\n").trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(words.split(separator: " ").count == 6)
            try terminal.expect("the same words")
            try terminal.send("yes\r")
            #expect(try terminal.wait() == 0, "\(terminal.transcriptText)")
            #expect(!terminal.transcriptText.contains(TestVault.password))
            #expect(try devices.b.show("note") == "first line\n")
        }
    }

    /// A killed process has left it, or its vault was moved away: it may be the only copy of what is in it.
    @Test func partOfAnotherVaultIsLeft() throws {
        try TwoDevices.with(joined: false) { devices in
            let part = devices.b.file + "-wal"
            try FileManager.default.createDirectory(
                atPath: devices.b.home.file(".local/share/coffer"), withIntermediateDirectories: true)
            try Posix.write(Array("of another vault".utf8), to: part)
            #expect(try devices.join(expecting: 21).errorText.contains("-wal"))
            #expect(try Posix.read(part) == Array("of another vault".utf8))
            #expect(!FileManager.default.fileExists(atPath: devices.b.file))
        }
    }

    /// Of two that join at once the second takes nothing away from the first, which has its vault open under another name.
    @Test func joinUnderWayIsNotDisturbed() throws {
        try TwoDevices.with(joined: false) { devices in
            let other = devices.b.file + ".joining"
            try FileManager.default.createDirectory(
                atPath: devices.b.home.file(".local/share/coffer"), withIntermediateDirectories: true)
            try Command("cp", [devices.a.file, other]).run(expecting: 0)
            let before = try Posix.read(other)
            let file = try Posix.File(other, O_RDONLY)
            #expect(flock(file.number, LOCK_EX | LOCK_NB) == 0)
            try devices.join(expecting: 24)
            #expect(try Posix.read(other) == before)
            #expect(flock(file.number, LOCK_UN) == 0)
            try file.close()
            try devices.join()
            #expect(try devices.b.show("note") == "first line\n")
            #expect(!FileManager.default.fileExists(atPath: other))
        }
    }

    @Test func whoSaysNoGetsNothing() throws {
        try TwoDevices.with(joined: false) { devices in
            let arguments = ["join", "--email", TwoDevices.email, "--kit", devices.kit] + TwoDevices.cost
            let terminal = try Pseudoterminal(
                devices.b.coffer(arguments + ["--password-file", devices.b.passwordFile, "--remote", devices.url]))
            try terminal.expect("the same words")
            try terminal.send("no\r")
            #expect(try terminal.wait() == 33)
            expectNothing(devices.b)
        }
    }

    /// Without a person and without the words nothing is compared: nothing is asked of anybody either.
    @Test func nobodyToCompareTheWords() throws {
        try TwoDevices.with(joined: false) { devices in
            let refused = try devices.b.coffer(
                ["join", "--kit", devices.kit, "--email", TwoDevices.email, "--password-file", devices.b.passwordFile]
                    + TwoDevices.cost
            ).run(expecting: 64)
            #expect(refused.errorText.contains("--fingerprint is missing"), "\(refused.errorText)")
            expectNothing(devices.b)
        }
    }

    @Test func fingerprintGiven() throws {
        try TwoDevices.with(joined: false) { devices in
            let line = try devices.a.opened("kit", "--text").run(expecting: 0).errorText
            let words = String(try #require(line.firstMatch(of: #/Fingerprint: ([a-z ]+)/#)).1)
            let wrong = try devices.join(
                "--fingerprint", words.split(separator: " ").reversed().joined(separator: " "), expecting: 33)
            #expect(wrong.errorText.contains("fingerprint"))
            expectNothing(devices.b)
            try devices.join("--fingerprint", words.uppercased())
        }
    }

    /// Attack 6: a wrong address, password or kit, and a kit with any byte changed, give one message, one code and the
    /// same traffic.
    @Test func attack6OneAnswerToAllThatIsWrong() throws {
        try TwoDevices.with(.apache, joined: false) { devices in
            let server = try #require(devices.place.server)
            let relay = try RecordingRelay(to: server.port)
            let url = devices.url.replacing(":\(server.port)/", with: ":\(relay.port)/")
            let kit = try devices.a.opened("kit", "--text", "--email", TwoDevices.email).run(expecting: 0).text
            try devices.b.home.write(kit, to: "kit.txt")
            let wrong = try devices.b.home.write("plum violet anchor 48 harbour\n", to: "wrong")
            var (answers, traffic): (Set<String>, Set<[String]>) = ([], [])
            var seen = 0
            for (email, password) in [("bob@example.org", devices.b.passwordFile), (TwoDevices.email, wrong)] {
                let result = try devices.b.coffer(
                    [
                        "join", "--kit", "kit.txt", "--email", email, "--password-file", password, "--remote", url,
                    ] + TwoDevices.cost + devices.a.fingerprint
                ).run(expecting: 12)
                answers.insert(result.errorText)
                let all = relay.bytes
                traffic.insert(requests(Array(all[seen...])))
                seen = all.count
                expectNothing(devices.b)
            }
            #expect(answers.count == 1 && traffic.count == 1, "\(answers) \(traffic)")
            #expect(traffic.first?.isEmpty == false, "the canary is asked for before the kit is opened")
        }
    }

    /// The request lines in what passed.
    private func requests(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).matches(of: #/(GET|PUT|HEAD|PROPFIND|MKCOL|DELETE) (\S+) HTTP/#)
            .map { "\($0.1) \($0.2)" }.sorted()
    }

    @Test func canaryReplaced() throws {
        try TwoDevices.with(joined: false) { devices in
            try RemoteFiles(folder: devices.place.folder).flip("v1/canary/1")
            let before = RemoteFiles(folder: devices.place.folder).contents()
            try devices.join(expecting: 33)
            expectNothing(devices.b)
            #expect(RemoteFiles(folder: devices.place.folder).contents() == before)
        }
    }

    /// Attack 3: the kit of another vault, whose remote this is not.
    @Test func attack3KitSwapped() throws {
        try TwoDevices.with(joined: false) { devices in
            try TestVault.with(initialized: false) { other in
                try other.make("--email", TwoDevices.email, "--kit", devices.b.home.file("other.png"))
                let result = try devices.b.coffer(
                    [
                        "join", "--kit", "other.png", "--email", TwoDevices.email, "--remote", devices.url,
                        "--password-file", devices.b.passwordFile,
                    ] + TwoDevices.cost + devices.a.fingerprint
                ).run(expecting: 33)
                #expect(result.text.isEmpty)
                expectNothing(devices.b)
            }
        }
    }

    /// Attack 15: a remote from before the kit is refused.
    @Test func attack15RollbackAgainstAJoiner() throws {
        try TwoDevices.with(joined: false) { devices in
            let remote = RemoteFiles(folder: devices.place.folder)
            let before = remote.contents()
            let kit = devices.b.home.file("late.png")
            try devices.a.opened("kit", "--png", kit, "--email", TwoDevices.email).run(expecting: 0)
            try remote.restore(before)
            let result = try devices.b.coffer(
                ["join", "--kit", kit, "--email", TwoDevices.email, "--password-file", devices.b.passwordFile]
                    + TwoDevices.cost + devices.a.fingerprint
            ).run(expecting: 31)
            #expect(result.errorText.contains("knows nothing of this kit"))
            expectNothing(devices.b)
        }
    }

    @Test func aVaultThatIsThereIsLeftAlone() throws {
        try TwoDevices.with(joined: false) { devices in
            try devices.b.make()
            let before = try Posix.read(devices.b.file)
            try devices.join(expecting: 21)
            #expect(try Posix.read(devices.b.file) == before)
        }
    }

    @Test func whatIsNoKit() throws {
        try TwoDevices.with(joined: false) { devices in
            for text in ["", "COFFER1:AAAA", "rubbish"] {
                let file = try devices.b.home.write(text, to: "kit.txt")
                try devices.b.coffer(
                    ["join", "--kit", file, "--email", TwoDevices.email, "--password-file", devices.b.passwordFile]
                        + devices.a.fingerprint
                ).run(expecting: 42)
            }
            try devices.join("--remote", "file:///no/such/folder", expecting: 30)
            expectNothing(devices.b)
        }
    }

    /// A join that is interrupted leaves nothing; the next one succeeds.
    @Test func theRemoteGoesAwayInTheMiddle() throws {
        try TwoDevices.with(joined: false) { devices in
            let remote = RemoteFiles(folder: devices.place.folder)
            let segments = remote.paths().filter { $0.hasPrefix("v1/log/") }
            let first = try #require(segments.first)
            try remote.flip(first)
            let result = try devices.b.coffer(
                ["join", "--kit", devices.kit, "--email", TwoDevices.email, "--password-file", devices.b.passwordFile]
                    + TwoDevices.cost + devices.a.fingerprint
            ).run()
            #expect(result.code != 0)
            expectNothing(devices.b, "whole or not at all")
            try remote.flip(first)
            try devices.join()
            #expect(try devices.b.show("note") == "first line\n")
        }
    }
}
