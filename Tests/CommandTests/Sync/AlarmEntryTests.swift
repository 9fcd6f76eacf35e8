import Foundation
import TestSupport
import Testing

/// Which entries an alarm is about, and when: for people and for scripts, and in no file.
@Suite struct AlarmEntryTests {
    /// The object `alarm` that `sync --json` prints.
    private func alarm(_ vault: TestVault, expecting code: Int32) throws -> [String: Any] {
        let result = try vault.sync("--json", expecting: code)
        let object = try JSONSerialization.jsonObject(with: Data(result.output)) as? [String: Any]
        return try #require(object?["alarm"] as? [String: Any])
    }

    /// All that is kept about the vault outside of it.
    private func expectNoNames(_ words: [String], _ vault: TestVault) throws {
        let top = vault.home.file(".local/state")
        var files = 0
        for case let path as String in FileManager.default.enumerator(atPath: top)?.allObjects ?? [] {
            guard let bytes = FileManager.default.contents(atPath: "\(top)/\(path)") else { continue }
            files += 1
            for word in words { #expect(bytes.range(of: Data(word.utf8)) == nil && !path.contains(word), "\(path)") }
        }
        #expect(files > 1, "there is something to look at")
    }

    @Test func attack12EntriesThatTheRemoteHasLost() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            let remote = RemoteFiles(folder: devices.place.folder)
            try devices.syncAll()
            let backup = remote.contents()
            try a.edit {
                try a.write("newer\n", to: "mail/gmail")
                try a.write("x\n", to: "mail/\u{1B}[31mred")
                try FileManager.default.removeItem(atPath: a.path("note"))
            }
            try a.sync()
            try b.sync()
            try remote.restore(backup)

            let text = try b.sync(expecting: 31).errorText
            #expect(text.contains("3 entries are concerned; the latest was saved at 20"), "\(text)")
            for line in ["  mail/gmail\n", "  mail/?[31mred\n", "  note\n"] { #expect(text.contains(line), "\(text)") }
            #expect(text.contains("read here last at 20") && !text.contains("\u{1B}"))

            let alarm = try alarm(b, expecting: 31)
            #expect(Set(alarm["entries"] as? [String] ?? []) == ["mail/gmail", "mail/\u{1B}[31mred", "note"])
            for key in ["time", "lastRead"] { #expect((alarm[key] as? String)?.hasPrefix("20") == true, "\(key)") }
            #expect(alarm["notListed"] as? Int == 0 && alarm["isIncomplete"] as? Bool == false)
            try expectNoNames(["gmail", "red", "note"], b)

            try b.mount()
            #expect(Set(try self.alarm(b, expecting: 31)["entries"] as? [String] ?? []).contains("mail/gmail"))
            let status = try b.coffer(["status"]).run(expecting: 0).text
            #expect(status.contains("Alarm: ") && status.contains("  mail/gmail\n"), "\(status)")
            try b.lock()
            try expectNoNames(["gmail", "red", "note"], b)
        }
    }

    @Test func attack11EntriesOfARestoredDatabase() throws {
        try TwoDevices.with { devices in
            let a = devices.a
            try devices.syncAll()
            let database = try Posix.read(a.file)
            try a.edit { try a.write("original\n", to: "one") }
            try a.sync()
            try Posix.write(database, to: a.file)
            try FileManager.default.removeItem(atPath: a.home.file(".local/state/coffer"))
            for suffix in ["-wal", "-shm", "-redo"] { try? FileManager.default.removeItem(atPath: a.file + suffix) }
            try a.edit { try a.write("of the copy\n", to: "mail/two") }
            #expect(try alarm(a, expecting: 32)["entries"] as? [String] == ["mail/two"])
        }
    }

    /// Nobody knows what is in it; but whose it is, and since when nothing of it came.
    @Test func attack14DamagedAndWithheldObjectsHaveAWriter() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            let remote = RemoteFiles(folder: devices.place.folder)
            try devices.syncAll()
            let before = remote.contents()
            try a.edit { try a.write("newer\n", to: "note") }
            try a.sync()
            let after = remote.contents()
            let path = try #require(after.keys.first { before[$0] == nil && $0.hasPrefix("v1/log/") })
            let said = #/Something new of alpha was read here last at 20/#
            try remote.flip(path)
            #expect(try b.sync(expecting: 26).errorText.contains(said))
            try remote.restore(after.filter { $0.key != path })
            for _ in 0..<2 { try b.sync() }
            let warning = try b.sync().errorText
            #expect(warning.contains("kept back") && warning.contains(said), "\(warning)")
        }
    }
}
