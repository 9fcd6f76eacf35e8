import Foundation
import TestSupport
import Testing

/// Two devices and a remote, from the first vault to edits on both sides: the same on a folder and over HTTP.
@Suite struct StoryTests {
    @Test(arguments: RemoteKind.allCases) func twoDevicesOffline(_ kind: RemoteKind) throws {
        try TwoDevices.with(kind, joined: false) { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.join()
            // It was compared with what init has said.
            let fingerprint = a.fingerprint[1]
            #expect(try a.opened("kit", "--text").run(expecting: 0).errorText.contains("Fingerprint: \(fingerprint)"))
            #expect(try b.show("mail/gmail") == "s3cret\nuser: ann\nurl: example.org\n")

            try a.edit {
                try a.write("s3cret\nuser: ann.b\nurl: example.org\n", to: "mail/gmail")
                try a.write("from alpha\n", to: "note")
                try a.write("alpha\n", to: "new")
            }
            try b.edit {
                try b.write("changed\nuser: ann\nurl: example.org\n", to: "mail/gmail")
                try b.write("from beta\n", to: "note")
                try b.write("beta\n", to: "mail/other")
            }
            try devices.syncAll()
            try b.sync()
            let tree = try a.tree()
            #expect(try b.tree() == tree)
            #expect(tree["mail/gmail"] == "changed\nuser: ann.b\nurl: example.org\n", "both edits are in the entry")
            #expect(tree["new"] == "alpha\n" && tree["mail/other"] == "beta\n")
            let notes = tree.filter { $0.key.hasPrefix("note") }
            #expect(Set(notes.values) == ["from alpha\n", "from beta\n"], "both edits are there: \(notes)")
            #expect(notes.keys.contains { $0.contains("(conflict, ") })

            // Resolving is editing: deleting the copy is enough.
            let copy = try #require(notes.keys.first { $0.contains("(conflict, ") })
            try b.edit {
                try FileManager.default.removeItem(atPath: b.path(copy))
                try b.write("settled\n", to: "note")
            }
            try b.sync()
            try a.sync()
            let settled = try a.tree()
            #expect(try b.tree() == settled)
            #expect(settled.filter { $0.key.hasPrefix("note") } == ["note": "settled\n"])
        }
    }

    /// What a run says, for people and for scripts.
    @Test func syncTellsWhatMoved() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try a.edit { try a.write("x\n", to: "one") }
            #expect(try a.sync().text.contains("Pushed "))
            let object = try JSONSerialization.jsonObject(with: Data(b.sync("--json").output)) as? [String: Any]
            let pulled = try #require(object?["pulledChanges"] as? Int)
            #expect(pulled > 0 && object?["pushedChanges"] as? Int == 0)
            try a.sync()
            try b.sync()
            #expect(try b.sync().text == "Nothing new\n")

            try a.edit { try a.write("alpha\n", to: "one") }
            try b.edit { try b.write("beta\n", to: "one") }
            try a.sync()
            #expect(try b.sync().text.contains(#/Conflict: one: the other edit is in one \(conflict, /#))
        }
    }

    @Test func syncWithoutARemote() throws {
        try TestVault.with { vault in
            let result = try vault.sync(expecting: 1)
            #expect(result.text.isEmpty && result.errorText.contains("coffer remote set"))
        }
    }

    @Test func devicesAreListed() throws {
        try TwoDevices.with { devices in
            try devices.syncAll()
            let text = try devices.a.opened("devices").run(expecting: 0).text
            #expect(text.contains(#/alpha +[0-9a-f]{32}  this device\n/#), "\(text)")
            #expect(text.contains(#/beta +[0-9a-f]{32}  last seen 20/#), "\(text)")
            let json = try devices.b.opened("devices", "--json").run(expecting: 0)
            let list = try #require(try JSONSerialization.jsonObject(with: Data(json.output)) as? [[String: Any]])
            #expect(Set(list.compactMap { $0["name"] as? String }) == ["alpha", "beta"])
            #expect(list.filter { $0["isThisOne"] as? Bool == true }.count == 1)
        }
    }
}
