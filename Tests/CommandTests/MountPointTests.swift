import Foundation
import TestSupport
import Testing

/// Mount points that cannot be used, and vaults that are in use.
@Suite struct MountPointTests {
    private func refused(_ vault: TestVault, _ directory: String, _ code: Int32) throws -> String {
        let command = try vault.coffer(["mount", directory, "--password-file", vault.passwordFile])
        let result = try command.run(expecting: code)
        #expect(result.text.isEmpty, "a failure prints no result")
        #expect(result.errorText.hasPrefix("coffer: "))
        return result.errorText
    }

    @Test func missing() throws {
        try TestVault.with { vault in
            let nowhere = try refused(vault, vault.home.file("nowhere"), 10)
            #expect(nowhere.contains("does not exist"))
            #expect(try refused(vault, vault.passwordFile, 10).contains("no folder"))
            #expect(try refused(vault, vault.passwordFile + "/below", 10).contains("no folder"))
        }
    }

    @Test func notEmpty() throws {
        try TestVault.with { vault in
            try vault.home.write("mine", to: "mount point/mine")
            let refusal = try refused(vault, vault.directory, 10)
            #expect(refusal.contains("not empty") && refusal.contains("plaintext") && refusal.contains(": mine."))
            #expect(refusal.contains("coffer mount --adopt") && !refusal.contains("--release"))
            #expect(try vault.read("mine") == "mine")
            for name in ["1", "2", "3", "4", "5", "6\u{1B}[31m", "a\nb"] { try vault.write("text", to: name) }
            #expect(try refused(vault, vault.directory, 10).contains(": 1, 2, 3, 4, 5 and 3 more."))
            for name in ["1", "2", "3", "4", "5"] { try FileManager.default.removeItem(atPath: vault.path(name)) }
            #expect(try refused(vault, vault.directory, 10).contains(": 6?[31m, a?b, mine."))
            #expect(!vault.isMounted)
        }
    }

    /// Only a user other than root can be refused.
    @Test(.enabled(if: geteuid() == 0)) func foreign() throws {
        let parent = "/tmp/coffer-foreign-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: parent, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: parent) }
        try TestVault.with(in: parent) { vault in
            let other = "\(parent)/other"
            try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
            try vault.home.command("chown", ["-R", "65534:65534", vault.home.path]).run(expecting: 0)
            let program = [try Program.coffer(), "mount", other, "--password-file", vault.passwordFile]
            let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
            let result = try vault.home.command("setpriv", user + program).run(expecting: 10)
            #expect(result.errorText.contains("not yours"))
        }
    }

    @Test func mountedAlready() throws {
        try TestVault.with { vault in
            try vault.mount()
            #expect(try refused(vault, vault.directory, 10).contains("mounted on"))
            let second = try vault.home.directory("second")
            #expect(try refused(vault, second, 24).contains("in use"))
            try vault.write("text", to: "entry")
            #expect(try vault.read("entry") == "text")
            try vault.lock()
        }
    }

