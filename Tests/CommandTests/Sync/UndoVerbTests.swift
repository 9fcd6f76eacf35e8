import Foundation
import TestSupport
import Testing

/// `devices revoke --undo-since` and `history --device`: what a stolen device did, told and taken back.
@Suite struct UndoVerbTests {
    private struct Undone: Decodable {
        struct Left: Decodable, Equatable {
            var path: String
            var reason: String
            var by: String?
        }

        var device: String
        var restored: Int
        var broughtBack: Int
        var movedBack: Int
        var removed: Int
        var left: [Left]
        var knownSince: String?
    }

    private struct Line: Decodable {
        var segment: Int
        var change: String
        var path: String
        var from: String?
    }

    /// Beta is stolen: it forges an entry, removes one, moves one and makes one; alpha has it.
    private func steal(_ devices: TwoDevices) throws {
        try devices.syncAll()
        try devices.b.edit {
            try devices.b.write("forged\n", to: "note")
            try FileManager.default.removeItem(atPath: devices.b.path("mail/gmail"))
            try devices.b.write("by the thief\n", to: "made")
        }
        try devices.b.sync()
        try devices.a.sync()
    }

    @Test(arguments: [true, false]) func attack40EditsOfAStolenDeviceUndone(mounted: Bool) throws {
        try TwoDevices.with { devices in
            let a = devices.a
            try steal(devices)
            #expect(try a.show("note") == "forged\n")
            if mounted { try a.mount("--no-sync") }
            let undone = try a.opened("devices", "revoke", "beta", "--undo-since", "1h").run(expecting: 0)
            #expect(undone.errorText.contains("is revoked"))
            #expect(undone.text.hasPrefix("Undone what beta did: "))
            if mounted { try a.lock() }
            #expect(try a.show("note") == "first line\n")
            #expect(try a.show("mail/gmail").hasPrefix("s3cret"))
            try a.opened("show", "made").run(expecting: 40)
            // Again it says the same: it was done.
            let again = try a.opened("devices", "revoke", "beta", "--undo-since", "1h", "--json").run(expecting: 0)
            let view = try JSONDecoder().decode(Undone.self, from: Data(again.output))
            #expect(view.device == "beta" && view.left == [] && view.restored == 1 && view.broughtBack == 1)
            #expect(view.removed == 1)
            #expect(!again.errorText.contains("is revoked"))
        }
    }

