import Format
import SystemPackage
import Testing
import Vault

/// Bytes that are written are the bytes that are read, now and after reopening.
@Suite struct ContentTests {
    static let sizes = [0, 1, 255, 256, 1023, 1024, 1025, 65535, 65536, 65537, 131_072, (1 << 20) + 1]

    @Test func everySizeSurvivesReopening() throws {
        let fixture = try Fixture()
        var generator = Randomness(seed: 1)
        let contents = Self.sizes.map { generator.bytes($0) }
        var vault = try fixture.create()
        for (size, content) in zip(Self.sizes, contents) { try vault.save("\(size)", content) }
        for round in 0..<2 {
            for (size, content) in zip(Self.sizes, contents) {
                let node = try vault.find("\(size)")
                #expect(try vault.attributes(of: node).size == UInt64(size))
                #expect(try vault.bytes(node) == content, "\(size) bytes, round \(round)")
                #expect(try vault.bytes(node, from: size).isEmpty)
                if size > 2 {
                    #expect(try vault.bytes(node, from: size / 2, count: 7) == Array(content[(size / 2)...].prefix(7)))
                }
            }
            vault = try fixture.reopen(vault)
        }
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
    }

    /// Growing and shrinking across the border between a row of its own and chunks.
    @Test(arguments: [(10, 2000), (2000, 10), (1024, 1025), (1025, 1024), (65536, 65537), (70000, 0), (200_000, 66000)])
    func resizing(from: Int, to: Int) throws {
        let fixture = try Fixture()
        var generator = Randomness(seed: UInt64(from))
        let content = generator.bytes(from)
        let vault = try fixture.create()
        let node = try vault.save("a", content)
        try vault.resize(node, to: to)
        let expected = Array(content.prefix(to)) + [UInt8](repeating: 0, count: max(0, to - from))
        #expect(try vault.bytes(node) == expected)
        try vault.resize(node, to: from)
        let cut = Array(content.prefix(min(from, to))) + [UInt8](repeating: 0, count: max(0, from - to))
        #expect(try vault.bytes(node) == cut)
        let again = try fixture.reopen(vault)
        #expect(try again.bytes("a") == cut, "what was cut off does not come back")
        try again.close()
    }

