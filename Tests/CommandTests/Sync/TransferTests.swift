import Foundation
import TestSupport
import Testing

/// A run on the wire: what it asks, what it says meanwhile, and how it ends before its time.
@Suite struct TransferTests {
    /// The vault's remote is its own, seen through a port that the test has in hand.
    private func reroute(_ devices: TwoDevices, to port: Int) throws {
        let server = try #require(devices.place.server)
        let url = devices.url.replacing(":\(server.port)/", with: ":\(port)/")
        try devices.a.opened("remote", "set", url).run(expecting: 0)
    }

    /// A segment and its hint, on the connection that is there, and nothing after them.
    @Test func anEditIsTwoRequests() throws {
        try TwoDevices.with(.apache) { devices in
            let (a, b) = (devices.a, devices.b)
            let relay = try RecordingRelay(to: #require(devices.place.server).port)
            try reroute(devices, to: relay.port)
            // One look, and then none for as long as the test takes. The first edit finds the folders.
            try a.mount("--poll", "1h")
            try a.coffer(["sync"]).run(expecting: 0)
            try a.write("first\n", to: "note")
            try wait("the first edit is pushed") { requests(relay).last == "PUT head" }
            // The look that pushed it may not be at its end.
            try a.coffer(["sync"]).run(expecting: 0)
            let before = requests(relay).count
            try a.write("second\n", to: "note")
            try wait("the second edit is pushed") {
                let new = requests(relay).dropFirst(before)
                return new.contains("PUT log") && new.last == "PUT head"
            }
            #expect(requests(relay).dropFirst(before) == ["PUT log", "PUT head"])
            try b.sync()
            #expect(try b.show("note") == "second\n")
            try a.lock()
        }
    }

    /// The requests that went to the server: their methods, with the folder of what they are about.
    private func requests(_ relay: RecordingRelay) -> [String] {
        let text = String(decoding: relay.bytes, as: UTF8.self)
        let lines = text.matches(of: #/([A-Z]+) /[^ ]+/v1/([a-z]+)[^ ]* HTTP/1.1\r\n/#)
        return lines.map { "\($0.1) \($0.2)" }
    }

    /// Ctrl-C while the remote does not answer: the terminal says what is waited for, the verb ends with 130 and soon, and what
    /// it had to push goes out the next time.
    @Test(arguments: [true, false]) func ctrlCEndsASync(mounted: Bool) throws {
        try TwoDevices.with(.apache) { devices in
            let (a, b) = (devices.a, devices.b)
            let stall = try StallingServer()
            stall.passOn(to: try #require(devices.place.server).port)
            try reroute(devices, to: stall.port)
            try a.edit { try a.write("not lost\n", to: "note") }
            stall.stall()
            if mounted { try a.mount("--no-sync") }
            let terminal = try Pseudoterminal(a.opened("sync"))
            try terminal.expect("Waiting for 127.0.0.1")
            try terminal.send("\u{3}")
            #expect(try terminal.wait() == 130)
            if mounted {
                #expect(try a.read("note") == "not lost\n")
                try a.lock()
            }
            stall.passOn(to: try #require(devices.place.server).port)
            try a.sync()
            try b.sync()
            #expect(try b.show("note") == "not lost\n")
        }
    }

    /// The same of a join: nothing of a vault stays.
    @Test func ctrlCEndsAJoin() throws {
        try TwoDevices.with(.apache, joined: false) { devices in
            let stall = try StallingServer()
            let server = try #require(devices.place.server)
            let url = devices.url.replacing(":\(server.port)/", with: ":\(stall.port)/")
            stall.stall()
            let terminal = try Pseudoterminal(
                devices.b.coffer(
                    ["join", "--kit", devices.kit, "--email", TwoDevices.email, "--remote", url, "--password-file"]
                        + [devices.b.passwordFile] + TwoDevices.cost))
            try stall.waitForConnection()
            try terminal.send("\u{3}")
            #expect(try terminal.wait() == 130)
            let left = try? FileManager.default.contentsOfDirectory(atPath: devices.b.home.file(".local/share/coffer"))
            #expect((left ?? []).isEmpty)
            try devices.join()
        }
    }
}
