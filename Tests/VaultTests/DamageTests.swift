import Format
import Foundation
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// Attack 10: a row that is deleted, swapped, doubled or rolled back is found, and costs nothing but itself.
@Suite struct DamageTests {
    enum Tampering: String, CaseIterable, Sendable {
        case delete, swap, duplicate, rollBack, flipBody, flipSeal, malformSeal
    }

    static let tables = ["entry", "file", "chunk", "version", "operation"]
    static let count = 300

    /// Entries in a directory: most in their rows, each tenth in chunks; each fifth has an earlier version.
    private static func content(_ number: Int) -> [UInt8] {
        Array(String(repeating: "content \(number) ", count: number % 10 == 0 ? 200 : 3).utf8)
    }

    /// An SQL expression: the column with one byte, counted from 1, that is another than before. One fixed value would
    /// change nothing in one ciphertext of 256.
    private static func changed(_ column: String, byte: Int) -> String {
        "CAST(substr(\(column), 1, \(byte - 1)) || CASE substr(\(column), \(byte), 1) WHEN x'00' THEN x'01' ELSE x'00' END "
            + "|| substr(\(column), \(byte + 1)) AS BLOB)"
    }

    /// What tests begin with: the file, an older copy of it in which rows that still exist are older, and the slots
    /// of two ordinary files and their entries.
    private struct Sample {
        let fixture: Fixture
        var slots: [String: [Int64]] = [:]

        init() throws {
            fixture = try Fixture()
            var vault = try fixture.create()
            let directory = try vault.makeDirectory("d")
            for number in 0..<DamageTests.count {
                if number % 5 == 0 { try vault.save("\(number)", "earlier \(number)", in: directory) }
                try vault.save("\(number)", DamageTests.content(number), in: directory)
            }
            try vault.close()
            try fixture.keepCopy()
            vault = try fixture.open()
            let parent = try vault.find("d")
            for number in [7, 8] {
                let node = try vault.find("\(number)", in: parent)
                var changes = AttributeChanges()
                changes.mode = 0o640
                try vault.setAttributes(of: node, changes)
                try vault.move("\(number)", in: parent, to: "x", into: parent)
                try vault.move("x", in: parent, to: "\(number)", into: parent)
                vault.tree.withLock { tree in
                    let inode = tree.inode(at: UInt32(node.rawValue))
                    slots["file", default: []].append(inode.slot)
                    if let found = tree.find(Array("\(number)".utf8).raw, in: parent) {
                        slots["entry", default: []].append(tree.dentry(at: found).slot)
                    }
                }
            }
            try vault.close()
            for table in ["chunk", "version", "operation"] {
                slots[table] = try fixture.query("SELECT slot || '' FROM \(table) ORDER BY slot LIMIT 2")
                    .compactMap { Int64($0) }
            }
        }

        func tamper(_ kind: Tampering, _ table: String) throws {
            let slots = try #require(self.slots[table])
            let (one, two) = (slots[0], slots[1])
            let columns = table == "file" || table == "version" ? "seal, body, content" : "seal, body"
            let sql =
                switch kind {
                case .delete: "DELETE FROM \(table) WHERE slot = \(one)"
                case .swap:
                    "CREATE TEMP TABLE t AS SELECT * FROM \(table) WHERE slot IN (\(one), \(two)); "
                        + "UPDATE \(table) SET (\(columns)) = (SELECT \(columns) FROM t WHERE t.slot = "
                        + "CASE \(table).slot WHEN \(one) THEN \(two) ELSE \(one) END) WHERE slot IN (\(one), \(two))"
                case .duplicate:
                    "INSERT INTO \(table) (slot, \(columns)) SELECT 12345678, \(columns) FROM \(table) WHERE slot = \(one)"
                case .rollBack:
                    "ATTACH '\(fixture.directory.appending("older").string)' AS old; "
                        + "UPDATE main.\(table) SET (\(columns)) = (SELECT \(columns) FROM old.\(table) o "
                        + "WHERE o.slot = \(one)) WHERE slot = \(one)"
                case .flipBody:
                    "UPDATE \(table) SET body = \(DamageTests.changed("body", byte: 10)) WHERE slot = \(one)"
                case .flipSeal:
                    "UPDATE \(table) SET seal = \(DamageTests.changed("seal", byte: 40)) WHERE slot = \(one)"
                case .malformSeal: "UPDATE \(table) SET seal = x'0102' WHERE slot = \(one)"
                }
            try fixture.sql(sql + ";")
        }

