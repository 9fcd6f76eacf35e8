import Format
import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// A backup is the whole vault as it was at one moment, or nothing.
@Suite struct BackupTests {
    private func backup(_ fixture: Fixture, _ name: String = "backup") throws -> FilePath {
        let path = fixture.directory.appending(name)
        try Backup.create(of: .closed(fixture.file), at: path) { _, _ in true }
        return path
    }

    private func restore(_ backup: FilePath, _ fixture: Fixture) throws -> Backup.Restored {
        try Backup.restore(backup, to: fixture.file, stateDirectory: fixture.state) { _, _ in true }
    }

    private func bytes(_ path: FilePath) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path.string)))
    }

    private static func large(_ seed: UInt64) -> [UInt8] {
        var randomness = Randomness(seed: seed)
        return randomness.bytes(700_000)
    }

    @Test func comesBackElsewhere() throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            try vault.makeDirectory("d")
            try vault.save("small", "secret")
            try vault.save("large", Self.large(1))
            try vault.save("small", "secret 2")
            try vault.save("gone", "trash")
            try vault.unlink("gone")
        }
        let path = try backup(fixture)
        let mode = try FileManager.default.attributesOfItem(atPath: path.string)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let other = try Fixture()
        let restored = try restore(path, other)
        #expect(restored.earlier == nil && restored.setAside.isEmpty)
        let vault = try other.open()
        #expect(try vault.names().sorted() == ["d", "large", "small"])
        #expect(try vault.text("small") == "secret 2" && vault.bytes("large") == Self.large(1))
        #expect(try vault.versions(of: vault.find("small")) == ["secret"])
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        #expect(vault.setAside.isEmpty && vault.isRestored)
        try vault.close()
        #expect(try fixture.refusal() == nil)
    }

    /// Taken beside writers: the state of one moment each time, with cells that were freed and used again meanwhile.
    @Test func takenWhileItIsWritten() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        for round in 0..<6 {
            try vault.save("large", Self.large(UInt64(round)))
            try vault.save("round", "\(round)")
            let hold = try vault.holdForBackup()
            guard case .inUse? = Self.error({ _ = try vault.holdForBackup() }) else {
                Issue.record("two at once")
                return
            }
            // What is copied is what was there before, whatever comes.
            try vault.save("large", Self.large(100 + UInt64(round)))
            try vault.save("after", "\(round)")
            vault.maintain()
            vault.maintain()
            try vault.save("third", Self.large(200 + UInt64(round)))
            let path = fixture.directory.appending("backup \(round)")
            try Backup.create(of: .held(fixture.file) { hold.isHeld }, at: path) { _, _ in true }
            hold.end()
            try vault.save("third", Self.large(300 + UInt64(round)))
            let other = try Fixture()
            _ = try restore(path, other)
            let copy = try other.open()
            #expect(try copy.text("round") == "\(round)" && copy.bytes("large") == Self.large(UInt64(round)))
            #expect(try copy.exists("after") == (round > 0) && copy.verify { _, _ in }.damage.isEmpty)
            try copy.close()
        }
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
        #expect(try fixture.refusal() == nil)
    }

    private static func error(_ body: () throws -> Void) -> VaultError? {
        do { try body() } catch { return error as? VaultError }
        return nil
    }

    /// The vault does not wait for a backup when it is locked; then none is written.
    @Test func lockedMeanwhile() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", "b")
        let hold = try vault.holdForBackup()
        let path = fixture.directory.appending("backup")
        let error = Self.backupError {
            try Backup.create(of: .held(fixture.file) { hold.isHeld }, at: path) { _, _ in
                try? vault.close()
                return true
            }
        }
        guard case .cutOff? = error else {
            Issue.record("written")
            return
        }
        #expect(try fixture.everything().allSatisfy { !$0.name.contains("backup") })
        #expect(try fixture.refusal() == nil)
    }

    /// What a killed process had acknowledged is in its log and its journal, and comes along.
    @Test func ofAKilledProcess() throws {
        let (fixture, killed) = (try Fixture(), try Fixture())
        let vault = try fixture.create()
        vault.maintenance.stop()
        try vault.save("stored", "in the log")
        try vault.settle()
        try vault.save("journal", "in the journal")
        try killed.takeOver(fixture)
        try vault.close()
        let path = try backup(killed)
        let other = try Fixture()
        _ = try restore(path, other)
        for fixture in [other, killed] {
            let opened = try fixture.open()
            #expect(try opened.text("stored") == "in the log" && opened.text("journal") == "in the journal")
            #expect(try opened.verify { _, _ in }.damage.isEmpty && opened.setAside.isEmpty)
            try opened.close()
        }
    }

    // MARK: Bad input

    @Test func cutAtEveryByte() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let path = try backup(fixture)
        let whole = try bytes(path)
        #expect(Backup.refusal(path) == nil)
        let before = try fixture.everything().map(\.name).sorted()
        let file = try FileDescriptor.open(path, .readWrite)
        defer { try? file.close() }
        for length in stride(from: whole.count - 1, through: 0, by: -1) {
            try file.resize(to: Int64(length))
            let refusal = Backup.refusal(path)
            guard case .damaged? = refusal else {
                Issue.record("\(length) bytes are no damaged backup: \(String(describing: refusal))")
                return
            }
            guard length % 5000 == 0 || length < 200 else { continue }
            #expect(throws: BackupError.self) { try restore(path, Fixture()) }
            #expect(throws: BackupError.self) { try restore(path, fixture) }
        }
        #expect(try fixture.everything().map(\.name).sorted() == before)
        #expect(try fixture.refusal() == nil)
        try file.resize(to: 0)
        try file.writeAll(toAbsoluteOffset: 0, whole + [0])
        guard case .damaged? = Backup.refusal(path) else {
            Issue.record("a byte too much")
            return
        }
    }

    @Test func aChangedByte() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let path = try backup(fixture)
        let whole = try bytes(path)
        let places =
            Array(0..<200) + Array(stride(from: 200, to: whole.count, by: 97)) + Array(whole.count - 60..<whole.count)
        let file = try FileDescriptor.open(path, .readWrite)
        defer { try? file.close() }
        for place in places {
            try file.writeAll(toAbsoluteOffset: Int64(place), [whole[place] ^ 1 << UInt8(place % 8)])
            guard case .damaged? = Backup.refusal(path) else {
                Issue.record("a change of byte \(place) is not found")
                return
            }
            try file.writeAll(toAbsoluteOffset: Int64(place), [whole[place]])
        }
        #expect(Backup.refusal(path) == nil)
    }

    @Test func ofANewerProgram() throws {
        var newer = BackupHeader(Backup.Summary(vault: .random(), seconds: 0, bytes: 0)).encoded
        newer[8] = 2
        let covered = Array(newer[..<64])
        newer.replaceSubrange(64..<96, with: unsafe Digest.blake2b256(covered.span.bytes))
        let fixture = try Fixture()
        try fixture.write(newer)
        guard case .newerFormat(2)? = Backup.refusal(fixture.file) else {
            Issue.record("read")
            return
        }
    }

    @Test(arguments: ["x", "no backup\n", String(repeating: "no backup\n", count: 1000)])
    func noBackup(_ text: String) throws {
        let fixture = try Fixture()
        try fixture.write(Array(text.utf8))
        guard case .notABackup? = Backup.refusal(fixture.file) else {
            Issue.record("read")
            return
        }
    }

    /// Another vault, and what is no vault, are left as they are.
    @Test func ontoSomethingElse() throws {
        let (fixture, other) = (try Fixture(), try Fixture())
        try fixture.fill { try $0.save("a", "b") }
        try other.fill { try $0.save("c", "d") }
        let path = try backup(fixture)
        let before = try other.everything().map(\.name).sorted()
        let bytes = try other.bytes()
        #expect(throws: BackupError.self) { try restore(path, other) }
        #expect(try other.bytes() == bytes && other.everything().map(\.name).sorted() == before)
        let text = try Fixture()
        try text.write(Array("no vault".utf8))
        #expect(throws: BackupError.self) { try restore(path, text) }
        #expect(try text.bytes() == Array("no vault".utf8))
        let vault = try fixture.open()
        guard case .vault(.inUse)? = Self.backupError({ _ = try restore(path, fixture) }) else {
            Issue.record("restored over a vault in use")
            return
        }
        try vault.close()
    }

    private static func backupError(_ body: () throws -> Void) -> BackupError? {
        do { try body() } catch { return error as? BackupError }
        return nil
    }

    @Test func nothingIsWrittenOver() throws {
        let (fixture, other) = (try Fixture(), try Fixture())
        try fixture.fill { try $0.save("a", "b") }
        try other.fill { _ in }
        let path = try backup(fixture)
        for (name, replaces) in [("backup", false), ("vault.coffer", true), ("vault.coffer-wal", false)] {
            #expect(throws: BackupError.self) {
                try Backup.create(
                    of: .closed(fixture.file), at: fixture.directory.appending(name), replaces: replaces
                ) { _, _ in true }
            }
        }
        // An older backup of the same vault gives way where that is asked for; another one's does not.
        try Backup.create(of: .closed(fixture.file), at: path, replaces: true) { _, _ in true }
        #expect(Backup.refusal(path) == nil)
        #expect(throws: BackupError.self) {
            try Backup.create(of: .closed(other.file), at: path, replaces: true) { _, _ in true }
        }
        #expect(throws: BackupError.self) {
            try Backup.create(of: .closed(fixture.file), at: other.directory.appending("x")) { _, _ in false }
        }
        #expect(try other.everything().allSatisfy { !$0.name.hasPrefix("x") })
    }
}

extension Fixture {
    /// All files of a vault that another one's process has open, as a kill leaves them.
    func takeOver(_ other: Fixture, _ names: (String) -> Bool = { _ in true }) throws {
        for (name, bytes) in try other.everything() where name.hasPrefix("vault.coffer") && names(name) {
            try bytes.write(to: URL(fileURLWithPath: directory.appending(name).string))
        }
    }
}

extension Backup {
    /// What a check of these bytes says; nil where they are a whole backup.
    static func refusal(_ path: FilePath) -> BackupError? {
        do throws(BackupError) {
            try Backup.check(path) { _, _ in true }
            return nil
        } catch {
            return error
        }
    }
}
