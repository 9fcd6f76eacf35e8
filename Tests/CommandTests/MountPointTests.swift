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
            #expect(try refused(vault, vault.directory, 10).contains("not empty"))
            #expect(try vault.read("mine") == "mine")
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
                let words = ["--mount", "sh", "-c", "umount \"$1\"; shift; exec \"$@\"", "sh", vault.directory]
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

    @Test func lockWithoutMount() throws {
        try TestVault.with { vault in
            try vault.coffer(["lock"]).run(expecting: 0)
            try vault.coffer(["lock", vault.directory]).run(expecting: 10)
        }
    }
}