        /// The numbers of the entries that are there with the right content. A wrong one is an issue.
        ///
        /// - Parameter isAccepted: entries whose content was lost may be back at their earlier version.
        func intact(_ vault: Vault, isAccepted: Bool = false) throws -> Set<Int> {
            guard let directory = try? vault.find("d") else { return [] }
            var intact = Set<Int>()
            for number in 0..<DamageTests.count {
                guard let bytes = try? vault.bytes("\(number)", in: directory) else { continue }
                if isAccepted, bytes == Array("earlier \(number)".utf8) { continue }
                #expect(bytes == DamageTests.content(number), "entry \(number)")
                intact.insert(number)
            }
            return intact
        }
    }

    /// Rows that no later change writes again have no older form; a body alone is not read before it is used.
    private static func applies(_ kind: Tampering, _ table: String) -> Bool {
        switch kind {
        case .rollBack: ["entry", "file"].contains(table)
        case .flipBody: ["entry", "file"].contains(table)
        default: true
        }
    }

    @Test(arguments: Tampering.allCases, tables) func tamperedRow(_ kind: Tampering, _ table: String) throws {
        guard Self.applies(kind, table) else { return }
        let sample = try Sample()
        if let refusal = try sample.fixture.refusal() { Issue.record("\(refusal)") }
        let before = try sample.fixture.bytes()
        try sample.tamper(kind, table)
        #expect(try sample.fixture.bytes() != before)
        guard case .damaged(let damage)? = try sample.fixture.refusal(), !damage.isEmpty else {
            Issue.record("\(kind) in \(table) was not found")
            return
        }
        let vault = try sample.fixture.open(tolerateDamage: true)
        #expect(vault.isReadOnly && !vault.damage.isEmpty)
        #expect(throws: Errno.readOnlyFileSystem) { try vault.make("new") }
        let lost = Self.count - (try sample.intact(vault)).count
        #expect(lost <= (kind == .swap ? 2 : 1), "\(lost) entries do not read")
        #expect(try !vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
        // Opening regardless changed nothing: the alarm stays.
        let refusal = try sample.fixture.refusal()
        guard case .damaged? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
    }

    /// Accepting makes it writable again, and no intact entry is lost by it, also not at the next opening.
    @Test(arguments: [Tampering.delete, .swap, .duplicate, .flipSeal, .malformSeal], tables)
    func accepting(_ kind: Tampering, _ table: String) throws {
        let sample = try Sample()
        let fixture = sample.fixture
        try sample.tamper(kind, table)
        let damaged = try fixture.open(tolerateDamage: true)
        let intact = try sample.intact(damaged)
        try damaged.close()
        _ = try Vault.acceptDamage(at: fixture.file, password: .init(Fixture.password), stateDirectory: fixture.state)
        for round in 0..<2 {
            let vault = try fixture.open()
            #expect(!vault.isReadOnly && vault.damage.isEmpty)
            #expect(try sample.intact(vault, isAccepted: true).isSuperset(of: intact), "round \(round)")
            try vault.save("new", "text \(round)")
            #expect(try vault.text("new") == "text \(round)")
            #expect(try vault.verify { _, _ in }.damage.isEmpty, "round \(round)")
            try vault.close()
        }
    }

