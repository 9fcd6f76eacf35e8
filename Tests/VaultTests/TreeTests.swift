import Format
import Sealing
import SystemPackage
import Testing
import Vault

/// Names, directories and links, as a local file system has them.
@Suite struct TreeTests {
    /// Runs `body` on a new vault, then `check` on it and again after reopening.
    private func checked(_ body: (Vault) throws -> Void, then check: (Vault) throws -> Void) throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try body(vault)
        try check(vault)
        let again = try fixture.reopen(vault)
        try check(again)
        #expect(try again.verify { _, _ in }.damage.isEmpty)
        try again.close()
    }

    @Test func directories() throws {
        try checked { vault in
            let mail = try vault.makeDirectory("mail")
            let old = try vault.makeDirectory("old", in: mail)
            try vault.save("gmail", "a", in: mail)
            try vault.save("gmail", "b", in: old)
        } then: { (vault: Vault) throws in
            let mail = try vault.find("mail")
            #expect(try vault.names() == ["mail"])
            #expect(try vault.names(in: mail).sorted() == ["gmail", "old"])
            #expect(try vault.text("gmail", in: mail) == "a")
            #expect(try vault.text("gmail", in: vault.node(at: ["mail", "old"].map { Array($0.utf8) })) == "b")
            #expect(try vault.attributes(of: .root).links == 3)
            #expect(try vault.attributes(of: mail).links == 3)
            #expect(vault.parent(of: mail) == .root)
            #expect(throws: Errno.fileExists) { try vault.makeDirectory("mail") }
            #expect(throws: Errno.fileExists) { try vault.make("gmail", in: mail) }
            #expect(throws: Errno.directoryNotEmpty) { try vault.removeDirectory("mail") }
            #expect(throws: Errno.isDirectory) { try vault.unlink("mail") }
            #expect(throws: Errno.notDirectory) { try vault.removeDirectory("gmail", in: mail) }
            #expect(throws: Errno.notDirectory) { try vault.make("x", in: vault.find("gmail", in: mail)) }
            #expect(throws: Errno.noSuchFileOrDirectory) { try vault.removeDirectory("nothing") }
            #expect(throws: Errno.noSuchFileOrDirectory) { try vault.unlink("nothing") }
            #expect(throws: Errno.noSuchFileOrDirectory) { try vault.find("nothing") }
        }
    }

    @Test func removing() throws {
        try checked { vault in
            let directory = try vault.makeDirectory("d")
            try vault.save("a", "text", in: directory)
            try vault.unlink("a", in: directory)
            try vault.removeDirectory("d")
            #expect(throws: Errno.self) { try vault.make("late", in: directory) }
            try vault.save("b", "text")
            try vault.unlink("b")
        } then: { (vault: Vault) throws in
            #expect(try vault.names().isEmpty)
            #expect(try vault.attributes(of: .root).links == 2)
        }
    }

    @Test func namesOfAllKinds() throws {
        let names = [
            "a", " ", "-", "...", "line\nbreak", "caf\u{E9}", "cafe\u{301}", "\u{1F511}", "A",
            String(repeating: "n", count: 255), "%s", "'", "\"; DROP TABLE entry; --",
        ]
        try checked { vault in
            for name in names { try vault.save(name, name) }
            #expect(throws: Errno.fileNameTooLong) { try vault.make(String(repeating: "n", count: 256)) }
            #expect(throws: Errno.self) { try vault.make("") }
        } then: { (vault: Vault) throws in
            #expect(Set(try vault.names()) == Set(names))
            for name in names { #expect(try vault.text(name) == name) }
        }
    }

    /// Bytes that are no UTF-8 are a name, too.
    @Test func namesThatAreNoText() throws {
        let name: [UInt8] = [0xFF, 0xFE, 0x80]
        try checked { vault in
            _ = try vault.makeNode(
                name.raw, in: .root, mode: FileType.regular | 0o600, owner: Vault.me, device: 0, remember: false)
        } then: { (vault: Vault) throws in
            let node = try vault.lookup(name.raw, in: .root, remember: false).0
            #expect(try vault.bytes(node).isEmpty)
        }
    }

    @Test func manyEntries() throws {
        try checked { vault in
            for number in 0..<1000 { try vault.make("\(number)") }
            for number in stride(from: 0, to: 1000, by: 3) { try vault.unlink("\(number)") }
        } then: { (vault: Vault) throws in
            let expected = (0..<1000).filter { $0 % 3 != 0 }.map(String.init)
            #expect(Set(try vault.names()) == Set(expected))
            #expect(vault.statistics().entries == expected.count)
            for name in expected { #expect(vault.exists(name)) }
            #expect(!vault.exists("0"))
        }
    }

    /// A reader that stops and comes back meets each entry once, whatever goes meanwhile.
    @Test func readingADirectoryInParts() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        for number in 0..<100 { try vault.make("\(number)") }
        var (seen, cookie): ([String], UInt64) = ([], 0)
        while true {
            var taken = 0
            try vault.readDirectory(.root, after: cookie, remember: false) { name, _, _, _, next in
                guard taken < 7 else { return false }
                #expect(next > cookie)
                (taken, cookie) = (taken + 1, next)
                seen.append(String(decoding: name.copied, as: UTF8.self))
                return true
            }
            if taken == 0 { break }
            if let last = seen.last { try vault.unlink(last) }
        }
        #expect(seen == (0..<100).map(String.init))
        try vault.close()
    }

    // MARK: Rename

    @Test func renaming() throws {
        try checked { vault in
            let (from, to) = (try vault.makeDirectory("from"), try vault.makeDirectory("to"))
            let node = try vault.save("a", "1", in: from)
            let inode = try vault.attributes(of: node).inode
            try vault.move("a", in: from, to: "b", into: to)
            #expect(try vault.attributes(of: vault.find("b", in: to)).inode == inode)
            try vault.makeDirectory("sub", in: from)
            try vault.move("sub", in: from, to: "sub", into: to)
        } then: { (vault: Vault) throws in
            #expect(try vault.names(in: vault.find("from")).isEmpty)
            #expect(try vault.text("b", in: vault.find("to")) == "1")
            #expect(try vault.attributes(of: vault.find("from")).links == 2)
            #expect(try vault.attributes(of: vault.find("to")).links == 3)
            #expect(
                vault.parent(of: try vault.node(at: ["to", "sub"].map { Array($0.utf8) })) == (try vault.find("to")))
        }
    }

    @Test func renamingOver() throws {
        try checked { vault in
            try vault.save("a", "new")
            try vault.save("b", "old")
            try vault.move("a", to: "b")
            try vault.makeDirectory("full")
            try vault.save("x", "1", in: vault.find("full"))
            try vault.makeDirectory("empty")
            try vault.makeDirectory("moved")
            try vault.move("moved", to: "empty")
        } then: { (vault: Vault) throws in
            #expect(Set(try vault.names()) == ["b", "full", "empty"])
            #expect(try vault.text("b") == "new")
            #expect(try vault.attributes(of: .root).links == 4)
            #expect(throws: Errno.directoryNotEmpty) { try vault.move("empty", to: "full") }
            #expect(throws: Errno.isDirectory) { try vault.move("b", to: "empty") }
            #expect(throws: Errno.notDirectory) { try vault.move("empty", to: "b") }
            #expect(throws: Errno.noSuchFileOrDirectory) { try vault.move("nothing", to: "c") }
            #expect(throws: Errno.invalidArgument) {
                try vault.move("full", to: "inside", into: vault.find("full"))
            }
            try vault.move("b", to: "b")
        }
    }

    @Test func noReplace() throws {
        try checked { vault in
            try vault.save("a", "1")
            try vault.save("b", "2")
            #expect(throws: Errno.fileExists) { try vault.move("a", to: "b", flags: .noReplace) }
            try vault.move("a", to: "c", flags: .noReplace)
            #expect(throws: Errno.invalidArgument) { try vault.move("c", to: "d", flags: .init(rawValue: 4)) }
            #expect(throws: Errno.invalidArgument) { try vault.move("c", to: "d", flags: [.noReplace, .exchange]) }
        } then: { (vault: Vault) throws in
            #expect(Set(try vault.names()) == ["b", "c"])
            #expect(try vault.text("b") == "2" && vault.text("c") == "1")
        }
    }

    @Test func exchange() throws {
        try checked { vault in
            let directory = try vault.makeDirectory("d")
            try vault.save("a", "1")
            try vault.save("b", "2", in: directory)
            try vault.save("inside", "3", in: vault.makeDirectory("e", in: directory))
            try vault.move("a", to: "b", into: directory, flags: .exchange)
            try vault.save("c", "4")
            try vault.move("c", to: "e", into: directory, flags: .exchange)
            #expect(throws: Errno.noSuchFileOrDirectory) { try vault.move("a", to: "nothing", flags: .exchange) }
            #expect(throws: Errno.invalidArgument) { try vault.move("d", to: "b", into: directory, flags: .exchange) }
            #expect(throws: Errno.invalidArgument) { try vault.move("b", in: directory, to: "d", flags: .exchange) }
        } then: { (vault: Vault) throws in
            let directory = try vault.find("d")
            #expect(try vault.text("a") == "2" && vault.text("b", in: directory) == "1")
            #expect(try vault.text("e", in: directory) == "4")
            #expect(try vault.text("inside", in: vault.find("c")) == "3")
            #expect(vault.parent(of: try vault.find("c")) == .root)
            #expect(try vault.attributes(of: directory).links == 2)
            #expect(try vault.attributes(of: .root).links == 4)
        }
    }

    // MARK: Links

    @Test func hardLinks() throws {
        try checked { vault in
            let node = try vault.save("a", "1")
            #expect(try vault.link(node, "b").links == 2)
            try vault.link(node, "c")
            try vault.unlink("a")
            try vault.save("b", "changed")
            #expect(throws: Errno.fileExists) { try vault.link(node, "b") }
            #expect(throws: Errno.notPermitted) { try vault.link(vault.makeDirectory("d"), "e") }
            try vault.removeDirectory("d")
        } then: { (vault: Vault) throws in
            #expect(Set(try vault.names()) == ["b", "c"])
            #expect(try vault.text("c") == "changed")
            let (b, c) = (try vault.attributes(of: vault.find("b")), try vault.attributes(of: vault.find("c")))
            #expect(b == c && b.links == 2)
        }
    }

    @Test func otherKinds() throws {
        let target = [UInt8](repeating: 0x74, count: Limits.symbolicLinkLength)
        try checked { vault in
            _ = try vault.makeSymbolicLink(
                Array("link".utf8).raw, in: .root, target: target.raw, owner: Vault.me, remember: false)
            try vault.make("fifo", mode: FileType.fifo | 0o644)
            try vault.make("socket", mode: FileType.socket | 0o600)
            _ = try vault.makeNode(
                Array("device".utf8).raw, in: .root, mode: FileType.character | 0o600, owner: Vault.me,
                device: 0x0103, remember: false)
            let longer = target + [0x74]
            #expect(throws: Errno.fileNameTooLong) {
                _ = try vault.makeSymbolicLink(
                    Array("longer".utf8).raw, in: .root, target: longer.raw, owner: Vault.me, remember: false)
            }
        } then: { (vault: Vault) throws in
            let link = try vault.find("link")
            #expect(try vault.symbolicLinkTarget(of: link).withBytes { $0.copied } == target)
            #expect(try vault.attributes(of: link).size == UInt64(target.count))
            #expect(try vault.attributes(of: vault.find("fifo")).mode == FileType.fifo | 0o644)
            #expect(try vault.attributes(of: vault.find("socket")).mode == FileType.socket | 0o600)
            #expect(try vault.attributes(of: vault.find("device")).device == 0x0103)
            #expect(throws: Errno.invalidArgument) { _ = try vault.symbolicLinkTarget(of: .root).count }
        }
    }

    // MARK: Attributes

    @Test func attributes() throws {
        var before: Attributes?
        try checked { vault in
            let node = try vault.save("a", "text")
            var changes = AttributeChanges()
            (changes.mode, changes.owner, changes.group) = (0o4755, 12, 34)
            changes.accessed = Timestamp(seconds: -5, nanoseconds: 6)
            changes.modified = Timestamp(seconds: 1 << 33, nanoseconds: 999_999_999)
            before = try vault.setAttributes(of: node, changes)
        } then: { (vault: Vault) throws in
            let now = try vault.attributes(of: vault.find("a"))
            #expect(now == before)
            #expect(now.mode == FileType.regular | 0o4755 && now.owner == 12 && now.group == 34)
            #expect(now.accessed == Timestamp(seconds: -5, nanoseconds: 6))
            #expect(now.modified == Timestamp(seconds: 1 << 33, nanoseconds: 999_999_999))
        }
    }

    @Test func inodeNumbersAreNeverUsedAgain() throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        var seen = Set<UInt64>()
        for round in 0..<20 {
            let inode = try vault.attributes(of: vault.save("a", "\(round)")).inode
            #expect(seen.insert(inode).inserted)
            try vault.unlink("a")
            if round % 7 == 6 { vault = try fixture.reopen(vault) }
        }
        try vault.close()
    }

    @Test func extendedAttributes() throws {
        let noData = Errno(rawValue: 61)
        func key(_ name: String) -> [UInt8] { Array("user.\(name)".utf8) }
        func set(_ vault: Vault, _ name: String, _ value: [UInt8], _ flag: Vault.AttributeFlag = .any) throws {
            try vault.setExtendedAttribute(key(name).raw, to: value.raw, of: vault.find("a"), flag: flag)
        }
        func get(_ vault: Vault, _ name: String) throws -> [UInt8] {
            try vault.extendedAttribute(key(name).raw, of: vault.find("a")).withBytes { $0.copied }
        }
        try checked { vault in
            let node = try vault.save("a", "text")
            try set(vault, "one", [1, 0, 2])
            try set(vault, "two", [], .create)
            try set(vault, "one", [3], .replace)
            try set(vault, "gone", [4])
            try vault.removeExtendedAttribute(key("gone").raw, of: node)
            #expect(throws: Errno.fileExists) { try set(vault, "one", [5], .create) }
            #expect(throws: noData) { try set(vault, "three", [5], .replace) }
            #expect(throws: noData) { try vault.removeExtendedAttribute(key("gone").raw, of: node) }
            #expect(throws: Errno.notSupported) {
                try vault.setExtendedAttribute(Array("security.x".utf8).raw, to: [1].raw, of: node, flag: .any)
            }
            #expect(throws: Errno.noSpace) {
                try set(vault, "big", .init(repeating: 1, count: Limits.extendedAttributes))
            }
            let tooMuch = [UInt8](repeating: 1, count: Limits.extendedAttributes + 1)
            #expect(throws: Errno.argListTooLong) { try set(vault, "big", tooMuch) }
        } then: { (vault: Vault) throws in
            #expect(try get(vault, "one") == [3])
            #expect(try get(vault, "two").isEmpty)
            #expect(throws: noData) { try get(vault, "gone") }
            let names = try vault.extendedAttributeNames(of: vault.find("a")).withBytes { $0.copied }
            #expect(names == key("one") + [0] + key("two") + [0])
            #expect(try vault.text("a") == "text")
        }
    }
}