    /// What somebody has changed since stays, and is named; so is a time before this device knew what others do.
    @Test func whatStaysIsNamed() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            try steal(devices)
            try a.edit { try a.write("mended\n", to: "note") }
            try a.sync()
            let undone = try a.opened("devices", "revoke", "beta", "--undo-since", "1999-01-01", "--json")
                .run(expecting: 0)
            let view = try JSONDecoder().decode(Undone.self, from: Data(undone.output))
            #expect(view.left == [Undone.Left(path: "note", reason: "editedSince", by: "alpha")])
            #expect(view.knownSince != nil)
            #expect(try a.show("note") == "mended\n")
        }
    }

    /// History is each device's own: one that has joined since says since when it knows, and what it cannot undo.
    @Test func whoHasJoinedSinceSaysSo() throws {
        try TwoDevices.with { devices in
            try steal(devices)
            try TestVault.with(initialized: false) { c in
                try c.coffer(
                    [
                        "join", "--kit", devices.kit, "--email", TwoDevices.email, "--device-name", "gamma",
                        "--password-file", c.passwordFile,
                    ] + TwoDevices.cost + devices.a.fingerprint
                ).run(expecting: 0)
                let undone = try c.opened("devices", "revoke", "beta", "--undo-since", "1h", "--json")
                    .run(expecting: 0)
                let view = try JSONDecoder().decode(Undone.self, from: Data(undone.output))
                #expect(view.knownSince != nil && view.restored == 0)
                #expect(view.left.map(\.path).sorted() == ["made", "note"])
                #expect(view.left.allSatisfy { $0.reason == "notKnown" })
                #expect(try c.show("note") == "forged\n")
                // The other device may know more.
                try devices.a.opened("devices", "revoke", "beta", "--undo-since", "1h").run(expecting: 0)
                try c.sync()
                #expect(try c.show("note") == "first line\n")
            }
        }
    }

    @Test func historySaysWhatADeviceDid() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            try steal(devices)
            let json = try a.opened("history", "--device", "beta", "--json").run(expecting: 0)
            let lines = try JSONDecoder().decode([Line].self, from: Data(json.output))
            #expect(lines.contains { $0.change == "content" && $0.path == "note" && $0.segment > 0 })
            #expect(lines.contains { $0.change == "removed" && $0.path == "mail/gmail" })
            #expect(lines.contains { $0.change == "made" && $0.path == "made" })
            let text = try a.opened("history", "--device", "beta", "--since", "1h").run(expecting: 0).text
            #expect(text.contains(" removed mail/gmail\n") && text.contains(" wrote note\n"))
            try a.opened("history", "--device", "alpha").run(expecting: 1)
            #expect(try a.opened("history", "--device", "nobody").run(expecting: 1).errorText.contains("no device"))
            // From its segment on, whatever the clocks say.
            let first = try #require(lines.map(\.segment).min())
            try a.opened("devices", "revoke", "beta", "--undo-since", "segment:\(first)").run(expecting: 0)
            #expect(try a.show("note") == "first line\n")
        }
    }

    @Test(arguments: ["", "yesterday", "3", "3x", "2026-13-01", "2026-02-30", "2999-01-01", "segment:", "segment:x"])
    func noMoment(_ text: String) throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        try home.coffer("devices", "revoke", "x", "--undo-since", text).run(expecting: 64)
    }

    @Test func devicesAreRenamed() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            try b.opened("devices", "rename", "beta", "gamma").run(expecting: 0)
            try b.sync()
            try a.sync()
            #expect(try a.opened("devices").run(expecting: 0).text.contains("gamma  "))
            // Another device is called so here only.
            #expect(try a.opened("devices", "rename", "gamma", "laptop").run(expecting: 0).errorText.contains("here"))
            try devices.syncAll()
            #expect(try a.opened("devices").run(expecting: 0).text.contains("laptop  "))
            #expect(try b.opened("devices").run(expecting: 0).text.contains("gamma  "))
            try a.opened("devices", "rename", "alpha", "laptop").run(expecting: 41)
            try a.opened("devices", "rename", "nobody", "x").run(expecting: 1)
            try a.opened("devices", "rename", "alpha", "a/b").run(expecting: 64)
            try a.opened("devices", "revoke", "laptop").run(expecting: 0)
        }
    }
}

/// `devices leave`: a machine that goes to somebody else.
@Suite struct LeaveTests {
    @Test func whatIsThereIsPushedAndTheVaultIsGone() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            try b.edit { try b.write("the last words\n", to: "note") }
            let bytes = try Posix.read(b.file)
            try b.opened("devices", "leave").run(expecting: 64)
            #expect(try Posix.read(b.file) == bytes, "without a terminal nobody is asked")
            let left = try b.opened("devices", "leave", "--yes").run(expecting: 0)
            #expect(left.errorText.contains("erase the"))
            let folder = (b.file as NSString).deletingLastPathComponent
            let rest = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
                $0.hasPrefix((b.file as NSString).lastPathComponent)
            }
            #expect(rest == [])
            try a.sync()
            #expect(try a.show("note") == "the last words\n")
            #expect(try a.opened("devices").run(expecting: 0).text.contains(#/beta +[0-9a-f]{32}  revoked\n/#))
            // The one that stays has a key of its own, and goes on.
            try a.edit { try a.write("alone\n", to: "note") }
            try a.sync()
            try devices.join(expecting: 12)
        }
    }

    @Test func whatIsOnlyHereStays() throws {
        try TwoDevices.with { devices in
            let b = devices.b
            try devices.syncAll()
            try b.edit { try b.write("unsent\n", to: "note") }
            let away = devices.place.folder + ".away"
            try FileManager.default.moveItem(atPath: devices.place.folder, toPath: away)
            try b.opened("devices", "leave", "--yes").run(expecting: 30)
            #expect(try b.show("note") == "unsent\n")
            try FileManager.default.moveItem(atPath: away, toPath: devices.place.folder)
            try b.mount("--no-sync")
            try b.opened("devices", "leave", "--yes").run(expecting: 24)
            try b.lock()
            #expect(try b.show("note") == "unsent\n")
        }
    }

    /// Nobody would have the vault any more.
    @Test func theLastDeviceStays() throws {
        try TwoDevices.with(joined: false) { devices in
            let a = devices.a
            let refused = try a.opened("devices", "leave", "--yes").run(expecting: 1)
            #expect(refused.errorText.contains("only device"))
            #expect(try a.show("note") == "first line\n")
        }
    }
}
