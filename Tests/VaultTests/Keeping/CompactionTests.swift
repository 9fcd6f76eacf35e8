import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// The vault's files become as small as what is in them.
@Suite struct CompactionTests {
    /// A vault whose store is mostly free pages: 400 small files came and went, and nothing of them is kept.
    private func sparse(_ fixture: Fixture, _ vault: Vault) throws {
        vault.maintenance.stop()
        for number in 0..<400 { try vault.save("file \(number)", [UInt8](repeating: 1, count: 30_000)) }
        for number in 1..<400 { try vault.unlink("file \(number)") }
        vault.giveUp(.max, vault.keptBytes(), most: .max)
    }

    private func setting(_ name: String, _ fixture: Fixture) throws -> String {
        try fixture.query("SELECT \(name) || '' FROM pragma_\(name)").joined()
    }

    private func size(_ fixture: Fixture) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: fixture.file.string)[.size] as? Int ?? 0
    }

    @Test func newVaultsShrinkInSteps() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try sparse(fixture, vault)
        vault.keeping = Keeping()
        for _ in 0..<40 {
            vault.kept.withLock { $0.lookAgain() }
            vault.maintain()
        }
        try vault.close()
        #expect(try setting("auto_vacuum", fixture) == "2")
        #expect(try size(fixture) < 6 << 20, "a quarter may be free, and 4 MiB")
        #expect(try fixture.refusal() == nil)
    }

    /// One that was made without `auto_vacuum` is rewritten, by maintenance or when that is asked for.
    @Test(arguments: [false, true]) func olderVaultsAreRewritten(isAsked: Bool) throws {
        let fixture = try Fixture()
        try fixture.create().close()
        try fixture.sql("PRAGMA auto_vacuum = NONE; VACUUM")
        #expect(try setting("auto_vacuum", fixture) == "0")
        let vault = try fixture.open()
        try sparse(fixture, vault)
        if isAsked {
            let done = try vault.compact()
            #expect(done.missing == 0 && done.after < done.before / 4, "\(done)")
        } else {
            vault.keeping = Keeping()
            vault.kept.withLock { $0.lookAgain() }
            vault.maintain()
        }
        #expect(try vault.bytes("file 0") == [UInt8](repeating: 1, count: 30_000))
        try vault.save("later", "text")
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
        #expect(try setting("auto_vacuum", fixture) == "2")
        #expect(try size(fixture) < 1 << 20)
        let again = try fixture.open()
        #expect(try again.text("later") == "text")
        try again.close()
    }

    /// Free cells at the end of the chunks' file go, those in between stay.
    @Test func theEndOfTheChunksIsCut() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        vault.maintenance.stop()
        for name in ["a", "b", "c"] { try vault.save(name, [UInt8](repeating: 2, count: 1 << 20)) }
        for name in ["a", "c"] { try vault.unlink(name) }
        vault.giveUp(.max, vault.keptBytes(), most: .max)
        _ = try vault.compact()
        let size = try FileManager.default.attributesOfItem(atPath: fixture.file.string + "-chunks")[.size] as? Int
        #expect(size == 2 << 20)
        #expect(try vault.bytes("b") == [UInt8](repeating: 2, count: 1 << 20))
        try vault.save("d", [UInt8](repeating: 3, count: 3 << 20))
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
    }

    /// While a backup is taken the files stay as they are.
    @Test func notDuringABackup() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let hold = try vault.holdForBackup()
        #expect(throws: VaultError.self) { try vault.compact() }
        hold.end()
        _ = try vault.compact()
        try vault.close()
    }
}
