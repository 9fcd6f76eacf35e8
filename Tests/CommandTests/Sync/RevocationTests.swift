import Foundation
import TestSupport
import Testing

/// `devices revoke` and `rotate`: what they do, and that `passwd` does nothing of it.
@Suite struct RevocationTests {
    @Test(arguments: [true, false]) func attack22RevokedDevice(mounted: Bool) throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            if mounted { try a.mount("--no-sync") }
            let wrong = try a.home.write("plum violet anchor 48 harbour\n", to: "wrong")
            if mounted { try a.coffer(["devices", "revoke", "beta", "--password-file", wrong]).run(expecting: 12) }
            #expect(try a.opened("devices", "revoke", "nobody").run(expecting: 1).errorText.contains("coffer devices"))
            try a.opened("devices", "revoke", "alpha").run(expecting: 1)
            let revoked = try a.opened("devices", "revoke", "beta").run(expecting: 0).errorText
            #expect(revoked.contains("is revoked") && revoked.contains("coffer kit"))
            if mounted { try a.lock() }

            try a.edit { try a.write("for those who stay\n", to: "later") }
            try a.sync()
            try b.edit { try b.write("from a revoked device\n", to: "note") }
            let refused = try b.sync(expecting: 34)
            #expect(refused.errorText.contains("revoked") && refused.text.isEmpty)
            #expect(try b.opened("show", "later").run(expecting: 40).text.isEmpty, "it reads nothing new")
            #expect(try b.show("mail/gmail").hasPrefix("s3cret"), "it keeps what it had")
            try a.sync()
            #expect(try a.show("note") == "first line\n", "what it writes is refused")
            #expect(try a.opened("devices").run(expecting: 0).text.contains(#/beta +[0-9a-f]{32}  revoked\n/#))
            // The old kit opens nothing new.
            try FileManager.default.removeItem(atPath: b.file)
            try devices.join(expecting: 12)
        }
    }

    @Test func attack23OldKitAfterRotation() throws {
        try TwoDevices.with(joined: false) { devices in
            let a = devices.a
            let rotated = try a.opened("rotate").run(expecting: 0)
            #expect(rotated.text.isEmpty && rotated.errorText.contains("coffer kit"))
            try a.edit { try a.write("newer\n", to: "note") }
            try a.sync()
            let refused = try devices.join(expecting: 12)
            #expect(refused.errorText.contains("do not open"))
            #expect(!FileManager.default.fileExists(atPath: devices.b.file))
            try a.opened("kit", "--png", devices.kit, "--email", TwoDevices.email).run(expecting: 0)
            try devices.join()
            #expect(try devices.b.show("note") == "newer\n")
        }
    }

    /// The devices that stay get the new key without being asked anything.
    @Test func whoStaysGoesOn() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            try b.opened("rotate").run(expecting: 0)
            try b.edit { try b.write("after\n", to: "note") }
            try b.sync()
            try a.sync()
            #expect(try a.show("note") == "after\n")
            try a.edit { try a.write("and back\n", to: "note") }
            try devices.syncAll()
            #expect(try b.show("note") == "and back\n")
        }
    }

    @Test func passwdRevokesNothingAndSaysSo() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            let new = "copper lantern 93 meadow"
            let changed = try a.coffer(["passwd"], input: "\(TestVault.password)\n\(new)\n").run(expecting: 0)
            #expect(changed.errorText.contains("revokes nothing"))
            try devices.b.edit { try devices.b.write("still a device\n", to: "note") }
            try devices.b.sync()
            try a.coffer(["sync"], input: new).run(expecting: 0)
            #expect(try a.coffer(["show", "note"], input: new).run(expecting: 0).text == "still a device\n")
        }
    }
}
