import Foundation
import TestSupport
import Testing

/// `passwd` and `kit` while the vault is mounted: they ask the process behind the mount.
@Suite struct MountedCommandTests {
    private static let new = "copper lantern 93 meadow"
    private static let wrong = "plum violet anchor 48 harbour"

    @Test func changePassword() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("text", to: "entry")
            let file = ["--new-password-file", try vault.home.write(Self.new + "\n", to: "new")]
            let refused = try vault.coffer(["passwd"] + file, input: Self.wrong).run(expecting: 12)
            #expect(refused.errorText.contains("does not open this vault"))
            try vault.coffer(["passwd"], input: TestVault.password + "\nabc\n").run(expecting: 22)
            try vault.coffer(["passwd"], input: TestVault.password + "\n").run(expecting: 22)
            try vault.coffer(["passwd"], input: "\n").run(expecting: 22)
            let changed = try vault.opened("passwd", file[0], file[1]).run(expecting: 0)
            #expect(changed.text.isEmpty && changed.errorText.contains("was changed"))
            #expect(try vault.read("entry") == "text")
            // At once the only one, also for the process that has the vault open.
            try vault.opened("kit", "--text").run(expecting: 12)
            try vault.coffer(["kit", "--text"], input: Self.new).run(expecting: 0)
            try vault.lock()
            try vault.opened("ls").run(expecting: 12)
            #expect(try vault.coffer(["show", "entry"], input: Self.new).run(expecting: 0).text == "text")
            try vault.coffer(["verify"], input: Self.new).run(expecting: 0)
        }
    }

    @Test func changePasswordOnTerminal() throws {
        try TestVault.with { vault in
            try vault.mount()
            let terminal = try Pseudoterminal(vault.coffer(["passwd"]))
            try terminal.expect("Present master password: ")
            try terminal.send(TestVault.password + "\r")
            try terminal.expect("New master password: ")
            try terminal.send(Self.new + "\r")
            try terminal.expect("again: ")
            try terminal.send(Self.new + "\r")
            #expect(try terminal.wait() == 0)
            try vault.lock()
            try vault.coffer(["ls"], input: Self.new).run(expecting: 0)
        }
    }

    /// What `passwd` said is on the disk when it returns.
    @Test func changedPasswordSurvivesAKill() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            try vault.coffer(["passwd"], input: "\(TestVault.password)\n\(Self.new)\n").run(expecting: 0)
            daemon.send(SIGKILL)
            try daemon.waitForEnd()
            try vault.opened("ls").run(expecting: 12)
            try vault.coffer(["ls"], input: Self.new).run(expecting: 0)
        }
    }

    @Test func issueKit() throws {
        try TestVault.with { vault in
            try vault.mount()
            let png = vault.home.file("kit.png")
            let result = try vault.opened("kit", "--png", png, "--text", "--address", "me@example.org").run(
                expecting: 0)
            let text = result.text.trimmingCharacters(in: .newlines)
            #expect(text.hasPrefix("COFFER1:"))
            let arguments = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", png]
            let decoded = try vault.home.command("zbarimg", arguments).run(expecting: 0).text
            #expect(decoded.trimmingCharacters(in: .newlines) == text)
            let mounted = try #require(result.errorText.split(separator: "\n").last { $0.hasPrefix("Fingerprint: ") })
            #expect(try vault.coffer(["kit"], input: Self.wrong).run(expecting: 12).text.isEmpty)
            let long = String(repeating: "a", count: 255)
            try vault.opened("kit", "--email", long).run(expecting: 64)
            try vault.lock()
            #expect(try vault.opened("kit", "--text").run(expecting: 0).errorText.contains(mounted))
        }
    }

    /// A request is written, which a read-only mount refuses.
    @Test(arguments: ["passwd", "kit"]) func readOnlyMount(_ verb: String) throws {
        try TestVault.with { vault in
            try vault.mount("--read-only")
            let result = try vault.coffer([verb], input: "\(TestVault.password)\n\(Self.new)\n").run(expecting: 24)
            #expect(result.text.isEmpty && result.errorText.contains("read-only"))
            try vault.lock()
            try vault.opened("ls").run(expecting: 0)
        }
    }

    /// While a key is derived, files are served and the vault can be locked; nothing is given out then.
    @Test func lockWhileAKeyIsDerived() throws {
        try TestVault.with(initialized: false, trueCost: true) { vault in
            // The kit then takes ten passes over 256 MiB: longer than what follows.
            try vault.make("--kdf-passes", "9")
            // A machine that does something else for a second has derived it before.
            var isLockedMeanwhile = false
            for _ in 0..<5 where !isLockedMeanwhile { isLockedMeanwhile = try lockMeanwhile(vault) }
            #expect(isLockedMeanwhile, "files are served beside the derivation, not after it")
        }
    }

    /// Whether the vault was locked before the key was there.
    private func lockMeanwhile(_ vault: TestVault) throws -> Bool {
        try vault.mount()
        let daemon = try vault.daemon()
        let base = try RunningProcess.memory("VmRSS", of: daemon.identifier)
        let kit = try vault.opened("kit", "--text").start()
        while try RunningProcess.memory("VmRSS", of: daemon.identifier) < base + (128 << 10) {
            guard !kit.hasEnded else {
                try vault.lock()
                return false
            }
            try vault.write("early", to: "entry")
        }
        try vault.write("served", to: "entry")
        #expect(try vault.read("entry") == "served")
        try vault.lock()
        #expect(!vault.isMounted)
        #expect(try vault.coffer(["show", "entry", "--password-file", vault.passwordFile]).run().text == "served")
        return try kit.wait() == 1
    }

    /// Neither the password that unlocked nor one that came later stays in the daemon's memory.
    @Test(.enabled(if: geteuid() == 0, "only root reads another process's memory")) func passwordsAreWiped() throws {
        try TestVault.with(trueCost: true) { vault in
            try vault.mount()
            try vault.write("text", to: "entry-named-ultramarine")
            let daemon = try vault.daemon()
            #expect(try daemon.memoryContains("entry-named-ultramarine"), "names are there: looking finds")
            #expect(try !daemon.memoryContains(TestVault.password))
            try vault.coffer(["passwd"], input: "\(TestVault.password)\n\(Self.new)\n").run(expecting: 0)
            try vault.coffer(["kit", "--text"], input: Self.new).run(expecting: 0)
            // A request is wiped by the thread that answered it, after the answer.
            let end = ContinuousClock.now + .patience
            for password in [TestVault.password, Self.new] {
                while try daemon.memoryContains(password) {
                    try #require(ContinuousClock.now < end, "a password stays in the daemon's memory")
                }
            }
            try vault.lock()
        }
    }

    // MARK: The control file itself

    private static func request(verb: UInt8, _ first: [UInt8], _ second: [UInt8]) -> [UInt8] {
        func number(_ value: Int) -> [UInt8] { [UInt8(value & 0xFF), UInt8(value >> 8)] }
        return Array("CFRQ".utf8) + [1, verb, 0, 0] + number(first.count) + number(second.count) + first + second
    }

    /// The errno of writing `bytes`, and the answer that is read from the same open file.
    private func exchange(_ vault: TestVault, _ bytes: [UInt8]) throws -> (Int32, [UInt8]) {
        let file = try Posix.File(vault.path(".coffer/command"), O_RDWR)
        let code = try Posix.code { try file.write(bytes) }
        return (code, try file.read(16384, at: 0))
    }

    @Test func malformedRequests() throws {
        try TestVault.with { vault in
            try vault.mount()
            let password = Array(TestVault.password.utf8)
            let good = Self.request(verb: 2, password, [])
            let (code, answer) = try exchange(vault, good)
            #expect(code == 0 && answer.starts(with: Array("CFRA".utf8) + [1, 0, 0, 0]))

            var wrong: [[UInt8]] = (0..<good.count).map { Array(good[..<$0]) }.filter { !$0.isEmpty }
            wrong.append(good + [0])
            for (offset, value) in [(0, 0x58), (3, 0x41), (4, 0), (4, 2), (5, 0), (5, 3), (5, 255), (6, 1), (7, 1)] {
                var bytes = good
                bytes[offset] = UInt8(value)
                wrong.append(bytes)
            }
            for offset in 8..<12 {
                var bytes = good
                bytes[offset] ^= 0x81
                wrong.append(bytes)
            }
            wrong.append(Self.request(verb: 1, password, []))
            wrong.append(Self.request(verb: 1, [], password))
            wrong.append(Self.request(verb: 2, [UInt8](repeating: 0x61, count: 1025), []))
            wrong.append(Self.request(verb: 2, password, [UInt8](repeating: 0x61, count: 4097)))
            wrong.append([UInt8](repeating: 0, count: 1 << 20))
            for bytes in wrong {
                let (code, answer) = try exchange(vault, bytes)
                #expect(code == EINVAL && answer.isEmpty, "\(bytes.prefix(16))")
            }
            try vault.write("text", to: "entry")
            try vault.lock()
            try vault.opened("ls").run(expecting: 0)
        }
    }

    @Test func accessToTheControlFile() throws {
        try TestVault.with { vault in
            try vault.mount()
            let path = vault.path(".coffer/command")
            #expect(try Posix.status(path).st_mode & 0o7777 == 0o600)
            #expect(unsafe chmod(path, 0o666) == 0 || errno != 0)
            #expect(try Posix.status(path).st_mode & 0o7777 == 0o600)
            #expect(try Posix.read(path).isEmpty, "nothing was asked")
            let file = try Posix.File(path, O_RDWR)
            let bytes = Self.request(verb: 2, Array(TestVault.password.utf8), [])
            #expect(unsafe pwrite(file.number, bytes, bytes.count, 1) < 0 && errno == EINVAL)
            // An answer belongs to its handle.
            try file.write(bytes)
            #expect(try !file.read(4, at: 0).isEmpty)
            #expect(try Posix.read(path).isEmpty)
            try file.close()
            #expect(try Posix.code { try Posix.File(vault.path(".coffer/status"), O_WRONLY).write([1]) } == EPERM)
            try vault.lock()
        }
    }
}