    /// A path through a symbolic link is the same mount point.
    @Test func mountedAlreadyThroughLink() throws {
        try TestVault.with { vault in
            try vault.mount()
            let link = vault.home.file("link")
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: vault.directory)
            #expect(try refused(vault, link, 10).contains("mounted on"))
            try vault.coffer(["lock", link]).run(expecting: 0)
            #expect(!vault.isMounted)
            try vault.coffer(["mount", link, "--password-file", vault.passwordFile]).run(expecting: 0)
            try vault.lock()
        }
    }

    /// A second process that does not see the mount (it has its own table of them) gets the same answer.
    @Test(.enabled(if: geteuid() == 0)) func inUseElsewhere() throws {
        try TestVault.with { vault in
            try vault.mount()
            for arguments in [["ls"], ["verify"], ["show", "a"], ["passwd"], ["kit", "--text"]] {
                let words = ["--mount", "sh", "-c", "\(Mount.leaveOthers)\nexec \"$@\"", "sh"]
                let program = [try Program.coffer()] + arguments + ["--password-file", vault.passwordFile]
                let result = try vault.home.command("unshare", words + program).run(expecting: 24)
                #expect(result.text.isEmpty, "\(arguments)")
            }
            try vault.write("text", to: "entry")
            try vault.lock()
        }
    }

    @Test func relativePathAndEndOfOptions() throws {
        try TestVault.with { vault in
            let password = ["--password-file", vault.passwordFile]
            try vault.coffer(["mount", "mount point"] + password).run(expecting: 0)
            try vault.coffer(["lock", "mount point"]).run(expecting: 0)
            #expect(!vault.isMounted)
            try vault.coffer(["mount"] + password + ["--", vault.directory]).run(expecting: 0)
            try vault.lock()
        }
    }

    /// Whoever interrupts a mount does not want it a second later.
    @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func interruptedMountIsNoMount(_ signal: Int32) throws {
        try TestVault.with(initialized: false, trueCost: true) { vault in
            try vault.make("--kdf-passes", "10", "--kdf-memory", "256")
            let words = ["mount", vault.directory, "--password-file", vault.passwordFile]
            let mount = try vault.coffer(words).start()
            var daemon: RunningProcess?
            while daemon == nil, !mount.hasEnded { daemon = try? vault.daemon() }
            #expect(daemon != nil)
            mount.send(signal)
            #expect(try mount.wait() == 128 + signal)
            try daemon?.waitForEnd()
            #expect(!vault.isMounted)
            try vault.coffer(["lock"]).run(expecting: 0)
        }
    }

    /// A program inside of a mount that was taken away lazily keeps the vault open: that is not called locked.
    @Test func processWithoutMount() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(daemon.identifier)/cwd") == "/")
            let file = try Posix.File(vault.path(""), O_RDONLY | O_DIRECTORY)
            Mount.clear(below: vault.directory)
            #expect(!vault.isMounted)
            let status = try vault.coffer(["status"]).run(expecting: 0)
            #expect(status.text.contains("in use by process \(daemon.identifier)"))
            #expect(try vault.coffer(["status", "--json"]).run(expecting: 0).text.contains("\"isInUse\" : true"))
            let lock = try vault.coffer(["lock"]).run(expecting: 24)
            #expect(lock.errorText.contains("kill \(daemon.identifier)"))
            try file.close()
            try daemon.waitForEnd()
            try vault.lock()
            #expect(try vault.coffer(["status"]).run(expecting: 0).text.contains("State:    locked"))
        }
    }

    /// Anybody can mount something that claims to be this vault. It is not asked for anything: it would get passwords, and
    /// could answer what it likes, or never.
    @Test(.enabled(if: geteuid() == 0)) func foreignMountIsNotBelieved() throws {
        try TestVault.with { vault in
            let foreign = try vault.home.directory("foreign")
            let device = try Posix.File("/dev/fuse", O_RDWR)
            let options = "fd=\(device.number),rootmode=40000,user_id=65534,group_id=65534"
            let flags = UInt(MS_NOSUID | MS_NODEV)
            try Posix.check(unsafe mount(vault.file, foreign, "fuse.coffer", flags, options), "mount")
            #expect(try vault.coffer(["status"]).run(expecting: 0).text.contains("State:    locked"))
            try vault.opened("ls").run(expecting: 0)
            try vault.mount()
            try vault.write("text", to: "entry")
            try vault.lock()
            #expect(!vault.isMounted)
            try device.close()
        }
        try TestVault.with { vault in
            for option in ["fsname=/else/where", "ro,subtype=other"] {
                try vault.coffer(["mount", vault.directory, "-o", option]).run(expecting: 64)
            }
            let unknown = try vault.coffer(
                ["mount", vault.directory, "-o", "nonsense", "--password-file", vault.passwordFile])
            #expect(try unknown.run(expecting: 10).errorText.contains("options"))
        }
    }

    /// What is no vault is neither waited for nor called locked.
    @Test func noVaultThere() throws {
        try TestVault.with { vault in
            let (pipe, short) = (vault.home.file("pipe"), vault.home.file("short"))
            try Posix.check(unsafe mkfifo(pipe, 0o600), "mkfifo")
            let text = try vault.home.write("text", to: "text")
            for place in [pipe, text, vault.home.path, "/dev/null"] {
                try vault.opened("ls", "--vault", place).run(expecting: 20)
                try vault.coffer(["status", "--vault", place]).run(expecting: 20)
                try vault.coffer(["mount", vault.directory, "--vault", place], input: TestVault.password)
                    .run(expecting: 20)
            }
            let whole = try #require(FileManager.default.contents(atPath: vault.file))
            try whole.prefix(whole.count / 2).write(to: URL(filePath: short))
            try vault.coffer(["status", "--vault", short]).run(expecting: 26)
            for words in [["mount", ""], ["ls", "--vault", ""], ["status", "--vault", ""]] {
                try vault.coffer(words).run(expecting: 64)
            }
        }
    }

    @Test func lockWithoutMount() throws {
        try TestVault.with { vault in
            try vault.coffer(["lock"]).run(expecting: 0)
            try vault.coffer(["lock", vault.directory]).run(expecting: 10)
        }
    }
}
