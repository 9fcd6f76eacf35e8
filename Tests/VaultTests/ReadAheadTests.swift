import Format
import SystemPackage
import Testing
import Vault

/// What is made ready before it is asked for is what reading would have given.
@Suite struct ReadAheadTests {
    @Test func smallFileIsReadAheadOnce() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "first") }
        let vault = try fixture.open()
        let node = try vault.find("a")
        try vault.opened(node, writing: false, truncate: false)
        vault.prepareToRead(node)
        #expect(try vault.bytes(node, from: 1, count: 3) == Array("irs".utf8))
        #expect(try vault.bytes(node) == Array("first".utf8))
        vault.closed(node, writing: false)
        try vault.close()
    }

    @Test func aSaveAfterReadingAheadIsSeen() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "first") }
        let vault = try fixture.open()
        let node = try vault.find("a")
        try vault.opened(node, writing: false, truncate: false)
        vault.prepareToRead(node)
        try vault.save("a", "later")
        #expect(try vault.text("a") == "later")
        vault.closed(node, writing: false)
        try vault.close()
    }

    @Test func whatWasReadAheadIsNoOtherFiles() throws {
        let fixture = try Fixture()
        try fixture.fill {
            try $0.save("a", "of a")
            try $0.save("b", "of b")
        }
        let vault = try fixture.open()
        let (a, b) = (try vault.find("a"), try vault.find("b"))
        for node in [a, b] { try vault.opened(node, writing: false, truncate: false) }
        vault.prepareToRead(a)
        #expect(try vault.text("b") == "of b")
        vault.prepareToRead(b)
        #expect(try vault.text("a") == "of a")
        for node in [a, b] { vault.closed(node, writing: false) }
        try vault.close()
    }

    /// Parts of a large file, in order as the kernel asks for them, with changes in between.
    @Test(arguments: [65536, 131_072, 200_000]) func largeFileFromFrontToBack(part: Int) throws {
        let fixture = try Fixture()
        var generator = Randomness(seed: UInt64(part))
        var content = generator.bytes(3_000_001)
        let vault = try fixture.create()
        let node = try vault.save("big", content)
        try vault.opened(node, writing: false, truncate: false)
        for round in 0..<4 {
            var offset = 0
            while offset < content.count {
                #expect(try vault.bytes(node, from: offset, count: part) == Array(content[offset...].prefix(part)))
                vault.prepareToRead(node, after: UInt64(offset), count: part)
                offset += part
                // What was read ahead is behind this place, and now old.
                if round > 0, offset + 4 * part < content.count, offset / part % 3 == 0 {
                    let change = generator.bytes(part)
                    try vault.overwrite(node, at: UInt64(offset + part), change)
                    content.replaceSubrange((offset + part)..<(offset + 2 * part), with: change)
                }
            }
            if round == 2 {
                content.removeLast(700_000)
                try vault.resize(node, to: content.count)
            }
        }
        vault.closed(node, writing: false)
        try vault.close()
    }
}