    /// What only these rows say is made anew from the others.
    @Test(arguments: ["root", "top directory"]) func acceptingTheLossOfOneRow(_ what: String) throws {
        let sample = try Sample()
        let fixture = sample.fixture
        if what == "root" {
            try fixture.sql("DELETE FROM root")
        } else {
            let vault = try fixture.open()
            let slot = vault.tree.withLock { $0.inode(at: UInt32(Node.root.rawValue)).slot }
            try vault.close()
            try fixture.sql("DELETE FROM file WHERE slot = \(slot)")
        }
        let damaged = try fixture.open(tolerateDamage: true)
        #expect(damaged.isReadOnly)
        #expect(try sample.intact(damaged).count == Self.count, "nothing else is out of reach")
        try damaged.close()
        _ = try Vault.acceptDamage(at: fixture.file, password: .init(Fixture.password), stateDirectory: fixture.state)
        for round in 0..<2 {
            let vault = try fixture.open()
            #expect(try sample.intact(vault).count == Self.count)
            try vault.save("new", "text \(round)")
            #expect(vault.committer.withLock { $0.root.device } != .none)
            #expect(try vault.verify { _, _ in }.damage.isEmpty)
            try vault.close()
        }
    }

    /// A content that does not open is found by reading and by verify; everything else reads.
    @Test(arguments: ["file", "chunk", "version"]) func damagedContent(table: String) throws {
        let sample = try Sample()
        let slot = try #require(sample.slots[table]?.first)
        let column = table == "chunk" ? "body" : "content"
        try sample.fixture.sql(
            "UPDATE \(table) SET \(column) = \(Self.changed(column, byte: 10)) WHERE slot = \(slot);")
        let vault = try sample.fixture.open()
        let intact = try sample.intact(vault)
        #expect(intact.count == (table == "version" ? Self.count : Self.count - 1))
        let report = try vault.verify { _, _ in }
        #expect(report.damage.count == 1 && report.damage.first?.path?.contains("d/") == true, "\(report.damage)")
        try vault.close()
    }

