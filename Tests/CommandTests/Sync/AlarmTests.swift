import Foundation
import TestSupport
import Testing

/// A remote that lies, or has lost something: what each device says, keeps and does.
@Suite struct AlarmTests {
    private func evidence(_ vault: TestVault) -> [String] {
        let top = vault.home.file(".local/state/coffer/evidence")
        return (FileManager.default.enumerator(atPath: top)?.allObjects ?? []).compactMap { $0 as? String }
    }

    @Test func attack12RemoteRolledBack() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            let remote = RemoteFiles(folder: devices.place.folder)
            try devices.syncAll()
            let backup = remote.contents()
            try a.edit { try a.write("newer\n", to: "note") }
            try a.sync()
            try b.sync()
            try remote.restore(backup)

            let alarm = try b.sync(expecting: 31)
            #expect(alarm.errorText.contains("rolled back") && alarm.errorText.contains("alpha"), "\(alarm.errorText)")
            #expect(alarm.errorText.contains("--accept-rollback") && alarm.text.isEmpty)
            try a.sync(expecting: 31)
            #expect(remote.contents() == backup, "nothing is pushed")
            #expect(try b.show("note") == "newer\n", "nothing is lost")

            // The device that wrote it puts it back; then all is well.
            try a.sync("--accept-rollback")
            try b.sync()
            #expect(try a.tree() == b.tree())
            #expect(try a.show("note") == "newer\n")
        }
    }

    @Test func anEmptiedRemoteIsRebuilt() throws {
        try TwoDevices.with { devices in
            let remote = RemoteFiles(folder: devices.place.folder)
            try devices.syncAll()
            try remote.restore([:])
            try devices.a.sync(expecting: 31)
            try devices.a.opened("remote", "rebuild").run(expecting: 0)
            try devices.b.sync()
            try devices.a.sync()
            #expect(try devices.a.tree() == devices.b.tree())
        }
    }

    /// B reads one continuation of A's log, and the remote has another.
    ///
    /// - Returns: the segment that B has read.
    private func makeTwoHistories(_ devices: TwoDevices) throws -> String {
        let (a, b) = (devices.a, devices.b)
        let remote = RemoteFiles(folder: devices.place.folder)
        try devices.syncAll()
        let common = remote.contents()
        let database = try Posix.read(a.file)
        try a.edit { try a.write("one history\n", to: "note") }
        try a.sync()
        try b.sync()
        let segment = try #require(remote.paths().last { $0.hasPrefix("v1/log/") && common[$0] == nil })
        // A's machine is set back with its remote, and writes another segment of the same number.
        try remote.restore(common)
        try Posix.write(database, to: a.file)
        try FileManager.default.removeItem(atPath: a.home.file(".local/state/coffer"))
        for suffix in ["-wal", "-shm", "-redo"] { try? FileManager.default.removeItem(atPath: a.file + suffix) }
        try a.edit { try a.write("another history\n", to: "note") }
        try a.sync()
        return segment
    }

    /// The remote shows A and B different continuations of one log.
    @Test func attack13RemoteForked() throws {
        try TwoDevices.with { devices in
            let b = devices.b
            _ = try makeTwoHistories(devices)
            let alarm = try b.sync(expecting: 32)
            #expect(alarm.errorText.contains("forked") && alarm.errorText.contains("alpha"), "\(alarm.errorText)")
            #expect(!evidence(b).isEmpty && alarm.errorText.contains("evidence"))
            #expect(try b.show("note") == "one history\n", "nothing is lost")
            // What is recommended against that does not end with it.
            try b.opened("devices", "revoke", "alpha").run(expecting: 0)
            try b.sync()
            #expect(try b.show("note") == "one history\n")
        }
    }

    /// Attack 39: whoever can write to the remote puts new junk beside what shows an alarm before each run.
    @Test func attack39_evidenceIsBoundedHoweverOftenAnAlarmComes() throws {
        try TwoDevices.with { devices in
            let b = devices.b
            let segment = try makeTwoHistories(devices)
            let top = b.home.file(".local/state/coffer/evidence")
            for round in 0..<3 {
                // Of no size on the disk.
                for number in 0..<40 {
                    let hash = String(format: "%032x", round * 1000 + number)
                    let number = segment.split(separator: "/").last?.prefix { $0 != "." } ?? ""
                    let folder = segment.split(separator: "/").dropLast().joined(separator: "/")
                    let path = "\(devices.place.folder)/\(folder)/\(number).\(hash)"
                    try Posix.write([], to: path)
                    #expect(unsafe truncate(path, 1 << 20) == 0)
                }
                try b.sync(expecting: 32)
                let kept = RemoteFiles(folder: top).contents()
                #expect(kept.count <= 256 + 1 && kept.values.reduce(0) { $0 + $1.count } <= 64 << 20)
                let junk = kept.filter { $0.value.count == 1 << 20 }
                #expect(junk.count <= 8 * (round + 1), "what nobody has signed gets a small part: \(junk.count)")
                #expect(Set(kept.keys.map { $0.split(separator: "/")[1] }).count == 1, "one alarm, one folder")
            }
        }
    }

    /// Attack 36: whoever becomes a device of its own after a rotation is admitted under the present key, and counts.
    @Test func attack36_aNewDeviceAfterARotationCounts() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            try a.opened("rotate").run(expecting: 0)
            try devices.syncAll()
            let copy = a.home.file("copy.coffer")
            try FileManager.default.copyItem(atPath: a.file, toPath: copy)
            let folder = try a.home.directory("clone")
            func clone(_ arguments: String...) throws {
                let opening = arguments[0] == "lock" ? [] : ["--vault", copy, "--password-file", a.passwordFile]
                var command = try a.coffer(arguments + opening)
                command.environment?["XDG_STATE_HOME"] = try a.home.directory("other state")
                _ = try command.run(expecting: 0)
            }
            try clone("sync", "--as-new-device")
            try clone("mount", "--no-sync", folder)
            try Posix.write(Array("of the new one\n".utf8), to: folder + "/news")
            try clone("lock", folder)
            try clone("sync")
            try b.sync()
            #expect(try b.show("news") == "of the new one\n")
        }
    }

    @Test func attack11CloneOfTheDatabase() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            try devices.syncAll()
            let copy = a.home.file("copy.coffer")
            try FileManager.default.copyItem(atPath: a.file, toPath: copy)
            try a.edit { try a.write("original\n", to: "one") }
            try a.sync()
            func clone(_ arguments: String..., expecting code: Int32) throws -> Command.Result {
                var command = try a.coffer(arguments + ["--vault", copy, "--password-file", a.passwordFile])
                command.environment?["XDG_STATE_HOME"] = try a.home.directory("other state")
                return try command.run(expecting: code)
            }
            let alarm = try clone("sync", expecting: 32)
            #expect(alarm.errorText.contains("--as-new-device"), "\(alarm.errorText)")
            _ = try clone("sync", "--as-new-device", expecting: 0)
            #expect(try clone("show", "one", expecting: 0).text == "original\n")
            try a.sync()
            try devices.b.sync()
            let list = try a.opened("devices").run(expecting: 0).text
            #expect(list.split(separator: "\n").count == 3, "\(list)")
        }
    }

    /// One bit in any object: it is named, and nothing is lost.
    @Test func aFlippedBitInAnyObjectIsNamed() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            try devices.syncAll()
            // A content with chunks of its own, so that there are blobs.
            try a.edit { try a.write(String(repeating: "large content ", count: 40_000), to: "large") }
            try b.sync()
            let before = RemoteFiles(folder: devices.place.folder).contents()
            try a.sync()
            let remote = RemoteFiles(folder: devices.place.folder)
            let new = remote.paths().filter { before[$0] == nil && !$0.hasPrefix("v1/head/") }
            let kinds = Set(new.map { String($0.prefix(7)) })
            #expect(kinds.isSuperset(of: ["v1/log/", "v1/chun"]))
            for path in new { try expectNamed(path, remote, b) }
            try b.sync()
            #expect(try b.show("large").hasSuffix("large content "))
        }
    }

    private func expectNamed(_ path: String, _ remote: RemoteFiles, _ vault: TestVault) throws {
        try remote.flip(path)
        let alarm = try vault.sync(expecting: 26).errorText
        let name = path.split(separator: "/").last.map(String.init) ?? path
        #expect(alarm.contains(name), "\(alarm)")
        #expect(try vault.show("mail/gmail").hasPrefix("s3cret"))
        try remote.flip(path)
    }

    @Test(arguments: ["v1/vault", "v1/canary/1"]) func replacedFoundations(_ object: String) throws {
        try TwoDevices.with { devices in
            try devices.syncAll()
            try RemoteFiles(folder: devices.place.folder).flip(object)
            try devices.a.sync(expecting: 33)
            let before = RemoteFiles(folder: devices.place.folder).contents()
            try devices.b.sync(expecting: 33)
            #expect(RemoteFiles(folder: devices.place.folder).contents() == before)
        }
    }

    @Test func attack16RogueFilesAreIgnored() throws {
        try TwoDevices.with { devices in
            try devices.syncAll()
            let place = devices.place
            for path in [
                "rogue", "v1/rogue", "v1/log/rogue", "v1/log/0123/1.00", "v1/snap/x/y", "v1/head/rogue",
                "v1/.sync-conflict-20261123", "v1/chunk/zz/none", "v1/blob/zz/none",
            ] { try place.plant(Array("rubbish".utf8), at: path) }
            try devices.a.edit { try devices.a.write("x\n", to: "one") }
            try devices.a.sync()
            try devices.b.sync()
            #expect(try devices.b.show("one") == "x\n")
            // A name as ours are is looked into, and named; the rest goes on.
            let log = "v1/log/\(String(repeating: "a", count: 32))/1.\(String(repeating: "b", count: 32))"
            try place.plant(Array("rubbish".utf8), at: log)
            try devices.a.edit { try devices.a.write("y\n", to: "one") }
            #expect(try devices.a.sync(expecting: 26).errorText.contains(log))
            try devices.b.sync(expecting: 26)
            #expect(try devices.b.show("one") == "y\n")
        }
    }
}