    /// Writes, truncations, gaps and reads at random against an array, closed and reopened in between.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func randomSequence(seed: UInt64) throws {
        let fixture = try Fixture()
        var generator = Randomness(seed: seed)
        var model: [UInt8] = []
        var vault = try fixture.create()
        var node = try vault.make("a")
        // Small files, chunked files, and files around the border of both.
        let reach = [3000, 300_000, 140_000, 1500][Int(seed) % 4]
        for step in 0..<400 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                let offset = Int.random(in: 0..<reach, using: &generator)
                let bytes = generator.bytes(.random(in: 1...min(70_000, reach), using: &generator))
                try vault.overwrite(node, at: UInt64(offset), bytes)
                let end = offset + bytes.count
                if model.count < end { model += [UInt8](repeating: 0, count: end - model.count) }
                model.replaceSubrange(offset..<end, with: bytes)
            case 4..<6:
                let size = Int.random(in: 0..<reach, using: &generator)
                try vault.resize(node, to: size)
                if size <= model.count {
                    model.removeLast(model.count - size)
                } else {
                    model += [UInt8](repeating: 0, count: size - model.count)
                }
            case 6 where step % 7 == 0:
                let start = Int.random(in: 0..<reach, using: &generator)
                let length = Int.random(in: 1..<reach, using: &generator)
                try vault.allocate(node, offset: UInt64(start), length: UInt64(length), mode: [.keepSize, .punchHole])
                for index in start..<min(start + length, max(start, model.count)) { model[index] = 0 }
            case 7 where step % 10 == 0:
                vault = try fixture.reopen(vault)
                node = try vault.find("a")
            default:
                let offset = Int.random(in: 0..<reach, using: &generator)
                let count = Int.random(in: 1..<reach, using: &generator)
                let expected = offset < model.count ? Array(model[offset..<min(model.count, offset + count)]) : []
                #expect(try vault.bytes(node, from: offset, count: count) == expected, "seed \(seed), step \(step)")
            }
            #expect(try vault.attributes(of: node).size == UInt64(model.count))
        }
        #expect(try vault.bytes(node) == model)
        vault = try fixture.reopen(vault)
        #expect(try vault.bytes("a") == model)
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
    }

    /// One open file, many writes, nothing flushed between them: what is only in memory is read, too.
    @Test func unflushedWrites() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let node = try vault.save("a", [UInt8](repeating: 1, count: 100_000))
        try vault.opened(node, writing: true, truncate: false)
        try vault.write(node, offset: 65_530, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2].raw)
        try vault.resize(node, to: 65_535)
        try vault.write(node, offset: 200_000, [3].raw)
        var expected = [UInt8](repeating: 1, count: 65_530) + [2, 2, 2, 2, 2]
        expected += [UInt8](repeating: 0, count: 200_000 - expected.count) + [3]
        #expect(try vault.bytes(node) == expected)
        vault.closed(node, writing: true)
        let again = try fixture.reopen(vault)
        #expect(try again.bytes("a") == expected)
        try again.close()
    }

    @Test func readersSeeAnUnlinkedFile() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let node = try vault.save("a", [UInt8](repeating: 7, count: 100_000))
        try vault.opened(node, writing: false, truncate: false)
        try vault.unlink("a")
        #expect(try vault.bytes(node).count == 100_000)
        try vault.save("a", "another file")
        #expect(try vault.bytes(node).count == 100_000)
        vault.closed(node, writing: false)
        let again = try fixture.reopen(vault)
        #expect(try again.text("a") == "another file")
        #expect(try again.verify { _, _ in }.damage.isEmpty)
        try again.close()
    }

    @Test func limits() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let node = try vault.make("a")
        #expect(throws: Errno.fileTooLarge) { try vault.write(node, offset: Limits.fileSize, [1].raw) }
        #expect(throws: Errno.fileTooLarge) { try vault.write(node, offset: .max, [1].raw) }
        #expect(throws: Errno.fileTooLarge) { try vault.resize(node, to: Int(Limits.fileSize) + 1) }
        #expect(throws: Errno.invalidArgument) { try vault.allocate(node, offset: 0, length: 0, mode: []) }
        #expect(throws: Errno.notSupported) {
            try vault.allocate(node, offset: 0, length: 1, mode: .init(rawValue: 8))
        }
        #expect(throws: Errno.isDirectory) { try vault.resize(.root, to: 1) }
        try vault.allocate(node, offset: 10, length: 90, mode: [])
        #expect(try vault.bytes(node) == [UInt8](repeating: 0, count: 100))
        try vault.close()
    }

    /// Vim's swap files live in memory: nothing of them is in the store, not even a row.
    @Test func swapFilesStayInMemory() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let before = try fixture.rowCounts()
        let vault = try fixture.open()
        for name in [".a.swp", ".a.swx", ".a.swpx", ".a.swo"] {
            let node = try vault.save(name, [UInt8](repeating: 5, count: 20_000))
            #expect(try vault.bytes(node).count == 20_000)
            try vault.synchronize(node)
        }
        try vault.unlink(".a.swx")
        #expect(throws: Errno.noSuchFileOrDirectory) { try vault.find(".a.swx") }
        #expect(throws: Errno.notPermitted) { try vault.link(vault.find(".a.swp"), "lasting") }
        try vault.synchronizeAll()
        try vault.close()
        #expect(try fixture.rowCounts() == before)
        let again = try fixture.open()
        #expect(try again.names() == ["a"])
        try again.close()
    }

    /// A swap file that gets a lasting name lasts: `vim -r` and `mv` do this.
    @Test func renamedSwapFileIsKept() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let content = [UInt8](repeating: 5, count: 70_000)
        try vault.save(".a.swp", content)
        try vault.move(".a.swp", to: "kept")
        let again = try fixture.reopen(vault)
        #expect(try again.bytes("kept") == content)
        #expect(try again.names() == ["kept"])
        try again.close()
    }
}
