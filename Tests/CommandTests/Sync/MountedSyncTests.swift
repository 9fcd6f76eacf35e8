import Foundation
import TestSupport
import Testing

/// A mounted vault synchronises by itself, and other verbs reach it through the mount.
@Suite struct MountedSyncTests {
    /// An edit on one mount appears on the other, by itself.
    @Test func anEditAppearsOnTheOtherMount() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try a.mount()
            try b.mount()
            #expect(try b.read("note") == "first line\n")
            let log = devices.place.folder + "/v1/head"
            // What each begins with is done.
            for device in [a, b, a] { try device.coffer(["sync"]).run(expecting: 0) }
            let before = RemoteFiles(folder: devices.place.folder).paths().count
            try a.write("edited on alpha\n", to: "note")
            try waitForFiles(in: log, "the remote is updated") {
                RemoteFiles(folder: devices.place.folder).paths().count > before
            }
            try wait("beta sees it") { try b.read("note") == "edited on alpha\n" }
            // And the other way, with a new folder and a removal.
            try FileManager.default.createDirectory(atPath: b.path("new"), withIntermediateDirectories: false)
            try b.write("x\n", to: "new/entry")
            try FileManager.default.removeItem(atPath: b.path("note"))
            try wait("alpha sees it") {
                FileManager.default.fileExists(atPath: a.path("new/entry"))
                    && !FileManager.default.fileExists(atPath: a.path("note"))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: a.directory).sorted() == ["mail", "new"])
            try a.lock()
            try b.lock()
        }
    }

    /// Whoever opens a file while a run puts another one in its place finds one or the other, and never nothing.
    @Test func aFileIsThereWhileItIsReplaced() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try a.mount("--no-sync")
            try b.mount("--no-sync")
            var failures: [Int32] = []
            for number in 0..<20 {
                try a.write("number \(number)\n", to: "note")
                try a.coffer(["sync"]).run(expecting: 0)
                let run = try b.coffer(["sync"]).start()
                while !run.hasEnded {
                    let code = try Posix.code { _ = try Posix.read(b.path("note")) }
                    if code != 0 { failures.append(code) }
                }
                #expect(try run.wait() == 0)
                #expect(try b.read("note") == "number \(number)\n")
            }
            #expect(failures.isEmpty)
            try a.lock()
            try b.lock()
        }
    }

    @Test func theVerbsReachTheMount() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try a.mount("--no-sync")
            try a.write("x\n", to: "one")
            // No password is needed: the mount is unlocked.
            #expect(try a.coffer(["sync"]).run(expecting: 0).text.contains("Pushed "))
            #expect(try a.coffer(["devices"]).run(expecting: 0).text.contains("this device"))
            try b.sync()
            #expect(try b.show("one") == "x\n")
            let status = try a.coffer(["status", "--json"]).run(expecting: 0)
            let object = try #require(try JSONSerialization.jsonObject(with: Data(status.output)) as? [String: Any])
            let sync = try #require(object["synchronisation"] as? [String: Any])
            #expect((sync["remote"] as? String)?.hasPrefix("file:///") == true && sync["lastSync"] is String)
            #expect((sync["alarms"] as? [Any])?.isEmpty == true)
            #expect((sync["devices"] as? [[String: Any]])?.count == 2)
            #expect(try a.coffer(["status"]).run(expecting: 0).text.contains("Device:   beta"))
            try a.lock()
        }
    }

    /// An alarm stops pushing, and `status` says it until somebody decides.
    @Test func alarmsAreShownByStatus() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            let remote = RemoteFiles(folder: devices.place.folder)
            try devices.syncAll()
            let backup = remote.contents()
            try a.edit { try a.write("newer\n", to: "note") }
            try a.sync()
            try remote.restore(backup)
            try a.mount()
            try wait("the alarm") { try a.coffer(["status"]).run(expecting: 0).text.contains("Alarm: ") }
            let text = try a.coffer(["status"]).run(expecting: 0).text
            #expect(text.contains("rolled back") && text.contains("--accept-rollback"))
            try a.write("still works\n", to: "other")
            try a.coffer(["sync"]).run(expecting: 31)
            #expect(remote.contents() == backup)
            try a.opened("sync", "--accept-rollback").run(expecting: 0)
            #expect(try !a.coffer(["status"]).run(expecting: 0).text.contains("Alarm: "))
            try a.lock()
            // What is gone is taken from a snapshot, and not at the first look: things travel.
            try devices.b.sync()
            try devices.b.sync()
            #expect(try devices.b.show("other") == "still works\n")
        }
    }

    /// What is pushed after a loss does not hide it, from whoever asks.
    @Test func aLossBehindTheLastPushIsFound() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            let remote = RemoteFiles(folder: devices.place.folder)
            try a.mount("--no-sync")
            try a.coffer(["sync"]).run(expecting: 0)
            let before = Set(remote.paths())
            try a.write("lost\n", to: "lost")
            try a.coffer(["sync"]).run(expecting: 0)
            let lost = Set(remote.paths()).subtracting(before).filter { $0.hasPrefix("v1/log/") }
            #expect(lost.count == 1)
            try a.write("later\n", to: "later")
            try a.coffer(["sync"]).run(expecting: 0)
            for path in lost { try FileManager.default.removeItem(atPath: "\(remote.folder)/\(path)") }
            try a.coffer(["sync"]).run(expecting: 31)
            try a.lock()
            try a.sync(expecting: 31)
            try a.sync("--accept-rollback")
            try a.sync()
            // What is gone is taken from a snapshot, and not at the first look: things travel.
            for _ in 0..<3 { try b.sync() }
            #expect(try b.show("lost") == "lost\n" && b.show("later") == "later\n")
        }
    }

    /// Below the mount point of a disk that is not plugged in there is an empty folder.
    @Test func anEmptyFolderIsNotBegunAnew() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            let (place, away) = (devices.place.folder + "/v1", devices.place.folder + "-away")
            try a.mount()
            try a.coffer(["sync"]).run(expecting: 0)
            try FileManager.default.moveItem(atPath: place, toPath: away)
            try a.write("waits\n", to: "note")
            try wait("it is said") { try a.coffer(["status"]).run(expecting: 0).text.contains("plugged in") }
            // Somebody who asks is told the same, and then what to do where it is not that.
            let asked = try a.coffer(["sync"]).run(expecting: 30).errorText
            #expect(asked.contains("plugged in") && asked.contains("coffer remote rebuild"), "\(asked)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: devices.place.folder).isEmpty)
            try FileManager.default.moveItem(atPath: away, toPath: place)
            try a.coffer(["sync"]).run(expecting: 0)
            try b.sync()
            #expect(try b.show("note") == "waits\n")
            try a.lock()
        }
    }

    /// A conflict is in `status` until its copy has another name, or is removed.
    @Test func conflictsAreShownByStatus() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try a.edit { try a.write("alpha\n", to: "note") }
            try b.edit { try b.write("beta\n", to: "note") }
            try a.sync()
            try b.sync()
            try b.mount("--no-sync")
            try b.coffer(["sync"]).run(expecting: 0)
            let status = try b.coffer(["status"]).run(expecting: 0).text
            let copy = try #require(status.firstMatch(of: #/Conflict: (note \(conflict, .+\))\n/#), "\(status)").1
            try b.write("settled\n", to: "note")
            try FileManager.default.removeItem(atPath: b.path(String(copy)))
            try b.coffer(["sync"]).run(expecting: 0)
            #expect(try !b.coffer(["status"]).run(expecting: 0).text.contains("Conflict: "))
            try b.lock()
        }
    }

    /// A remote that never answers holds nobody up: neither files nor the lock.
    @Test func aLockDuringASyncReturnsSoon() throws {
        try TwoDevices.with(.apache) { devices in
            let server = try #require(devices.place.server)
            let stall = try StallingServer()
            let a = devices.a
            let url = devices.url.replacing(":\(server.port)/", with: ":\(stall.port)/")
            stall.passOn(to: server.port)
            try a.opened("remote", "set", url).run(expecting: 0)
            stall.stall()
            try a.mount()
            try stall.waitForConnection()
            try a.write("not held up\n", to: "note")
            #expect(try a.read("note") == "not held up\n")
            let start = ContinuousClock.now
            try a.lock()
            let took = start.duration(to: .now)
            // What the server would be waited for is a minute.
            #expect(took < .seconds(30), "lock took \(took)")
            stall.passOn(to: server.port)
            try a.sync()
            try devices.b.sync()
            #expect(try devices.b.show("note") == "not held up\n")
        }
    }

    /// What was saved right before the lock goes out, where that is a matter of a moment.
    @Test func theLastChangeGoesOutWithTheLock() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try a.mount()
            try a.coffer(["sync"]).run(expecting: 0)
            try a.write("right before\n", to: "note")
            let start = ContinuousClock.now
            try a.lock()
            let took = start.duration(to: .now)
            try b.sync()
            // A lock waits a second for it: where the machine is slower than that, it goes out the next time.
            if took < .seconds(1) { #expect(try b.show("note") == "right before\n") }
            try a.sync()
            try b.sync()
            #expect(try b.show("note") == "right before\n")
        }
    }

    /// Synchronisation is no use of the vault: the idle time goes on.
    @Test func synchronisingIsNotUsing() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            let words = ["mount", a.directory, "--foreground", "--password-file", a.passwordFile]
            try a.coffer(words + ["--idle", "3s", "--poll", "1s"]).run(expecting: 0)
            #expect(!a.isMounted)
        }
    }

    /// A program that has a file open keeps what it had; the name has the new version.
    @Test func anOpenFileKeepsWhatItHad() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try b.mount("--no-sync")
            let open = try Posix.File(b.path("note"), O_RDONLY)
            #expect(try open.read(100, at: 0) == Array("first line\n".utf8))
            try a.edit { try a.write("another line\n", to: "note") }
            try a.sync()
            try b.coffer(["sync"]).run(expecting: 0)
            #expect(try open.read(100, at: 0) == Array("first line\n".utf8))
            #expect(try b.read("note") == "another line\n")
            try open.close()
            try b.lock()
        }
    }
}
