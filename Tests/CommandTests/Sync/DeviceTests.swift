import Foundation
import TestSupport
import Testing

/// What `devices`, `sync` and `status` say of the other devices.
@Suite struct DeviceTests {
    private struct Summary: Decodable {
        struct Awaited: Decodable, Equatable {
            var name: String
            var segment: Int
            var last: Int
        }

        var awaited: [Awaited]
    }

    private func state(of name: String, on vault: TestVault) throws -> String {
        let lines = try vault.opened("devices").run(expecting: 0).text.split(separator: "\n")
        return String(try #require(lines.first { $0.hasPrefix(name) }))
    }

    /// A device that reads and has nothing to write is idle, and not lost.
    @Test func whoHasReadIsNotBehind() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            try a.edit { try a.write("newer\n", to: "note") }
            try a.sync()
            #expect(try state(of: "beta", on: a).hasSuffix(", behind"))
            let before = RemoteFiles(folder: devices.place.folder).paths()
            try b.sync()
            let new = Set(RemoteFiles(folder: devices.place.folder).paths()).subtracting(before)
            #expect(new.allSatisfy { $0.hasPrefix("v1/head/") } && new.count <= 1, "\(new)")
            try a.sync()
            #expect(try !state(of: "beta", on: a).contains("behind"))
            #expect(try state(of: "beta", on: a).contains("last seen 2"))
        }
    }

    /// Two mounts: the one that has read says so by itself once it is quiet, and `status` of the other shows it.
    @Test func aMountSaysSoByItself() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            try a.mount("--poll", "1s")
            try b.mount("--poll", "1s")
            for device in [a, b, a] { try device.coffer(["sync"]).run(expecting: 0) }
            let log = RemoteFiles(folder: devices.place.folder + "/v1/log")
            try a.write("newer\n", to: "note")
            try wait("beta has it") { try b.read("note") == "newer\n" }
            let segments = log.paths()
            try wait("beta is not behind") {
                let text = try a.coffer(["status"]).run(expecting: 0).text
                return text.contains("Device:   beta") && !text.contains("behind")
            }
            #expect(log.paths() == segments, "no segment was written for that")
            try a.lock()
            try b.lock()
        }
    }

    /// Segment 7 is missing while 8 is there.
    @Test func aGapIsNamedAtOnce() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            let log = RemoteFiles(folder: devices.place.folder + "/v1/log")
            var added: [String] = []
            for text in ["one\n", "two\n"] {
                let before = Set(log.paths())
                try a.edit { try a.write(text, to: "note") }
                try a.sync()
                added += Set(log.paths()).subtracting(before).sorted()
            }
            try #require(added.count == 2)
            let hidden = devices.b.home.file("hidden")
            try FileManager.default.moveItem(atPath: "\(log.folder)/\(added[0])", toPath: hidden)
            let name = try #require(added[0].split(separator: "/").last)
            let number = try #require(Int(name.prefix { $0 != "." }))
            for _ in 1...2 {
                let told = try b.sync().text
                #expect(told.contains("Waiting for segment \(number) of alpha") && !told.contains("Nothing new"))
            }
            let summary = try JSONDecoder().decode(Summary.self, from: Data(b.sync("--json").output))
            #expect(summary.awaited == [Summary.Awaited(name: "alpha", segment: number, last: number + 1)])
            try b.mount()
            try wait("status says it") {
                try b.coffer(["status"]).run(expecting: 0).text.contains("Waiting:  segment \(number) of alpha")
            }
            try FileManager.default.moveItem(atPath: hidden, toPath: "\(log.folder)/\(added[0])")
            try b.coffer(["sync"]).run(expecting: 0)
            #expect(try !b.coffer(["status"]).run(expecting: 0).text.contains("Waiting"))
            #expect(try b.read("note") == "two\n")
            try b.lock()
        }
    }

    /// What is wrong with what was given is said before anybody is asked for a password: here nobody is there to answer.
    @Test func wrongNamesAreSaidBeforeAPassword() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try a.mount("--no-sync")
            let nobody = try a.coffer(["devices", "revoke", "nope"]).run(expecting: 1)
            #expect(nobody.errorText.contains("no device nope"))
            try a.lock()
            let other = b.home.file("other.coffer")
            let kit = try b.coffer(["join", "--vault", other, "--email", "a@b", "--kit", "nofile"] + a.fingerprint).run(
                expecting: 1)
            #expect(kit.errorText.contains("nofile"))
        }
    }

    /// The first device that joins after the last look is found, too.
    @Test func aDeviceThatIsNotKnownYetCanBeRevoked() throws {
        try TwoDevices.with(joined: false) { devices in
            try devices.a.mount("--no-sync")
            try devices.join()
            try devices.a.opened("devices", "revoke", "beta").run(expecting: 0)
            try devices.a.lock()
            try devices.b.sync(expecting: 34)
        }
    }

    @Test func aNewPasswordIsThisDevices() throws {
        try TestVault.with { vault in
            let new = try vault.home.write("other violet anchor 48 harbour\n", to: "new")
            let said = try vault.opened("passwd", "--new-password-file", new).run(expecting: 0).errorText
            #expect(said.contains("this device") && said.contains("other devices keep"))
        }
    }
}
