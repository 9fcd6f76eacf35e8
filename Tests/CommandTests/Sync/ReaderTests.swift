import Foundation
import TestSupport
import Testing

/// The documents are enough to read what the program writes.
@Suite struct ReaderTests {
    /// Names and contents of everything, of a vault whose process was killed: what only the journal has is among it.
    @Test func aVaultAndItsJournal() throws {
        try TestVault.with { vault in
            let process = try vault.serve("--no-sync")
            try vault.write("s3cret\nuser: ann\n", to: "mail")
            try FileManager.default.createDirectory(atPath: vault.path("folder"), withIntermediateDirectories: false)
            // In cells, in rows, and as a hole.
            try vault.write(String(repeating: "large content\n", count: 30_000), to: "folder/large")
            try vault.write(String(repeating: "some content\n", count: 6_000), to: "folder/some")
            try vault.write(String(repeating: "\0", count: 70_000), to: "folder/zeroes")
            try vault.write("", to: "empty")
            try FileManager.default.createSymbolicLink(atPath: vault.path("link"), withDestinationPath: "folder/large")
            try FileManager.default.linkItem(atPath: vault.path("mail"), toPath: vault.path("folder/second name"))
            try vault.write("newer\nuser: ann\n", to: "mail")
            try FileManager.default.moveItem(atPath: vault.path("empty"), toPath: vault.path("folder/moved"))
            try FileManager.default.removeItem(atPath: vault.path("folder/zeroes"))
            process.kill()
            _ = try process.wait()
            let read = try Reader.vault(vault.file)
            #expect(read.versions.contains(Data("s3cret\nuser: ann\n".utf8).base64EncodedString()))
            try vault.mount("--no-sync")
            #expect(try read.entries.withoutIdentifiers == vault.shown())
            #expect(read.entries.count == 7)
            let status = try vault.coffer(["status", "--json"]).run(expecting: 0).text
            #expect(status.contains(read.fingerprint), "\(status)")
            try vault.lock()
        }
    }

