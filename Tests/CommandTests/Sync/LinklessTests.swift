import Foundation
import TestSupport
import Testing

/// Vaults and remotes on file systems without hard links: FAT, exFAT, some of FUSE.
@Suite struct LinklessTests {
    private func run(
        _ vault: TestVault, _ arguments: [String], _ environment: [String: String], expecting code: Int32 = 0
    ) throws -> Command.Result {
        var command = try vault.coffer(arguments + ["--password-file", vault.passwordFile])
        command.environment?.merge(environment) { $1 }
        return try command.run(expecting: code)
    }

    @Test(arguments: [(EPERM, true), (ENOSYS, false), (EIO, false), (EOPNOTSUPP, false)])
    func initRemoteAndJoin(_ error: Int32, keeps: Bool) throws {
        let linkless = try LinklessFiles.environment(error, keeps: keeps)
        try TestVault.with(initialized: false) { a in
            try TestVault.with(initialized: false) { b in
                try a.keepFingerprint(run(a, ["init", "--email", TwoDevices.email] + TwoDevices.cost, linkless))
                let folder = try a.home.directory("remote")
                _ = try run(a, ["remote", "set", folder], linkless)
                try a.edit { try a.write("first line\n", to: "note") }
                _ = try run(a, ["sync"], linkless)
                let kit = try run(a, ["kit", "--text", "--address", TwoDevices.email], linkless).text
                try b.home.write(kit, to: "kit.txt")
                let join = ["join", "--kit", "kit.txt", "--email", TwoDevices.email] + TwoDevices.cost
                _ = try run(b, join + a.fingerprint, linkless)
                #expect(try b.show("note") == "first line\n")
                try b.edit { try b.write("other line\n", to: "note") }
                _ = try run(b, ["sync"], linkless)
                _ = try run(a, ["sync"], linkless)
                #expect(try a.show("note") == "other line\n")
                for vault in [a, b] {
                    let folder = (vault.file as NSString).deletingLastPathComponent
                    let left = try FileManager.default.contentsOfDirectory(atPath: folder)
                    #expect(!left.contains { $0.hasSuffix(".new") || $0.hasSuffix(".joining") }, "\(left)")
                }
                let names = RemoteFiles(folder: folder).paths()
                #expect(!names.contains { $0.hasSuffix(".tmp") }, "\(names)")
            }
        }
    }

    /// Whoever finds the name taken leaves what is there as it is.
    @Test(arguments: [true, false]) func whatIsThereStays(keeps: Bool) throws {
        let linkless = try LinklessFiles.environment(EPERM, keeps: keeps)
        try TestVault.with { vault in
            let before = try Posix.read(vault.file)
            _ = try run(vault, ["init", "--kdf-memory", "64"], linkless, expecting: 21)
            #expect(try Posix.read(vault.file) == before)
            // An empty file that nobody has left while making a vault is somebody's.
            let empty = try vault.home.write("", to: "empty.coffer")
            _ = try run(vault, ["init", "--vault", empty, "--kdf-memory", "64"], linkless, expecting: 21)
        }
    }

    /// Killed between taking the name and filling it: the next one makes the vault all the same.
    @Test func aKilledInitIsMadeAgain() throws {
        try TestVault.with(initialized: false) { vault in
            let words = ["init", "--kdf-memory", "64"]
            let dying = try LinklessFiles.environment(ENOSYS, keeps: false, dying: "vault.coffer")
            _ = try run(vault, words, dying, expecting: 128 + SIGKILL)
            #expect(try Posix.status(vault.file).st_size == 0)
            _ = try run(vault, words, try LinklessFiles.environment(ENOSYS, keeps: false))
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// Killed between taking an object's name and filling it: the object is torn, and is written again.
    @Test func aKilledPushIsMadeAgain() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            try a.edit { try a.write("newer\n", to: "note") }
            let own = try #require(
                JSONDecoder().decode([Device].self, from: Data(a.opened("devices", "--json").run(expecting: 0).output))
                    .first { $0.isThisOne })
            let next = RemoteFiles(folder: devices.place.folder + "/v1/log/" + own.id).paths().count + 1
            let dying = try LinklessFiles.environment(ENOSYS, keeps: false, dying: "\(next).")
            _ = try run(a, ["sync"], dying, expecting: 128 + SIGKILL)
            #expect(torn(devices) == 1)
            _ = try run(a, ["sync"], try LinklessFiles.environment(ENOSYS, keeps: false))
            #expect(torn(devices) == 0)
            try b.sync()
            #expect(try b.show("note") == "newer\n")
        }
    }

    private struct Device: Decodable {
        var id: String
        var isThisOne: Bool
    }

    private func torn(_ devices: TwoDevices) -> Int {
        RemoteFiles(folder: devices.place.folder).contents().count { $0.hasPrefix("v1/log/") && $1.isEmpty }
    }
}
