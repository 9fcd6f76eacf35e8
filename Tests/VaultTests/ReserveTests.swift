import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// What could not be saved before the vault was locked is in the reserve, and comes back with the next opening.
@Suite struct ReserveTests {
    private static let edited = [UInt8](repeating: UInt8(ascii: "e"), count: 200_000)

    private func reserve(_ fixture: Fixture) -> String { fixture.file.string + "-reserve" }

    /// A vault that was locked with its disk full: what `edit` wrote was not saved.
    private func lockUnsaved(_ fixture: Fixture, _ vault: Vault, _ edit: (Vault) throws -> Void) throws {
        vault.keepReserve()
        vault.committer.withLock { $0.refusal = .noSpace }
        try edit(vault)
        #expect(vault.save().reason == .noSpace)
        _ = try? vault.close()
    }

    /// As a program that does not look at the answer of close(2).
    private func write(_ vault: Vault, _ name: String, _ bytes: [UInt8], truncate: Bool = true, at offset: UInt64 = 0)
        throws
    {
        let node = try vault.find(name)
        try vault.opened(node, writing: true, truncate: truncate)
        try vault.write(node, offset: offset, bytes.raw)
        vault.closed(node, writing: true)
    }

    /// A vault with the entry `note`, an edit of which waits in the reserve.
    private func leaveEdit(_ fixture: Fixture) throws {
        let vault = try fixture.create()
        try vault.save("note", "before")
        try lockUnsaved(fixture, vault) { try write($0, "note", Self.edited) }
    }

    private func copies(_ vault: Vault) throws -> [String] {
        var names: [String] = []
        try vault.readDirectory(.root, after: 0, remember: false) { name, _, _, _, _ in
            names.append(String(decoding: name.copied, as: UTF8.self))
            return true
        }
        return names.filter { $0.contains("(not saved, ") }
    }

    @Test func isPutBackAsOneVersion() throws {
        let fixture = try Fixture()
        try leaveEdit(fixture)
        let vault = try fixture.open()
        #expect(vault.restored.restored == [.init(path: "note")])
        #expect(vault.restored.lost.isEmpty && vault.restored.damaged == nil)
        #expect(try vault.bytes("note") == Self.edited)
        let versions = try vault.history(of: vault.find("note"))
        #expect(versions.count == 1)
        #expect(try vault.read(version: versions[0]).withBytes { $0.copied } == Array("before".utf8))
        try vault.close()
        #expect(!FileManager.default.fileExists(atPath: reserve(fixture)), "it is given back")
        let again = try fixture.open()
        #expect(again.restored.isEmpty)
        #expect(try again.bytes("note") == Self.edited)
        #expect(try again.verify { _, _ in }.damage.isEmpty)
        try again.close()
    }

    /// Only what was changed of a large file is in the reserve, and a file that was made shorter and longer again.
    @Test func partsOfLargeFiles() throws {
        let fixture = try Fixture()
        var generator = Randomness(seed: 7)
        let (large, other) = (generator.bytes(9 << 20), generator.bytes(300_000))
        let vault = try fixture.create()
        try vault.save("large", large)
        try vault.save("other", other)
        var expected = large
        expected.replaceSubrange(1_000_000..<1_000_100, with: [UInt8](repeating: 1, count: 100))
        try lockUnsaved(fixture, vault) { vault in
            try write(vault, "large", [UInt8](repeating: 1, count: 100), truncate: false, at: 1_000_000)
            try? vault.resize(vault.find("other"), to: 70_000)
            try? vault.resize(vault.find("other"), to: 200_000)
        }
        #expect(try FileManager.default.attributesOfItem(atPath: reserve(fixture))[.size] as? Int ?? 0 <= 4 << 20)
        let opened = try fixture.open()
        #expect(Set(opened.restored.restored.map(\.path)) == ["large", "other"])
        #expect(try opened.bytes("large") == expected)
        #expect(try opened.bytes("other") == Array(other[..<70_000]) + [UInt8](repeating: 0, count: 130_000))
        try opened.close()
    }

    /// The smallest first; what has no room is named.
    @Test func whatHasNoRoomIsNamed() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        for name in ["a", "b", "c", "d"] { try vault.save(name, "before") }
        let sizes = ["a": 3 << 20, "b": 2 << 20, "c": 1 << 20, "d": 1000]
        try lockUnsaved(fixture, vault) { vault in
            for (name, size) in sizes { try? write(vault, name, [UInt8](repeating: 7, count: size)) }
        }
        let opened = try fixture.open()
        #expect(opened.restored.restored.map(\.path) == ["d", "c", "b"])
        #expect(opened.restored.lost == ["a"])
        for name in ["b", "c", "d"] { #expect(try opened.bytes(name).count == sizes[name]) }
        #expect(try opened.text("a") == "before")
        try opened.close()
    }

