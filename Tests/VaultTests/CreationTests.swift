import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// A vault appears whole, or not at all.
@Suite struct CreationTests {
    private static let passwords = [Fixture.password, "another violet anchor 48"]

    private func make(_ fixture: Fixture, _ password: String) throws {
        try Vault.create(
            at: fixture.file, password: MasterPassword(password),
            options: .init(parameters: .floor, stateDirectory: fixture.state)
        ).close()
    }

    /// Of two processes that make the same vault at once, one does; the other one's keys are nowhere in it.
    @Test func twoAtOnceMakeOne() throws {
        for _ in 0..<4 {
            let fixture = try Fixture()
            DispatchQueue.concurrentPerform(iterations: 2) { number in
                do {
                    try make(fixture, Self.passwords[number])
                } catch VaultError.alreadyExists, VaultError.inUse {
                } catch {
                    Issue.record(error)
                }
            }
            let refusals = try Self.passwords.map { try fixture.refusal(password: $0) }
            guard case .wrongPassword? = refusals.compactMap({ $0 }).first, refusals.contains(where: { $0 == nil })
            else {
                Issue.record("\(refusals)")
                return
            }
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: fixture.directory.string).sorted() == [
                    "state", "vault.coffer",
                ])
        }
    }

    @Test(arguments: ["file", "link", "dangling"]) func whatAnInterruptedOneLeftIsRemoved(_ kind: String) throws {
        let fixture = try Fixture()
        let (left, other) = (fixture.file.string + ".new", fixture.directory.appending("other").string)
        if kind != "dangling" { try Data("text".utf8).write(to: URL(filePath: other)) }
        switch kind {
        case "file":
            try Data("no database".utf8).write(to: URL(filePath: left))
            try Data("no log".utf8).write(to: URL(filePath: left + "-wal"))
        default: try FileManager.default.createSymbolicLink(atPath: left, withDestinationPath: other)
        }
        try fixture.fill { try $0.save("a", "text") }
        #expect(try fixture.open().text("a") == "text")
        #expect(FileManager.default.contents(atPath: other) == (kind == "dangling" ? nil : Data("text".utf8)))
        let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.string)
        #expect(!names.contains { $0.contains(".new") })
    }

    /// A killed process has left them, or their vault was moved away: they may be the only copy of what is in them.
    @Test(arguments: ["-wal", "-redo", "-chunks", "-journal"]) func partsOfAnotherVaultAreLeft(_ suffix: String) throws
    {
        let fixture = try Fixture()
        let part = FilePath(fixture.file.string + suffix)
        try Data("of another vault".utf8).write(to: URL(filePath: part.string))
        #expect {
            try make(fixture, Fixture.password)
        } throws: { error in
            guard case VaultError.partOfAnother(part)? = error as? VaultError else { return false }
            return true
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: fixture.directory.string) == ["vault.coffer" + suffix])
        #expect(FileManager.default.contents(atPath: part.string) == Data("of another vault".utf8))
    }

    /// One that is under way is not disturbed.
    @Test func nameIsTaken() throws {
        let fixture = try Fixture()
        let left = FilePath(fixture.file.string + ".new")
        let file = try FileDescriptor.open(
            left, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        #expect(flock(file.rawValue, LOCK_EX) == 0)
        #expect(throws: VaultError.self) { try make(fixture, Fixture.password) }
        #expect(FileManager.default.fileExists(atPath: left.string))
        #expect(!FileManager.default.fileExists(atPath: fixture.file.string))
        // A child that another test is starting has the descriptor, too.
        #expect(flock(file.rawValue, LOCK_UN) == 0)
        try file.close()
        try make(fixture, Fixture.password)
    }

    /// SQLite has no room for longer ones, and calls that an error of the disk.
    @Test func longestPath() throws {
        let fixture = try Fixture()
        func path(_ count: Int) -> FilePath {
            var path = fixture.directory
            while path.string.utf8.count + 101 < count { path.append(String(repeating: "d", count: 60)) }
            path.append(String(repeating: "v", count: count - path.string.utf8.count - 1))
            return path
        }
        let options = Vault.CreationOptions(parameters: .floor, stateDirectory: fixture.state)
        let vault = try Vault.create(at: path(500), password: MasterPassword(Fixture.password), options: options)
        try vault.save("a", [UInt8](repeating: 7, count: 1 << 20))
        try vault.close()
        do {
            _ = try Vault.create(at: path(501), password: MasterPassword(Fixture.password), options: options)
            Issue.record("made")
        } catch VaultError.io(.fileNameTooLong, _) {}
    }
}
