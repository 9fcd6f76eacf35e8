import Foundation
import Format
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// Accepting damage sets aside contents that cannot be read, and nothing else: the vault is whole again afterwards.
@Suite struct AcceptTests {
    private static let cell = 65536

    private static func large(_ seed: UInt64) -> [UInt8] {
        var randomness = Randomness(seed: seed)
        return randomness.bytes(8 * cell)
    }

    private func accept(_ fixture: Fixture) throws -> AcceptedDamage {
        try Vault.acceptDamage(at: fixture.file, password: .init(Fixture.password), stateDirectory: fixture.state)
    }

    private func chunks(_ fixture: Fixture) -> URL { URL(fileURLWithPath: fixture.file.string + "-chunks") }

    /// The vault is whole: it opens for writing, nothing is found, and a large content is written and read.
    private func expectWhole(_ fixture: Fixture, _ body: (Vault) throws -> Void) throws {
        for round in 0..<2 {
            let vault = try fixture.open()
            #expect(!vault.isReadOnly)
            try body(vault)
            try vault.save("new", Self.large(UInt64(100 + round)))
            #expect(try vault.bytes("new") == Self.large(UInt64(100 + round)))
            #expect(try vault.verify { _, _ in }.damage.isEmpty, "round \(round)")
            try vault.close()
        }
    }

    private func flipByte(_ column: String, of table: String, _ slot: String, _ fixture: Fixture) throws {
        try fixture.sql(
            "UPDATE \(table) SET \(column) = CAST(CASE substr(\(column), 1, 1) WHEN x'00' THEN x'01' ELSE x'00' END "
                + "|| substr(\(column), 2) AS BLOB) WHERE slot = \(slot)")
    }

