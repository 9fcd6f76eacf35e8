import Foundation
import Glibc
import Sealing
import SystemPackage
import TestSupport
import Testing
import Vault

/// Attack 41, on a mount: what stands where the control files are, and is none of them, gets no request.
@Suite struct ReservedNameMountTests {
    /// A program from before took it from another device.
    private func plant(_ vault: TestVault) throws {
        let store = unsafe try Vault.open(
            at: FilePath(vault.file), password: MasterPassword(utf8: Array(TestVault.password.utf8).span.bytes),
            options: .init(stateDirectory: FilePath(vault.home.file(".local/state/coffer"))))
        defer { try? store.close() }
        let (directory, command) = (Array(".coffer".utf8), Array("command".utf8))
        let made = unsafe try store.makeNode(
            directory.span.bytes, in: .root, mode: 0o040700, owner: (getuid(), getgid()), device: 0, remember: false)
        _ = unsafe try store.makeNode(
            command.span.bytes, in: made.0, mode: 0o100600, owner: (getuid(), getgid()), device: 0, remember: false)
    }

    @Test func attack41_anEntryThatStandsThereIsRenamed() throws {
        try TestVault.with { vault in
            try plant(vault)
            try vault.mount()
            let names = try FileManager.default.contentsOfDirectory(atPath: vault.directory)
            #expect(names == [".coffer (renamed)"])
            #expect(try vault.opened("kit", "--text").run(expecting: 0).text.hasPrefix("COFFER1:"))
            #expect(FileManager.default.contents(atPath: vault.directory + "/.coffer (renamed)/command") == Data())
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    @Test func attack41_aFolderThatIsMountedThereGetsNothing() throws {
        try TestVault.with { vault in
            try vault.mount()
            let trap = try vault.home.directory("trap")
            for name in ["command", "lock", "status", "backup"] { try vault.home.write("", to: "trap/\(name)") }
            try vault.home.command("mount", ["--bind", trap, vault.directory + "/.coffer"]).run(expecting: 0)
            defer { _ = try? vault.home.command("umount", [vault.directory + "/.coffer"]).run() }
            #expect(try vault.opened("kit", "--text").run().code != 0)
            #expect(try Posix.status(trap + "/command").st_size == 0)
            try vault.home.command("umount", [vault.directory + "/.coffer"]).run(expecting: 0)
            try vault.opened("kit", "--text").run(expecting: 0)
            try vault.lock()
        }
    }
}