    /// The content column of an older save does not open in the place of the newer one.
    @Test func olderContentOfAFile() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let node = try vault.save("a", "one")
        let slot = vault.tree.withLock { $0.inode(at: UInt32(node.rawValue)).slot }
        try vault.close()
        try fixture.keepCopy()
        try fixture.open().saveAndClose("a", "two")
        try fixture.sql(
            "ATTACH '\(fixture.directory.appending("older").string)' AS old; UPDATE main.file SET content = "
                + "(SELECT content FROM old.file o WHERE o.slot = \(slot)) WHERE slot = \(slot);")
        let opened = try fixture.open()
        #expect(throws: Errno.ioError) { try opened.text("a") }
        #expect(try opened.verify { _, _ in }.damage.count == 1)
        try opened.close()
    }

    @Test(arguments: ["root", "header"]) func olderRootOrHeader(table: String) throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", "one")
        try vault.close()
        try fixture.keepCopy()
        let changed = try fixture.open()
        try changed.save("a", "two")
        try changed.changePassword(from: .init(Fixture.password), to: .init(Fixture.password))
        try changed.close()
        try fixture.sql(
            "ATTACH '\(fixture.directory.appending("older").string)' AS old; "
                + "DELETE FROM main.\(table); INSERT INTO main.\(table) SELECT * FROM old.\(table);")
        guard case .damaged? = try fixture.refusal() else {
            Issue.record("the older \(table) was taken")
            return
        }
        let regardless = try fixture.open(tolerateDamage: true)
        #expect(try regardless.text("a") == "two" && regardless.isReadOnly)
        try regardless.close()
    }

    @Test(arguments: ["vault", "wrap.unlock", "wrap.admin", "canary", "genesis", "device"], [true, false])
    func headerRow(name: String, deleted: Bool) throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "text") }
        if deleted {
            try fixture.sql("DELETE FROM header WHERE name = '\(name)'")
        } else {
            var value = try fixture.header(name)
            value[value.count - 1] ^= 1
            try fixture.setHeader(name, value)
        }
        switch try fixture.refusal() {
        case .damaged?: break
        // The vault's identifier is what the wrap is bound to.
        case .wrongPassword? where name == "vault" || name == "wrap.unlock": break
        case let other: Issue.record("\(name): \(String(describing: other))")
        }
    }

    // MARK: The whole file

    @Test func olderCopyOfTheFile() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "one") }
        try fixture.keepCopy()
        try fixture.open().saveAndClose("a", "two")
        try fixture.keepCopy("newer")
        try fixture.restoreCopy()
        let refusal = try fixture.refusal()
        guard case .rolledBack(let by)? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(by > 0)
        let regardless = try fixture.open(tolerateDamage: true)
        #expect(try regardless.text("a") == "one" && regardless.isReadOnly)
        try regardless.close()
        guard case .rolledBack? = try fixture.refusal() else {
            Issue.record("the alarm is gone")
            return
        }
        try fixture.restoreCopy("newer")
        #expect(try fixture.refusal() == nil)
        // Accepting the older copy makes it the newest.
        try fixture.restoreCopy()
        _ = try Vault.acceptDamage(at: fixture.file, password: .init(Fixture.password), stateDirectory: fixture.state)
        let accepted = try fixture.open()
        #expect(try accepted.text("a") == "one" && !accepted.isReadOnly)
        try accepted.close()
    }

    /// On another machine nothing is known of the vault: a copy opens.
    @Test func copyOnAnotherMachine() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "one") }
        try FileManager.default.removeItem(atPath: fixture.state.string)
        #expect(try fixture.refusal() == nil)
    }

    /// "It never loses what is still readable": a directory's row that does not open costs the directory's own
    /// name and attributes, not all that is below it.
    @Test(arguments: ["entry", "file"]) func damagedDirectory(table: String) throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let directory = try vault.makeDirectory("d")
        try vault.save("a", "text", in: directory)
        let slot = vault.tree.withLock { tree in
            table == "file"
                ? tree.inode(at: UInt32(directory.rawValue)).slot
                : tree.find(Array("d".utf8).raw, in: .root).map { tree.dentry(at: $0).slot } ?? 0
        }
        try vault.close()
        try fixture.sql("UPDATE \(table) SET seal = zeroblob(40) WHERE slot = \(slot)")
        #expect(try reachable(fixture.open(tolerateDamage: true)).contains("text"))
        _ = try Vault.acceptDamage(at: fixture.file, password: .init(Fixture.password), stateDirectory: fixture.state)
        for round in 0..<2 { #expect(try reachable(fixture.open()).contains("text"), "round \(round)") }
    }

    /// The same for an entry whose name is lost: the file is still there, under whatever name.
    @Test func damagedEntryOfAnIntactFile() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", "text")
        let slot = vault.tree.withLock { tree in
            tree.find(Array("a".utf8).raw, in: .root).map { tree.dentry(at: $0).slot } ?? 0
        }
        try vault.close()
        try fixture.sql("UPDATE entry SET seal = zeroblob(40) WHERE slot = \(slot)")
        _ = try Vault.acceptDamage(at: fixture.file, password: .init(Fixture.password), stateDirectory: fixture.state)
        for round in 0..<2 { #expect(try reachable(fixture.open()).contains("text"), "round \(round)") }
    }

    /// The contents of all files that can be reached from the top. Closes the vault.
    private func reachable(_ vault: Vault) throws -> [String] {
        var (texts, walk): ([String], [Node]) = ([], [.root])
        while let node = walk.popLast() {
            for name in (try? vault.names(in: node)) ?? [] {
                let child = try vault.find(name, in: node)
                if try vault.attributes(of: child).mode & FileType.mask == FileType.directory {
                    walk.append(child)
                } else {
                    texts.append(String(decoding: try vault.bytes(child), as: UTF8.self))
                }
            }
        }
        try vault.close()
        return texts
    }
}

extension Vault {
    func saveAndClose(_ name: String, _ text: String) throws {
        try save(name, text)
        try close()
    }
}