    @Test(arguments: ["missing", "cut short", "flipped"]) func largeContentsThatAreLost(_ way: String) throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            let directory = try vault.makeDirectory("d")
            try vault.save("first", Self.large(1))
            try vault.save("edited", "earlier", in: directory)
            try vault.save("edited", Self.large(2), in: directory)
            try vault.save("large", Self.large(3), in: directory)
            try vault.save("small", "still here")
        }
        let stored = try Data(contentsOf: chunks(fixture))
        switch way {
        case "missing": try FileManager.default.removeItem(at: chunks(fixture))
        // Cells 0 to 7 are the first file's, 8 to 15 the edited one's.
        case "cut short": try stored.prefix(9 * Self.cell + 100).write(to: chunks(fixture))
        default:
            var changed = stored
            for cell in [10, 20] { changed[cell * Self.cell + 7] ^= 1 }
            try changed.write(to: chunks(fixture))
        }
        let accepted = try accept(fixture)
        #expect(accepted.entries.contains(Damage(path: "d/large", "set aside")), "\(accepted.entries)")
        #expect(accepted.entries.contains { $0.path == "d/edited" && $0.what.contains("before it is back") })
        #expect(accepted.entries.count == (way == "missing" ? 3 : 2) && accepted.rows > 3)
        try expectWhole(fixture) { vault in
            let directory = try vault.find("d")
            #expect(try vault.text("small") == "still here" && vault.text("edited", in: directory) == "earlier")
            #expect(!vault.exists("large", in: directory))
            if way == "missing" {
                #expect(!vault.exists("first"))
            } else {
                #expect(try vault.bytes("first") == Self.large(1))
            }
        }
        #expect(try accept(fixture).rows == 0, "nothing is set aside twice")
    }

    /// What is left of a content that was set aside stays where it is; of its damaged chunk, too, the bytes are kept.
    @Test func nothingIsOverwritten() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("large", Self.large(1)) }
        var stored = try Data(contentsOf: chunks(fixture))
        stored[2 * Self.cell] ^= 1
        try stored.write(to: chunks(fixture))
        _ = try accept(fixture)
        let kept = try fixture.query("SELECT hex(body) FROM damaged WHERE origin = 'chunk'")
        #expect(kept == [stored[(2 * Self.cell)..<(3 * Self.cell)].map { String(format: "%02X", $0) }.joined()])
        try expectWhole(fixture) { _ in }
        let after = try Data(contentsOf: chunks(fixture))
        for cell in [0, 1, 3, 4, 5, 6, 7] {
            let range = (cell * Self.cell)..<((cell + 1) * Self.cell)
            #expect(after[range] == stored[range], "cell \(cell)")
        }
    }

    /// Chunks that stayed behind when their content was set aside are lost later.
    @Test func chunksWithoutAContent() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("large", Self.large(1)) }
        var stored = try Data(contentsOf: chunks(fixture))
        stored[2 * Self.cell] ^= 1
        try stored.write(to: chunks(fixture))
        #expect(try accept(fixture).entries.count == 1)
        try FileManager.default.removeItem(at: chunks(fixture))
        #expect(try accept(fixture).rows == 7)
        try expectWhole(fixture) { _ in }
    }

    /// A file that was replaced while it was open, by a process that was killed, has the content of a version: it is shown
    /// where the version is lost.
    @Test func replacedFileWhoseVersionIsLost() throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            let node = try vault.save("a", "old text")
            try vault.save("b", "new text")
            try vault.opened(node, writing: false, truncate: false)
            try vault.move("b", to: "a")
        }
        let slots = try fixture.query("SELECT slot || '' FROM version")
        try #require(slots.count == 1)
        try flipByte("body", of: "version", slots[0], fixture)
        _ = try accept(fixture)
        try expectWhole(fixture) { vault in
            let names = try vault.names().filter { $0.hasPrefix("recovered-") }
            let texts = try names.map { try vault.text($0) }
            #expect(texts == ["old text"])
            #expect(try vault.text("a") == "new text")
        }
    }

    /// Contents in the database: in the row of the file, and in that of a chunk.
    @Test(arguments: ["file", "chunk"]) func contentInTheDatabase(_ table: String) throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            try vault.save("a", [UInt8](repeating: 7, count: table == "file" ? 100 : 5000))
            try vault.save("b", "intact")
        }
        let slot = try table == "chunk" ? fixture.query("SELECT slot || '' FROM chunk")[0] : slot(of: "a", fixture)
        try flipByte(table == "file" ? "content" : "body", of: table, slot, fixture)
        #expect(try accept(fixture).entries == [Damage(path: "a", "set aside")])
        try expectWhole(fixture) { vault in
            let text = try vault.text("b")
            #expect(!vault.exists("a") && text == "intact")
        }
    }

    private func slot(of name: String, _ fixture: Fixture) throws -> String {
        let vault = try fixture.open()
        defer { try? vault.close() }
        let node = try vault.find(name)
        return vault.tree.withLock { "\($0.inode(at: UInt32(node.rawValue)).slot)" }
    }

    /// A version is lost, by its record or by its content: the others are kept, also those behind it.
    @Test(arguments: ["body", "content"], 0..<4) func versionInTheMiddle(_ column: String, place: Int) throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            for number in 0..<5 { try vault.save("a", "content \(number)") }
        }
        let opened = try fixture.open()
        let slot = try opened.history(of: opened.find("a"))[place].slot
        try opened.close()
        try flipByte(column, of: "version", "\(slot)", fixture)
        #expect(try accept(fixture).entries.map(\.path) == ["a"])
        var expected = (0..<4).reversed().map { "content \($0)" }
        expected.remove(at: place)
        try expectWhole(fixture) { vault in
            let node = try vault.find("a")
            #expect(try vault.text("a") == "content 4")
            #expect(try vault.versions(of: node) == expected)
        }
    }

    /// The file's own row is lost, or its content: the entry goes on with the version before, and all that came earlier.
    @Test(arguments: ["body", "content"]) func fileWithVersions(_ column: String) throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            let directory = try vault.makeDirectory("d")
            for number in 0..<4 { try vault.save("a", "content \(number)", in: directory) }
            try vault.move("a", in: directory, to: "a")
        }
        try flipByte(column, of: "file", slot(of: "a", fixture), fixture)
        let accepted = try accept(fixture)
        #expect(accepted.entries.map(\.path) == ["a"] && accepted.entries[0].what.contains("before it is back"))
        try expectWhole(fixture) { vault in
            let versions = try vault.versions(of: vault.find("a"))
            #expect(try vault.text("a") == "content 2")
            #expect(versions == ["content 1", "content 0"])
        }
        let vault = try fixture.open()
        try vault.save("a", "later")
        #expect(try vault.versions(of: vault.find("a")) == ["content 2", "content 1", "content 0"])
        try vault.close()
        try expectWhole(fixture) { vault in
            let text = try vault.text("a")
            #expect(text == "later")
        }
    }

    /// Each name of a file goes with it; one in the trash as well.
    @Test func severalNames() throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            let directory = try vault.makeDirectory("d")
            let node = try vault.save("a", "linked")
            try vault.link(node, "b", in: directory)
            try vault.save("gone", "removed")
            try vault.unlink("gone")
        }
        for slot in try fixture.query("SELECT slot || '' FROM file WHERE content IS NOT NULL") {
            try flipByte("content", of: "file", slot, fixture)
        }
        #expect(try Set(accept(fixture).entries.map(\.path)) == ["a", "d/b", "gone"])
        try expectWhole(fixture) { vault in
            let names = try vault.names(in: vault.find("d"))
            #expect(!vault.exists("a") && names.isEmpty)
            #expect(vault.trash.withLock { $0.count } == 0)
        }
    }
}
