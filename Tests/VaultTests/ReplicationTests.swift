import Format
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// What programs do in one copy of a vault comes into the other, sealed as it is.
@Suite struct ReplicationTests {
    @Test func everyKindOfChange() throws {
        let pair = try ReplicaPair()
        let (vault, other) = (pair.first, pair.second)
        let directory = try vault.makeDirectory("d")
        try vault.save("a", "one")
        try vault.save("b", "two", in: directory)
        _ = try vault.makeSymbolicLink(
            Array("l".utf8).raw, in: .root, target: Array("d/b".utf8).raw, owner: Vault.me, remember: false)
        try vault.make("fifo", mode: FileType.fifo | 0o600)
        try vault.make("empty")
        try pair.exchange()
        #expect(try other.text("b", in: other.find("d")) == "two")

        // In place, by renaming, there and back.
        try vault.save("a", "one more")
        try other.replaceByRenaming("empty", "no more")
        try pair.exchange()
        try other.replaceByRenaming("a", "another one")
        try pair.exchange()
        #expect(try vault.versions(of: vault.find("a")) == ["one more", "one"])
        try vault.overwrite(vault.find("a"), at: 0, Array("x".utf8))
        try pair.exchange()
        #expect(try other.text("a") == "xnother one")

        // Names.
        try vault.move("a", to: "c")
        try pair.exchange()
        try other.move("c", to: "e", into: other.find("d"))
        try other.move("d", to: "dd")
        try pair.exchange()
        try vault.link(vault.find("e", in: vault.find("dd")), "hard")
        try pair.exchange()
        #expect(try other.attributes(of: other.find("hard")).links == 2)
        try other.save("hard", "through the other name")
        try pair.exchange()
        #expect(try vault.text("e", in: vault.find("dd")) == "through the other name")
        try vault.move("hard", to: "empty", flags: .exchange)
        try pair.exchange()

        // Attributes.
        var changes = AttributeChanges()
        (changes.mode, changes.modified) = (0o640, Timestamp(seconds: 5, nanoseconds: 6))
        try other.setAttributes(of: other.find("hard"), changes)
        try vault.setExtendedAttribute(
            Array("user.x".utf8).raw, to: [1, 2, 3].raw, of: vault.find("dd"), flag: .any)
        try pair.exchange()
        try pair.reopen()
        try pair.check()
        try pair.close()
    }

    @Test func removalAndReturn() throws {
        let pair = try ReplicaPair { vault in
            try vault.save("a", "one")
            let directory = try vault.makeDirectory("d")
            try vault.save("b", "two", in: directory)
        }
        try pair.exchange()
        try pair.first.unlink("a")
        try pair.second.unlink("b", in: pair.second.find("d"))
        try pair.exchange()
        try pair.second.removeDirectory("d")
        try pair.exchange()
        #expect(try pair.first.names() == [])
        #expect(pair.second.statistics().trash == 3)
        // What comes back goes on with its history, on both sides.
        try pair.second.save("a", "one again")
        try pair.exchange()
        #expect(try pair.first.versions(of: pair.first.find("a")) == ["one"])
        try pair.reopen()
        try pair.first.save("a", "and again")
        try pair.first.unlink("a")
        try pair.first.save("a", "and again!")
        try pair.exchange()
        try pair.close()
    }