    /// Of fd29ea7: seven operations that the database does not have, and among them each kind of row but the last.
    @Test func aJournalOfBefore() throws {
        try TestVault.with(initialized: false) { vault in
            try RecordedTests.Recording.unpack("killed", to: vault)
            let place = (vault.file as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            for file in try FileManager.default.contentsOfDirectory(atPath: vault.home.file("A")) {
                try FileManager.default.copyItem(atPath: vault.home.file("A/\(file)"), toPath: "\(place)/\(file)")
            }
            let read = try Reader.vault(vault.file)
            #expect(read.journal == 7)
            #expect(read.entries.keys.sorted() == ["edited", "folder", "folder/moved", "folder/new", "large", "link"])
            #expect(read.entries["edited"]?.content == Data("two\n".utf8).base64EncodedString())
            #expect(read.versions == [Data("one\n".utf8).base64EncodedString()])
            try vault.mount("--no-sync")
            #expect(try read.entries.withoutIdentifiers == vault.shown())
            try vault.lock()
        }
    }

    @Test func aKit() throws {
        try TwoDevices.with(joined: false) { devices in
            let made = try devices.a.opened("kit", "--text").run(expecting: 0)
            let read = try Reader.kit(devices.a.home.write(made.text, to: "kit.txt"))
            #expect(read.epoch == 1)
            #expect(URL(string: read.remote)?.path == devices.url)
            #expect(made.errorText.contains("Fingerprint: \(read.fingerprint)"))
            // The others hear of it by its identifier.
            try devices.a.sync()
            let vault = try Reader.vault(devices.a.file)
            #expect(vault.vault == read.vault && vault.fingerprint == read.fingerprint)
            #expect(vault.state?.kits.contains(read.kit) == true)
        }
    }

    /// Edits that met, a rotation, large contents and a snapshot.
    @Test func aRemoteOfTwoEpochsWithASnapshot() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            for device in [a, b] { try device.mount("--no-sync") }
            func sync(_ turns: TestVault...) throws {
                for device in turns { try device.coffer(["sync"]).run(expecting: 0) }
            }
            try a.write(String(repeating: "large\n", count: 30_000), to: "large")
            try sync(a, b)
            try a.write("from alpha\n", to: "note")
            try a.write("s3cret\nuser: bob\nurl: example.org\n", to: "mail/gmail")
            try b.write("from beta\n", to: "note")
            try b.write("s3cret\nuser: ann\nurl: example.com\nextra: field\n", to: "mail/gmail")
            try sync(a, b, a, b)
            try a.opened("rotate").run(expecting: 0)
            try a.write(String(repeating: "larger\n", count: 200_000), to: "larger")
            try sync(a)
            // Most of what is at the remote is of no use now, so that alpha writes a snapshot. It announces that with what it
            // writes next; beta does not read that far, so that the logs stay.
            try FileManager.default.removeItem(atPath: a.path("larger"))
            try b.write("more\n", to: "more")
            try sync(b, a, a)
            try a.write("last\n", to: "last")
            try sync(a)
            let kit = try a.home.write(a.opened("kit", "--text").run(expecting: 0).text, to: "kit.txt")
            let read = try Reader.remote(devices.place.folder, kit: kit, email: TwoDevices.email)
            #expect(read.epochs == [1, 2] && read.segmentEpochs == [1, 2])
            #expect(Set(read.devices.values) == ["alpha", "beta"])
            #expect(read.snapshot != nil)
            #expect(read.entries == read.entriesOfLogs, "the snapshot has what the logs have")
            #expect(try read.entries.withoutIdentifiers == a.shown())
            try expectNames(read, RemoteFiles(folder: devices.place.folder))
            #expect(read.merges.count == 1 && read.merges.allSatisfy { $0.written == $0.computed })
            for device in [a, b] { try device.lock() }
            try expectState(read, of: a)
        }
    }

    /// The identifiers are those of the vault's file, and so is what synchronisation remembers.
    private func expectState(_ read: Reader.Remote, of device: TestVault) throws {
        let vault = try Reader.vault(device.file)
        #expect(vault.vault == read.vault && vault.fingerprint == read.fingerprint)
        #expect(vault.entries == read.entries && vault.epochs == read.epochs)
        #expect(read.copies.count == 1 && read.copies.keys.allSatisfy { $0.hasPrefix("note (conflict, ") })
        let state = try #require(vault.state)
        #expect(state.members.mapValues(\.name) == read.devices)
        #expect(read.hints.mapValues { $0.split(separator: ".").first.flatMap { UInt64($0) } } == state.seen)
        #expect(state.snapshots.contains(read.snapshot ?? ""))
    }

    /// Each blob has the name that its slot gives, and no other has.
    private func expectNames(_ read: Reader.Remote, _ remote: RemoteFiles) throws {
        let there = remote.paths().filter { $0.hasPrefix("v1/chunk/") || $0.hasPrefix("v1/blob/") }
        #expect(read.blobs.map { "v1/\($0)" } == there && there.count > 20)
        #expect(read.blobs.allSatisfy { $0.hasPrefix("chunk/") })
        for (device, hint) in read.hints {
            #expect(remote.paths().contains("v1/log/\(device)/\(hint)"))
        }
    }

    /// Of fd29ea7: the same, with names of blobs as they were then.
    @Test func aRemoteOfBefore() throws {
        try TestVault.with(initialized: false) { vault in
            try RecordedTests.Recording.unpack("blobs", to: vault)
            let read = try Reader.remote(
                vault.home.file("remote"), kit: vault.home.file("kit"), email: TwoDevices.email)
            #expect(read.epochs == [1, 2] && read.segmentEpochs == [1, 2] && read.snapshot != nil)
            #expect(read.entries == read.entriesOfLogs)
            #expect(try read.entries == Reader.vault(vault.home.file("A/vault.coffer")).entries)
            #expect(read.blobs.count == 3 && read.blobs.allSatisfy { $0.hasPrefix("blob/") })
            #expect(read.merges.count == 1 && read.merges.allSatisfy { $0.written == $0.computed })
            #expect(read.copies.count == 1)
        }
    }

    /// `SyncTests` has the program compute the same.
    @Test func vectors() throws {
        let file = "\(Program.root)/Tests/Reader/vectors.json"
        let wanted = try canonical(Data(Posix.read(file)))
        #expect(try canonical(Reader.run(["vectors", file])) == wanted)
    }

    private func canonical(_ json: Data) throws -> Data {
        try JSONSerialization.data(withJSONObject: JSONSerialization.jsonObject(with: json), options: .sortedKeys)
    }
}
