import Foundation
import TestSupport
import Testing

/// What a newer program has written is told as that: to update, and never as an alarm or as damage.
@Suite struct NewerProgramTests {
    private func expectUpdate(_ result: Command.Result, _ comment: String) {
        #expect(result.errorText.contains("newer coffer") && result.errorText.contains("Update coffer"), "\(comment)")
        for word in ["damage", "Damage", "rolled back", "forked", "canary"] {
            #expect(!result.errorText.contains(word), "\(comment): \(result.errorText)")
        }
    }

    @Test func theVaultsFile() throws {
        try TestVault.with { vault in
            try vault.home.command("sqlite3", [vault.file, "PRAGMA user_version = 2"]).run(expecting: 0)
            expectUpdate(try vault.opened("ls").run(expecting: 1), "user_version")
            try vault.home.command("sqlite3", [vault.file, "PRAGMA user_version = 1"]).run(expecting: 0)
            let newer = "CAST(X'4346524302' || substr(value, 6) AS BLOB)"
            let canary = "UPDATE header SET value = \(newer) WHERE name = 'canary'"
            try vault.home.command("sqlite3", [vault.file, canary]).run(expecting: 0)
            expectUpdate(try vault.opened("ls").run(expecting: 1), "canary of the vault")
        }
    }

    /// A journal, or a reserve, of a newer program is not written over, and not set aside.
    @Test(arguments: ["-redo", "-reserve"]) func whatLiesBesideIt(_ ending: String) throws {
        try TestVault.with { vault in
            let magic = Array((ending == "-redo" ? "CFRJ" : "CFRS").utf8)
            let bytes = magic + [2, 0, 0, 0] + [UInt8](repeating: 7, count: 4096)
            try Posix.write(bytes, to: vault.file + ending)
            expectUpdate(try vault.opened("ls").run(expecting: 1), ending)
            #expect(try Posix.read(vault.file + ending) == bytes)
        }
    }

    @Test func aSegment() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            let remote = RemoteFiles(folder: devices.place.folder)
            let before = Set(remote.paths())
            try b.edit { try b.write("from a newer one\n", to: "note") }
            try b.sync()
            let added = remote.paths().filter { !before.contains($0) && $0.hasPrefix("v1/log/") }
            try #require(added.count == 1)
            try replace(added[0], in: remote) { $0[4] = 2 }
            let result = try a.sync(expecting: 1)
            expectUpdate(result, "segment")
            #expect(result.errorText.contains("beta"))
            #expect(try a.show("note") == "first line\n")
            // Its own changes go on.
            try a.edit { try a.write("mine\n", to: "mine") }
            #expect(try a.sync(expecting: 1).text.contains("Pushed 2 changes") || a.show("mine") == "mine\n")
        }
    }

    /// Puts another object in the place of one, under the name that its bytes have.
    private func replace(_ path: String, in remote: RemoteFiles, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = try Posix.read("\(remote.folder)/\(path)")
        change(&bytes)
        let folder = (path as NSString).deletingLastPathComponent
        let number = try #require((path as NSString).lastPathComponent.split(separator: ".").first)
        let new = try devicesHash(bytes)
        try FileManager.default.removeItem(atPath: "\(remote.folder)/\(path)")
        try Posix.write(bytes, to: "\(remote.folder)/\(folder)/\(number).\(new)")
    }

    /// BLAKE2b-128, by b2sum(1).
    private func devicesHash(_ bytes: [UInt8]) throws -> String {
        let home = try TemporaryHome()
        defer { home.remove() }
        try Posix.write(bytes, to: home.file("object"))
        let text = try home.command("b2sum", ["-l", "128", home.file("object")]).run(expecting: 0).text
        return String(text.prefix(32))
    }

    @Test func theCanaryAndTheGenesisAtTheRemote() throws {
        for path in ["v1/canary/1", "v1/vault"] {
            try TwoDevices.with { devices in
                var bytes = try Posix.read("\(devices.place.folder)/\(path)")
                bytes[4] = 2
                try Posix.write(bytes, to: "\(devices.place.folder)/\(path)")
                expectUpdate(try devices.a.sync(expecting: 1), path)
                try FileManager.default.removeItem(atPath: devices.b.file)
                expectUpdate(try devices.join(expecting: 1), "joining, \(path)")
            }
        }
    }
}
