import Foundation
import TestSupport
import Testing

/// A device whose vault was restored from a backup, and the remote that has seen more of it, or not.
@Suite struct RestoredDeviceTests {
    private func backUp(_ vault: TestVault) throws -> String {
        let backup = vault.home.file("backup")
        try vault.coffer(["backup", "create", backup]).run(expecting: 0)
        return backup
    }

    /// What others have done since comes; what it writes next goes out under its own name.
    @Test func goesOnAsItself() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            let backup = try backUp(a)
            try b.edit { try b.write("of beta\n", to: "from beta") }
            try b.sync()
            try a.coffer(["backup", "restore", backup]).run(expecting: 0)
            try a.sync()
            #expect(try a.show("from beta") == "of beta\n")
            try a.edit { try a.write("of alpha\n", to: "from alpha") }
            try a.sync()
            try b.sync()
            #expect(try b.show("from alpha") == "of alpha\n")
            let list = try b.opened("devices").run(expecting: 0).text
            #expect(list.split(separator: "\n").count == 2 && !list.contains("restored"), "\(list)")
        }
    }

    /// The remote has later changes of this device: it becomes another one, and both have everything.
    @Test func becomesADeviceOfItsOwn() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            let backup = try backUp(a)
            try a.edit { try a.write("lost here\n", to: "later") }
            try a.sync()
            try a.coffer(["backup", "restore", backup]).run(expecting: 0)
            try a.edit { try a.write("after\n", to: "after") }
            let said = try a.sync()
            #expect(said.errorText.contains("(restored "), "\(said.errorText)")
            #expect(try a.show("later") == "lost here\n" && a.show("after") == "after\n")
            try b.sync()
            #expect(try b.show("later") == "lost here\n" && b.show("after") == "after\n")
            let list = try b.opened("devices").run(expecting: 0).text
            #expect(list.contains("alpha (restored ") && list.split(separator: "\n").count == 3, "\(list)")
            // One machine is one device.
            #expect(list.split(separator: "\n").count { $0.contains("revoked") } == 1, "\(list)")
            #expect(said.errorText.contains("is revoked"), "\(said.errorText)")
            try a.sync()
            #expect(try a.tree() == b.tree())
        }
    }

    /// While it is mounted nobody is asked for a password: the alarm says what to do.
    @Test func whileItIsMounted() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            try devices.syncAll()
            let backup = try backUp(a)
            try a.edit { try a.write("lost here\n", to: "later") }
            try a.sync()
            try a.coffer(["backup", "restore", backup]).run(expecting: 0)
            try a.mount("--no-sync")
            let alarm = try a.coffer(["sync"]).run(expecting: 32)
            #expect(alarm.errorText.contains("restored from a backup") && alarm.errorText.contains("--as-new-device"))
            try a.sync("--as-new-device")
            #expect(try a.read("later") == "lost here\n")
            try a.lock()
            #expect(try a.opened("devices").run(expecting: 0).text.contains("alpha (restored "))
        }
    }
}
