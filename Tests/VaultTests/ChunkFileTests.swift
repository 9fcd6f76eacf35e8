import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// Whole chunks of large contents stand in cells of a file beside the database.
@Suite struct ChunkFileTests {
    private static let cell = 65536

    /// Bytes that differ from one chunk to the next.
    private static func content(_ seed: UInt64, chunks: Int) -> [UInt8] {
        var randomness = Randomness(seed: seed)
        return randomness.bytes(chunks * cell)
    }

    private func cells(_ fixture: Fixture) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: fixture.file.string + "-chunks")))
    }

    private func write(_ bytes: [UInt8], _ fixture: Fixture) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: fixture.file.string + "-chunks"))
    }

    @Test func contentsComeBack() throws {
        let fixture = try Fixture()
        let first = Self.content(1, chunks: 16)
        let second = Self.content(2, chunks: 9) + [1, 2, 3]
        try fixture.fill { vault in
            try vault.save("first", first)
            try vault.save("second", second)
            #expect(try vault.bytes("first") == first)
        }
        #expect(try cells(fixture).count == 25 * Self.cell, "one cell for each whole chunk, and none for the rest")
        let vault = try fixture.open()
        #expect(try vault.bytes("first") == first)
        #expect(try vault.bytes("second") == second)
        #expect(try vault.bytes(vault.find("first"), from: 100_000, count: 200_000) == Array(first[100_000..<300_000]))
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
    }

    @Test func cellsAreCiphertext() throws {
        let fixture = try Fixture()
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 10 * Self.cell)
        try fixture.fill { try $0.save("a", text) }
        let stored = try cells(fixture)
        #expect(stored.count == text.count)
        #expect(Data(stored).range(of: Data(repeating: UInt8(ascii: "x"), count: 8)) == nil)
        let starts = stride(from: 0, to: stored.count, by: Self.cell)
        let beginnings = Set(starts.map { start in Array(stored[start..<(start + 64)]) })
        #expect(beginnings.count == 10)
        let mode = try FileManager.default.attributesOfItem(atPath: fixture.file.string + "-chunks")[.posixPermissions]
        #expect((mode as? NSNumber)?.intValue == 0o600)
    }

    /// Attack 9: a cell changed, swapped with another, or taken from an earlier save.
    @Test(arguments: ["flipped", "swapped", "zeroed", "older"]) func tamperedCell(_ way: String) throws {
        let fixture = try Fixture()
        let content = Self.content(3, chunks: 8)
        try fixture.fill { try $0.save("a", content) }
        let older = try cells(fixture)
        if way == "older" {
            // The same cells hold other chunks once the first ones are gone for good.
            let vault = try fixture.open()
            try vault.opened(vault.find("a"), writing: true, truncate: false)
            for seed in 4..<7 {
                try vault.write(vault.find("a"), offset: 0, Self.content(UInt64(seed), chunks: 8).raw)
                try vault.flush(vault.find("a"))
            }
            vault.closed(try vault.find("a"), writing: true)
            try vault.close()
        }
        var stored = try cells(fixture)
        switch way {
        case "flipped": stored[3 * Self.cell + 77] ^= 1
        case "swapped":
            for index in 0..<Self.cell { stored.swapAt(3 * Self.cell + index, 4 * Self.cell + index) }
        case "zeroed": for index in 0..<Self.cell { stored[3 * Self.cell + index] = 0 }
        default: stored.replaceSubrange(0..<older.count, with: older)
        }
        try write(stored, fixture)
        let vault = try fixture.open()
        let node = try vault.find("a")
        if way == "older" {
            // The first save is the file's earlier version, whose cells these are; no other may open as them.
            let versions = try vault.history(of: node)
            let oldest = try vault.read(version: versions[versions.count - 1]).withBytes { $0.copied }
            #expect(oldest == content)
            #expect(try vault.bytes(node) == Self.content(6, chunks: 8))
        } else {
            #expect(throws: Errno.ioError) { try vault.bytes(node) }
            #expect(try vault.bytes(node, from: 0, count: Self.cell) == Array(content[..<Self.cell]))
            #expect(try vault.verify { _, _ in }.damage.first?.path == "a")
        }
        try vault.close()
    }

    @Test(arguments: ["missing", "cut short"]) func shortFile(_ way: String) throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            try vault.save("large", Self.content(5, chunks: 8))
            try vault.save("small", "still here")
        }
        if way == "missing" {
            try FileManager.default.removeItem(atPath: fixture.file.string + "-chunks")
        } else {
            try write(Array(try cells(fixture).dropLast(1)), fixture)
        }
        guard case .damaged(let damage)? = try fixture.refusal() else {
            Issue.record("a vault without its chunks was opened")
            return
        }
        #expect("\(damage)".contains("-chunks"))
        let vault = try fixture.open(tolerateDamage: true)
        #expect(try vault.text("small") == "still here" && vault.isReadOnly)
        #expect(throws: Errno.ioError) { try vault.bytes("large") }
        try vault.close()
    }

    /// What is overwritten within one opening makes no version: its cells are used again.
    @Test func cellsAreUsedAgain() throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        try vault.save("a", Self.content(6, chunks: 16))
        for round in 0..<6 {
            let node = try vault.find("a")
            try vault.opened(node, writing: true, truncate: false)
            for step in 0..<2 {
                try vault.write(node, offset: 0, Self.content(UInt64(10 * round + step), chunks: 16).raw)
                try vault.flush(node)
            }
            vault.closed(node, writing: true)
            #expect(try vault.bytes(node) == Self.content(UInt64(10 * round + 1), chunks: 16))
            vault = try fixture.reopen(vault)
        }
        // 16 for each version, 16 for what is there, and 16 that are free in between.
        #expect(try cells(fixture).count <= (6 + 1 + 1) * 16 * Self.cell)
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
    }

    /// Runs of any length, in any order: what is released holds nothing any more, and all that lies between still does.
    @Test func releasedCellsAreHoles() throws {
        let fixture = try Fixture()
        let file = try ChunkFile(vault: fixture.file, used: [], isReadOnly: false)
        let contents = (0..<60).map { Self.content(UInt64(100 + $0), chunks: 1) }
        for (cell, content) in contents.enumerated() {
            #expect(try unsafe content.withUnsafeBytes { unsafe try file.add($0) } == Int64(cell))
        }
        let released = Set((0..<20).map { $0 } + [22, 24] + (30..<47).map { $0 } + [59])
        file.release(released.map { Int64($0) }.shuffled())
        for (cell, content) in contents.enumerated() {
            var found = [UInt8](repeating: 1, count: Self.cell)
            try unsafe found.withUnsafeMutableBytes { try unsafe file.read(Int64(cell), into: $0) }
            #expect(
                found == (released.contains(cell) ? [UInt8](repeating: 0, count: Self.cell) : content), "cell \(cell)")
        }
        var again = Set<Int64>()
        for _ in released { again.insert(try unsafe contents[0].withUnsafeBytes { unsafe try file.add($0) }) }
        #expect(again == Set(released.map { Int64($0) }))
    }
}
