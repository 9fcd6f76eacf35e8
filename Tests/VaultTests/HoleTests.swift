import Format
import Foundation
import SystemPackage
import Testing

@testable import Vault

/// Sparse files: what they take, where their holes are, and what is read there.
@Suite struct HoleTests {
    private static let chunk = 65536

    private func ranges(_ vault: Vault, _ node: Node) throws -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var position: UInt64 = 0
        while true {
            do throws(Errno) {
                let data = try vault.seek(node, from: position, toHole: false)
                position = try vault.seek(node, from: data, toHole: true)
                ranges.append(Int(data)..<Int(position))
            } catch {
                #expect(error.rawValue == 6)
                return ranges
            }
        }
    }

    /// What stat(2) tells of the data in these ranges, in units of 512 bytes.
    private func blocks(_ ranges: [Range<Int>]) -> UInt64 {
        UInt64(ranges.reduce(0) { $0 + ($1.count + 4095) / 4096 * 8 })
    }

    /// Any order of writes, truncations and punches, against a plain array and a set of the chunks that were written;
    /// opened anew now and then.
    @Test(arguments: 1...6) func likeAnArray(_ seed: UInt64) throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        var random = Randomness(seed: seed)
        var bytes: [UInt8] = []
        try vault.make("a")
        for step in 0..<60 {
            let node = try vault.find("a")
            let unit = step % 3 == 0 ? Self.chunk : 1
            let offset = Int(random.next() % UInt64(12 * Self.chunk)) / unit * unit
            switch random.next() % 8 {
            case 0..<4:
                let written = random.bytes(Int(random.next() % 100_000) + 1)
                if bytes.count < offset + written.count {
                    bytes += [UInt8](repeating: 0, count: offset + written.count - bytes.count)
                }
                bytes.replaceSubrange(offset..<(offset + written.count), with: written)
                try vault.overwrite(node, at: UInt64(offset), written)
            case 4:
                try vault.resize(node, to: offset)
                bytes = Array(bytes.prefix(offset)) + [UInt8](repeating: 0, count: max(0, offset - bytes.count))
            case 5, 6:
                let length = Int(random.next() % 300_000) + 1
                for place in offset..<max(offset, min(offset + length, bytes.count)) { bytes[place] = 0 }
                try vault.opened(node, writing: true, truncate: false)
                try vault.allocate(
                    node, offset: UInt64(offset), length: UInt64(length), mode: [.punchHole, .keepSize])
                vault.closed(node, writing: true)
            default: vault = try fixture.reopen(vault)
            }
            let found = try vault.find("a")
            #expect(try vault.bytes(found, count: bytes.count + 1) == bytes, "step \(step)")
            let data = try ranges(vault, found)
            let inData = IndexSet(data.reduce(into: IndexSet()) { $0.insert(integersIn: $1) })
            let nonZero = IndexSet(bytes.indices.filter { bytes[$0] != 0 })
            #expect(nonZero.subtracting(inData).isEmpty, "step \(step): data in a hole")
            let attributes = try vault.attributes(of: found)
            #expect(attributes.blocks == blocks(data), "step \(step): \(data) of \(bytes.count)")
        }
        #expect(try vault.verify { _, _ in }.damage == [])
        try vault.close()
    }

    @Test func whatTheHolesAreIsKnownAtOnceAndAfterReopening() throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        let node = try vault.make("sparse")
        try vault.resize(node, to: 1 << 30)
        #expect(try vault.attributes(of: node).blocks == 0)
        #expect(throws: Errno(rawValue: 6)) { try vault.seek(node, from: 0, toHole: false) }
        try vault.opened(node, writing: true, truncate: false)
        let expected = [327_680..<393_216, (1 << 30)..<((1 << 30) + 3)]
        try vault.write(node, offset: 330_000, [1].raw)
        try vault.write(node, offset: 1 << 30, [1, 2, 3].raw)
        // Before anything of it is committed, too.
        #expect(try ranges(vault, node) == expected)
        #expect(try vault.attributes(of: node).blocks == blocks(expected))
        vault.closed(node, writing: true)
        for _ in 0..<2 {
            let found = try vault.find("sparse")
            #expect(try ranges(vault, found) == expected)
            #expect(try vault.attributes(of: found).blocks == blocks(expected))
            vault = try fixture.reopen(vault)
        }
        let again = try vault.find("sparse")
        try vault.opened(again, writing: true, truncate: true)
        try vault.write(again, offset: 200_000, [1].raw)
        #expect(try vault.attributes(of: again).blocks == blocks([196_608..<200_001]))
        try vault.write(again, offset: 100_000, [1].raw)
        try vault.allocate(again, offset: 0, length: 300_000, mode: [])
        #expect(try ranges(vault, again) == [65_536..<131_072, 196_608..<262_144])
        #expect(try vault.attributes(of: again).blocks == blocks(ranges(vault, again)))
        vault.closed(again, writing: true)
        #expect(try vault.attributes(of: again).blocks == blocks(ranges(vault, again)))
        try vault.close()
    }

    /// What is punched out is in the store no more, and its room is free.
    @Test func punchedChunksGo() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        // All in one save, of which there is no version before.
        let node = try vault.make("a")
        try vault.opened(node, writing: true, truncate: false)
        try vault.write(node, offset: 0, [UInt8](repeating: 1, count: 10 * Self.chunk).raw)
        try vault.flush(node)
        try vault.allocate(node, offset: 0, length: UInt64(9 * Self.chunk), mode: [.punchHole, .keepSize])
        vault.closed(node, writing: true)
        #expect(try ranges(vault, node) == [(9 * Self.chunk)..<(10 * Self.chunk)])
        try vault.close()
        #expect(try fixture.rowCounts()[2] == "1")
    }

    @Test func otherDevicesHaveTheSameHoles() throws {
        let pair = try ReplicaPair()
        let node = try pair.first.save("a", "x")
        try pair.first.overwrite(node, at: UInt64(5 * Self.chunk), [1, 2, 3])
        try pair.exchange()
        try pair.first.overwrite(node, at: UInt64(20 * Self.chunk), [1, 2, 3])
        try pair.exchange()
        try pair.reopen()
        for vault in pair.vaults {
            let found = try vault.find("a")
            #expect(try ranges(vault, found).count == 3)
            #expect(try vault.attributes(of: found).blocks == blocks(ranges(vault, found)))
        }
        try pair.close()
    }
}
