import Format
import Foundation
import Sealing
import SystemPackage
import Testing
import Vault

/// Making, opening and closing a vault, and its password.
@Suite struct OpeningTests {
    @Test func createAndReopen() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        #expect(try vault.names().isEmpty && !vault.isReadOnly && vault.damage.isEmpty)
        #expect(vault.fingerprint.count == 6)
        try vault.save("mail", "secret")
        let again = try fixture.reopen(vault)
        #expect(try again.text("mail") == "secret")
        #expect(again.identifier == vault.identifier && again.fingerprint == vault.fingerprint)
        #expect(try again.attributes(of: .root).mode & FileType.mask == FileType.directory)
        try again.close()
        try again.close()
        #expect(throws: Errno.self) { try again.make("late") }
    }

    @Test func nothingIsLeftBeside() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let names = Set(try fixture.everything().map { $0.name.split(separator: "/").last.map(String.init) ?? "" })
        #expect(names.allSatisfy { $0 == "vault.coffer" || $0.hasSuffix(".counter") }, "\(names)")
    }

    @Test func onlyTheOwnerMayReadTheFile() throws {
        let fixture = try Fixture()
        try fixture.fill { _ in }
        let attributes = try FileManager.default.attributesOfItem(atPath: fixture.file.string)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func wrongPassword() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let before = try fixture.bytes()
        guard case .wrongPassword? = try fixture.refusal(password: "another one") else {
            Issue.record("opened")
            return
        }
        guard case .wrongPassword? = try fixture.refusal(tolerateDamage: true, password: "another one") else {
            Issue.record("opened")
            return
        }
        #expect(try fixture.bytes() == before)
        #expect(try fixture.refusal() == nil)
    }

    @Test func secondOpenerIsTold() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        guard case .inUse? = try fixture.refusal() else {
            Issue.record("opened twice")
            return
        }
        guard case .inUse? = try fixture.refusal(tolerateDamage: true) else {
            Issue.record("opened twice")
            return
        }
        try vault.close()
        #expect(try fixture.refusal() == nil)
    }

    @Test func existingVaultIsNotOverwritten() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let before = try fixture.bytes()
        do {
            _ = try fixture.create()
            Issue.record("made anew")
        } catch VaultError.alreadyExists {}
        #expect(try fixture.bytes() == before)
    }

    /// What is closed meanwhile is no damage, and its statements are none to be stepped.
    @Test func closedWhileItIsVerified() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        for number in 0..<1100 { try vault.save("\(number)", "text \(number)") }
        #expect(throws: VaultError.self) { try vault.verify { _, _ in try? vault.close() } }
        let reopened = try fixture.open()
        #expect(try reopened.verify { _, _ in }.damage.isEmpty)
        try reopened.close()
    }

    @Test func noVaultThere() throws {
        let fixture = try Fixture()
        guard case .notFound? = try fixture.refusal() else {
            Issue.record("opened")
            return
        }
    }

    @Test(arguments: ["", "x", "SQLite format 3", String(repeating: "no vault\n", count: 1000)])
    func noVault(content: String) throws {
        let fixture = try Fixture()
        try fixture.write(Array(content.utf8))
        for tolerant in [false, true] {
            guard case .notAVault? = try fixture.refusal(tolerateDamage: tolerant) else {
                Issue.record("opened")
                return
            }
        }
        #expect(try fixture.bytes() == Array(content.utf8))
    }

    @Test func anotherDatabase() throws {
        let fixture = try Fixture()
        try fixture.sql("CREATE TABLE header (name TEXT, value BLOB);")
        guard case .notAVault? = try fixture.refusal() else {
            Issue.record("opened")
            return
        }
    }

    @Test func newerFormat() throws {
        let fixture = try Fixture()
        try fixture.fill { _ in }
        try fixture.sql("PRAGMA user_version = 2")
        for tolerant in [false, true] {
            guard case .newerFormat(2)? = try fixture.refusal(tolerateDamage: tolerant) else {
                Issue.record("opened")
                return
            }
        }
    }

    /// Versions of SQLite's own format, which it takes for an error of the disk.
    @Test(arguments: [18, 19, 47]) func headerOfAnotherSQLite(_ place: Int) throws {
        let fixture = try Fixture()
        try fixture.fill { _ in }
        var bytes = try fixture.bytes()
        bytes[place] = 9
        try fixture.write(bytes)
        guard case .unreadable? = try fixture.refusal() else {
            Issue.record("no damage")
            return
        }
    }

    /// Attack 4: what stands in the file does not make us take any cost.
    @Test(arguments: [[0, 0, 0, 0], [2, 0, 0, 0], [11, 0, 0, 0], [255, 255, 255, 255]] as [[UInt8]], [8, 12])
    func costOutOfBounds(word: [UInt8], offset: Int) throws {
        let fixture = try Fixture()
        try fixture.fill { _ in }
        var wrap = try fixture.header("wrap.unlock")
        wrap.replaceSubrange(offset..<(offset + 4), with: word)
        try fixture.setHeader("wrap.unlock", wrap)
        guard case .parametersOutOfBounds? = try fixture.refusal() else {
            Issue.record("opened")
            return
        }
    }

    @Test func readOnly() throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            try vault.makeDirectory("d")
            try vault.save("a", "b")
        }
        let before = try fixture.bytes()
        let vault = try fixture.open(readOnly: true)
        let node = try vault.find("a")
        #expect(vault.isReadOnly)
        #expect(try vault.text("a") == "b")
        #expect(throws: Errno.readOnlyFileSystem) { try vault.make("c") }
        #expect(throws: Errno.readOnlyFileSystem) { try vault.unlink("a") }
        #expect(throws: Errno.readOnlyFileSystem) { try vault.removeDirectory("d") }
        #expect(throws: Errno.readOnlyFileSystem) { try vault.move("a", to: "c") }
        #expect(throws: Errno.readOnlyFileSystem) { try vault.link(node, "c") }
        #expect(throws: Errno.readOnlyFileSystem) { try vault.resize(node, to: 0) }
        #expect(throws: Errno.readOnlyFileSystem) { try vault.opened(node, writing: true, truncate: false) }
        #expect(throws: Errno.readOnlyFileSystem) { try vault.write(node, offset: 0, [1].raw) }
        #expect(throws: Errno.readOnlyFileSystem) {
            try vault.setExtendedAttribute(Array("user.a".utf8).raw, to: [1].raw, of: node, flag: .any)
        }
        try vault.close()
        #expect(try fixture.bytes() == before)
    }

    // MARK: The password

    @Test func changePassword() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", "b")
        let old = try MasterPassword(Fixture.password)
        let new = try MasterPassword("the new one")
        let wrong = try MasterPassword("no password")
        do throws(VaultError) {
            try vault.changePassword(from: wrong, to: new)
            Issue.record("changed")
        } catch { guard case .wrongPassword = error else { Issue.record("\(error)"); return } }
        try vault.changePassword(from: old, to: new)
        #expect(try vault.unlockParameters() == .floor)
        #expect(try vault.text("a") == "b")
        try vault.close()
        guard case .wrongPassword? = try fixture.refusal() else {
            Issue.record("the old password opens it")
            return
        }
        let again = try fixture.open(password: "the new one")
        #expect(try again.text("a") == "b" && again.damage.isEmpty && !again.isReadOnly)
        // Both wraps were made anew: the admin key opens, too.
        try again.changePassword(from: new, to: old)
        try again.close()
        #expect(try fixture.refusal() == nil)
    }

    @Test func kit() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let right = try MasterPassword(Fixture.password)
        let wrong = try MasterPassword("no password")
        let text = try vault.issueKit(password: right, email: "ann@example.org", parameters: .floor)
        let kit = try #require(Kit(text: text))
        #expect(kit.vault == vault.identifier.pair)
        #expect(throws: Never.self) { try kit.open(password: right, email: "ann@example.org") }
        #expect(throws: WrapError.wrongPassword) { try kit.open(password: right, email: "bob@example.org") }
        do throws(VaultError) {
            _ = try vault.issueKit(password: wrong, email: "ann@example.org", parameters: .floor)
            Issue.record("issued")
        } catch { guard case .wrongPassword = error else { Issue.record("\(error)"); return } }
        try vault.close()
    }

    // MARK: Secrecy

    /// Neither names nor contents nor attributes, of what is there, was there or is in the trash, in any file.
    @Test func nothingIsInTheClear() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let planted = (0..<8).map { "planted-\($0)-rosebud" }
        try vault.makeDirectory(planted[0])
        let node = try vault.save(planted[1], planted[2])
        try vault.save(planted[1], planted[3])
        try vault.save(planted[4], String(repeating: planted[5], count: 20_000))
        try vault.unlink(planted[4])
        try vault.setExtendedAttribute(
            Array("user.\(planted[6])".utf8).raw, to: Array(planted[7].utf8).raw, of: node, flag: .any)
        let target = Array(planted[5].utf8)
        _ = try vault.makeSymbolicLink(
            Array("link".utf8).raw, in: .root, target: target.raw, owner: Vault.me, remember: false)
        try vault.synchronizeAll()
        func check(_ moment: Comment) throws {
            for (name, bytes) in try fixture.everything() {
                for text in ["rosebud", "planted-"] {
                    #expect(bytes.range(of: Data(text.utf8)) == nil, "\(name) holds \(text)")
                    #expect(!name.contains(text))
                }
            }
        }
        try check("while it is open")
        #expect(try fixture.everything().contains { $0.bytes.count > 400_000 }, "the text is somewhere")
        try vault.close()
        try check("when it is closed")
    }
}