    /// A file that no segment has carried needs no removal in one, and local names never leave.
    @Test func whatNobodyHasHeardOf() throws {
        let pair = try ReplicaPair { try $0.save("a", "one") }
        try pair.exchange()
        pair.carried = []
        try pair.first.save("temporary", "x")
        try pair.first.unlink("temporary")
        try pair.first.replaceByRenaming("a", "two")
        try pair.first.save("4913", "probe")
        let trash = try pair.first.makeDirectory(".Trash-1000")
        try pair.first.save("gone", "never seen", in: trash)
        try pair.push(from: 0, to: 1)
        #expect(pair.carried.count == 1)
        let removals = pair.carried.flatMap { $0 }.filter { if case .removal = $0 { true } else { false } }
        #expect(removals.isEmpty)
        #expect(try pair.second.names() == ["a"])
        // Out of the desktop's trash, and back.
        try pair.first.move("gone", in: trash, to: "found")
        try pair.push(from: 0, to: 1)
        #expect(try pair.second.text("found") == "never seen")
        try pair.first.move("found", to: "gone", into: trash)
        try pair.push(from: 0, to: 1)
        #expect(!pair.second.exists("found"))
        try pair.first.move("4913", to: "name")
        try pair.push(from: 0, to: 1)
        #expect(try pair.second.text("name") == "probe")
        try pair.first.makeDirectory("full")
        try pair.first.save("x", "x", in: pair.first.find("full"))
        #expect(throws: Errno.improperLink) { try pair.first.move("full", to: "full", into: trash) }
        try pair.close()
    }

    @Test func backups() throws {
        let pair = try ReplicaPair { try $0.save("a", "one") }
        try pair.exchange()
        for (number, source) in [(2, 0), (3, 1), (4, 0)] {
            let vault = pair.vaults[source]
            try vault.move("a", to: "a~")
            try vault.save("a", "\(number)")
            try vault.unlink("a~")
            try pair.exchange()
        }
        #expect(try pair.second.versions(of: pair.second.find("a")) == ["3", "2", "one"])
        // One that stays is a file of this device's, until it gets another name.
        try pair.first.move("a", to: "a~")
        try pair.first.save("a", "5")
        try pair.push(from: 0, to: 1)
        #expect(try pair.second.text("a") == "5" && pair.second.names() == ["a"])
        try pair.first.move("a~", to: "old")
        try pair.exchange()
        #expect(try pair.second.text("old") == "4")
        try pair.close()
    }

    @Test func largeContents() throws {
        var random = Randomness(seed: 7)
        let bytes = random.bytes(1_200_000)
        let pair = try ReplicaPair { vault in
            try vault.save("large", bytes)
            try vault.save("chunk", Array(bytes[..<5000]))
            let sparse = try vault.make("sparse")
            try vault.resize(sparse, to: 3_000_000)
            try vault.overwrite(sparse, at: 1_000_000, Array("island".utf8))
        }
        try pair.exchange()
        #expect(try pair.second.bytes("large") == bytes)
        // One chunk of many: the others are there already, on both sides.
        try pair.second.overwrite(pair.second.find("large"), at: 300_000, Array("edited".utf8))
        try pair.exchange()
        try pair.first.overwrite(pair.first.find("large"), at: 900_000, Array("edited".utf8))
        try pair.first.resize(pair.first.find("sparse"), to: 1_000_002)
        try pair.exchange()
        try pair.reopen()
        for number in 0..<70 {
            let source = number % 2
            try pair.vaults[source].overwrite(
                pair.vaults[source].find("large"), at: UInt64(number * 10_000), Array("\(number)".utf8))
            try pair.push(from: source, to: 1 - source)
        }
        try pair.check()
        try pair.first.unlink("large")
        try pair.exchange()
        try pair.close()
    }

    /// Segments are cut anywhere, and vaults are closed in between.
    @Test func inParts() throws {
        let pair = try ReplicaPair { vault in
            var directory = Node.root
            for depth in 0..<6 {
                directory = try vault.makeDirectory("d\(depth)", in: directory)
                for number in 0..<5 { try vault.save("f\(number)", "\(depth) \(number)", in: directory) }
            }
            // Its entry is younger than what is in it.
            try vault.move("d0", to: "top")
        }
        let changes = try pair.first.replicate(translating: { $0 }) { (transaction) throws(Errno) in
            let changes = try transaction.ownChanges(atMost: 1000)
            try transaction.endSegment()
            return changes
        }
        try ReplicaPair.pull(changes, from: pair.first, into: pair.second)
        try pair.reopen()
        try pair.exchange(atMost: 1)
        #expect(pair.carried.count > 10)
        pair.carried = []
        try pair.exchange()
        #expect(pair.carried.isEmpty)
        try pair.close()
    }
}
