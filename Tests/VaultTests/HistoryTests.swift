import Format
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// The four ways in which editors save: each makes one new version of the same entry.
@Suite struct HistoryTests {
    enum Way: String, CaseIterable, Sendable {
        case truncate, writeInPlace, renameOver, backup, keptBackup
    }

    /// The entry's identifier, which the other devices know it by.
    private func entry(_ name: String, _ vault: Vault) -> Identifier? {
        vault.tree.withLock { tree in
            tree.find(Array(name.utf8).raw, in: .root).map { tree.dentry(at: $0).identifier }
        }
    }

    /// Saves `text` under `name`, in several writes and flushes as programs make them.
    private func save(_ text: String, as name: String, _ way: Way, _ vault: Vault) throws {
        switch way {
        case .truncate:
            try write(text, to: vault.find(name), truncate: true, vault)
        case .writeInPlace:
            let node = try vault.find(name)
            try write(text, to: node, truncate: false, vault)
        case .renameOver:
            try write(text, to: vault.make(name + ".temporary"), truncate: false, vault)
            try vault.move(name + ".temporary", to: name)
        case .backup, .keptBackup:
            try vault.move(name, to: name + "~")
            try write(text, to: vault.make(name), truncate: false, vault)
            if way == .backup { try vault.unlink(name + "~") }
        }
    }

    private func write(_ text: String, to node: Node, truncate: Bool, _ vault: Vault) throws {
        try vault.opened(node, writing: true, truncate: truncate)
        let bytes = Array(text.utf8)
        let half = bytes.count / 2
        try vault.write(node, offset: 0, Array(bytes[..<half]).raw)
        try vault.synchronize(node)
        try vault.write(node, offset: UInt64(half), Array(bytes[half...]).raw)
        try vault.flush(node)
        vault.closed(node, writing: true)
    }

    /// Contents of one length, so that writing in place replaces all: in the row, in one chunk, in several.
    private func content(_ number: Int, _ length: Int) -> String {
        String(repeating: "version \(number).", count: length / 10)
    }

    @Test(arguments: [Way.truncate, .writeInPlace, .renameOver, .backup], [40, 5000, 150_000])
    func oneVersionForEachSave(way: Way, length: Int) throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", content(0, length))
        let identifier = entry("a", vault)
        for number in 1...4 {
            try save(content(number, length), as: "a", way, vault)
            #expect(try vault.text("a") == content(number, length))
            #expect(
                try vault.versions(of: vault.find("a")) == (0..<number).reversed().map { content($0, length) },
                "save \(number)")
            #expect(entry("a", vault) == identifier, "the same entry")
            #expect(try vault.names() == ["a"])
        }
        let again = try fixture.reopen(vault)
        #expect(entry("a", again) == identifier)
        #expect(try again.text("a") == content(4, length))
        #expect(try again.versions(of: again.find("a")) == [3, 2, 1, 0].map { content($0, length) })
        #expect(try again.verify { _, _ in }.damage.isEmpty)
        try again.close()
    }

    /// A backup that stays is the newest earlier version until the next save replaces it.
    @Test func keptBackups() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", "0")
        let identifier = entry("a", vault)
        for number in 1...3 { try save("\(number)", as: "a", .keptBackup, vault) }
        #expect(entry("a", vault) == identifier)
        #expect(try vault.text("a") == "3" && vault.text("a~") == "2")
        try vault.unlink("a~")
        #expect(try vault.versions(of: vault.find("a")) == ["2", "1", "0"])
        let again = try fixture.reopen(vault)
        #expect(entry("a", again) == identifier)
        #expect(try again.versions(of: again.find("a")) == ["2", "1", "0"])
        #expect(try again.verify { _, _ in }.damage.isEmpty)
        try again.close()
    }

    /// The ways mixed on one entry.
    @Test func mixedWays() throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        try vault.save("a", content(0, 2000))
        let identifier = entry("a", vault)
        let ways: [Way] = [.backup, .truncate, .renameOver, .writeInPlace, .renameOver, .backup, .truncate, .backup]
        for (index, way) in ways.enumerated() {
            try save(content(index + 1, 2000), as: "a", way, vault)
            if index % 3 == 2 { vault = try fixture.reopen(vault) }
        }
        let node = try vault.find("a")
        #expect(try vault.versions(of: node) == (0..<8).reversed().map { content($0, 2000) })
        #expect(entry("a", vault) == identifier)
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
    }

    /// Two programs, one after the other, are two saves; one that flushes often is one.
    @Test func flushesAreNoVersions() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let node = try vault.save("a", "0")
        try vault.opened(node, writing: true, truncate: false)
        for number in 1...5 {
            try vault.write(node, offset: 0, Array("\(number)".utf8).raw)
            try vault.synchronize(node)
        }
        vault.closed(node, writing: true)
        #expect(try vault.versions(of: node) == ["0"])
        try vault.resize(node, to: 0)
        try vault.overwrite(node, at: 0, Array("6".utf8))
        #expect(try vault.versions(of: node) == ["5", "0"])
        try vault.close()
    }

    /// Metadata alone, and saves of what was empty, are no versions of the content.
    @Test func noVersionWithoutContent() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let node = try vault.make("a")
        try vault.overwrite(node, at: 0, [1])
        var changes = AttributeChanges()
        changes.mode = 0o640
        try vault.setAttributes(of: node, changes)
        try vault.move("a", to: "b")
        #expect(try vault.history(of: node).isEmpty)
        try vault.close()
    }

    /// Versions share the chunks that did not change, and dropping some leaves the rest readable.
    @Test func historyIsBounded() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        var content = [UInt8](repeating: 0xAA, count: 200_000)
        let node = try vault.save("a", content)
        for number in 0..<(Limits.versionsMost + 6) {
            content[100_000] = UInt8(number)
            try vault.overwrite(node, at: 100_000, [UInt8(number)])
        }
        let history = try vault.history(of: node)
        #expect(history.count >= Limits.versionsKept && history.count <= Limits.versionsMost)
        for (index, version) in history.enumerated() {
            // The first of all stays: it goes by its age.
            content[100_000] = index + 1 == history.count ? 0xAA : UInt8(Limits.versionsMost + 4 - index)
            #expect(try vault.read(version: version).withBytes { $0.copied } == content, "version \(index)")
        }
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
        // Three chunks that never changed, one for each version and one for the present.
        #expect(try fixture.rowCounts()[2] == "\(3 + history.count + 1)")
    }

    /// A removed entry that comes back under its name is the same entry with its history.
    @Test func removedAndMadeAnew() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", "0")
        try vault.save("a", "1")
        let identifier = entry("a", vault)
        try vault.unlink("a")
        #expect(vault.statistics().trash == 1)
        let reopened = try fixture.reopen(vault)
        #expect(reopened.statistics().trash == 1)
        try reopened.save("a", "2")
        #expect(entry("a", reopened) == identifier)
        #expect(try reopened.versions(of: reopened.find("a")) == ["1", "0"])
        #expect(reopened.statistics().trash == 0)
        #expect(try reopened.verify { _, _ in }.damage.isEmpty)
        try reopened.close()
    }
}