    /// A process that is killed between saving and emptying the reserve does nothing twice.
    @Test func appliedOnce() throws {
        let fixture = try Fixture()
        try leaveEdit(fixture)
        let kept = try Data(contentsOf: URL(fileURLWithPath: reserve(fixture)))
        try fixture.open().close()
        try kept.write(to: URL(fileURLWithPath: reserve(fixture)))
        let vault = try fixture.open()
        #expect(vault.restored.restored.isEmpty && vault.restored.damaged == nil)
        #expect(try copies(vault).isEmpty)
        #expect(try vault.history(of: vault.find("note")).count == 1)
        try vault.close()
    }

    /// The entry has changed, or is gone: nothing of it is written over, and nothing is lost.
    @Test(arguments: ["changed", "removed"]) func becomesACopy(_ way: String) throws {
        let fixture = try Fixture()
        try leaveEdit(fixture)
        let kept = try Data(contentsOf: URL(fileURLWithPath: reserve(fixture)))
        try FileManager.default.removeItem(atPath: reserve(fixture))
        var vault = try fixture.open()
        if way == "changed" {
            try vault.save("note", "another edit")
        } else {
            try vault.unlink(Array("note".utf8).raw, in: .root)
        }
        try vault.close()
        for _ in 0..<2 {
            try kept.write(to: URL(fileURLWithPath: reserve(fixture)))
            vault = try fixture.open()
            let names = try copies(vault)
            #expect(names.count == 1, "also when it is put back a second time")
            #expect(try vault.bytes(names[0]) == Self.edited)
            if way == "changed" { #expect(try vault.text("note") == "another edit") }
            try vault.close()
        }
    }

    /// Still no room: it is in memory, as it was, and stays in the reserve until it is saved.
    @Test func waitsForRoom() throws {
        let fixture = try Fixture()
        try leaveEdit(fixture)
        let vault = try fixture.open(readOnly: true)
        #expect(vault.restored.waiting == ["note"])
        #expect(try vault.text("note") == "before")
        try vault.close()
        #expect(FileManager.default.fileExists(atPath: reserve(fixture)))
        let opened = try fixture.open()
        #expect(try opened.bytes("note") == Self.edited)
        try opened.close()
    }

    /// Cut, changed, of another vault, no reserve at all: named and put aside, never a crash, and the vault is as it was.
    @Test func damagedReserves() throws {
        let fixture = try Fixture()
        try leaveEdit(fixture)
        let whole = try Data(contentsOf: URL(fileURLWithPath: reserve(fixture)))
        let used = 64 + 48 + 200_704
        var broken: [(String, Data)] = [
            ("text", Data("no reserve".utf8)), ("much", Data(repeating: 7, count: 9 << 20)),
        ]
        for offset in [0, 4, 9, 30, 64, 66, 75, 110, 113, 5000, used - 5000] {
            var bytes = whole
            bytes[offset] ^= 0x40
            broken.append(("byte \(offset)", bytes))
        }
        for length in [1, 63, 70, 100, 113, 100_000] { broken.append(("cut at \(length)", whole.prefix(length))) }
        for (what, bytes) in broken {
            try bytes.write(to: URL(fileURLWithPath: reserve(fixture)))
            let vault = try fixture.open()
            let report = vault.restored
            #expect(report.damaged?.string == reserve(fixture) + ".old", "\(what)")
            #expect(report.restored.isEmpty, "\(what)")
            #expect(try vault.text("note") == "before", "\(what)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: reserve(fixture) + ".old")) == bytes, "\(what)")
            try vault.close()
        }
        let other = try Fixture()
        try other.create().close()
        try whole.write(to: URL(fileURLWithPath: reserve(other)))
        let vault = try other.open()
        #expect(vault.restored.damaged != nil)
        try vault.close()
    }

    /// What a killed process leaves has nothing in it, and serves the next one.
    @Test func emptyReserves() throws {
        let fixture = try Fixture()
        try fixture.create().close()
        for bytes in [Data(), Data(count: 64), Data(count: 1 << 20)] {
            try bytes.write(to: URL(fileURLWithPath: reserve(fixture)))
            let vault = try fixture.open()
            #expect(vault.restored.isEmpty)
            vault.keepReserve()
            #expect(vault.reserve.room > 0)
            try vault.close()
            #expect(!FileManager.default.fileExists(atPath: reserve(fixture)))
        }
    }

    /// A full disk gets back so much that a removal finds room where an edit finds none, and a lock where neither does.
    @Test func isGivenUpInParts() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        vault.keepReserve()
        let whole = vault.reserve.room
        while vault.reserve.giveUp(for: .edit) {}
        let forRemovals = vault.reserve.room
        while vault.reserve.giveUp(for: .removal) {}
        let forLock = vault.reserve.room
        #expect(whole > forRemovals && forRemovals > forLock && forLock > whole / 8)
        #expect(!vault.reserve.giveUp(for: .edit) && !vault.reserve.giveUp(for: .removal))
        vault.reserve.grow()
        #expect(vault.reserve.room == whole, "it grows where there is room")
        try vault.close()
    }
}
