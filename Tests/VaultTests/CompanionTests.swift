import Foundation
import SystemPackage
import Testing

@testable import Vault

/// The files beside a vault's belong to one state of it. A copy that lacks them says so, and those of another state are
/// never taken in, and never lost.
@Suite struct CompanionTests {
    private func files(_ fixture: Fixture) throws -> [String: Data] {
        Dictionary(uniqueKeysWithValues: try fixture.everything().map { ($0.name, $0.bytes) })
    }

    /// A vault in use that has entries in the store, in SQLite's log and in the journal.
    private func inUse(_ fixture: Fixture, entries: Int = 20) throws -> Vault {
        let vault = try fixture.open()
        vault.maintenance.stop()
        for number in 0..<entries { try vault.save("\(number)", "text \(number)") }
        try vault.settle()
        try vault.save("last", "in the journal")
        return vault
    }

    private func missing(_ fixture: Fixture) throws -> [String]? {
        guard case .incomplete(let paths)? = try fixture.refusal() else { return nil }
        return paths.map { $0.string.replacing(fixture.file.string, with: "") }
    }

    /// `cp vault.coffer` while it is mounted, and with one of the others.
    @Test(arguments: [
        ([""], ["-wal", "-redo"]), (["", "-wal"], ["-redo"]), (["", "-redo"], ["-wal"]),
    ]) func aCopyOfSome(_ copied: [String], _ lacks: [String]) throws {
        let (fixture, copy) = (try Fixture(), try Fixture())
        try fixture.create().close()
        let vault = try inUse(fixture)
        try copy.takeOver(fixture) { name in copied.contains { name == "vault.coffer" + $0 } }
        try vault.close()
        #expect(try missing(copy) == lacks)
        let before = try files(copy)
        let tolerant = try copy.open(tolerateDamage: true)
        #expect(tolerant.isReadOnly && tolerant.damage.count >= lacks.count)
        try tolerant.close()
        #expect(try files(copy)["vault.coffer-redo"] == before["vault.coffer-redo"])
        // Somebody who has nothing else goes on with what there is.
        _ = try Vault.acceptDamage(at: copy.file, password: .init(Fixture.password), stateDirectory: copy.state)
        #expect(try copy.refusal() == nil)
    }

    /// Also when nothing was changed: what the copy has is not known to be all.
    @Test func aCopyOfAnUnchangedVault() throws {
        let (fixture, copy) = (try Fixture(), try Fixture())
        let vault = try fixture.create()
        try copy.takeOver(fixture) { $0 == "vault.coffer" }
        #expect(try missing(copy) == ["-wal", "-redo"])
        try vault.close()
        try copy.takeOver(fixture) { $0 == "vault.coffer" }
        #expect(try copy.refusal() == nil)
    }

    @Test func aWholeCopyOpensAsAfterAKill() throws {
        let (fixture, copy) = (try Fixture(), try Fixture())
        try fixture.create().close()
        let vault = try inUse(fixture)
        try copy.takeOver(fixture)
        try vault.close()
        // A wrong password, and reading, leave it as whole.
        #expect(try copy.refusal(password: "another one") != nil)
        let reading = try copy.open(readOnly: true)
        #expect(try reading.text("last") == "in the journal")
        try reading.close()
        let opened = try copy.open()
        #expect(try opened.text("last") == "in the journal" && opened.names().count == 21)
        #expect(try opened.setAside.isEmpty && opened.verify { _, _ in }.damage.isEmpty)
        try opened.close()
        #expect(try files(copy).keys.allSatisfy { $0 == "vault.coffer" || $0.hasSuffix(".counter") })
    }

    /// A copy from before is put over a vault whose process was killed: it opens, and what lies there is kept.
    @Test(arguments: [true, false]) func aLogOfAnotherState(copyIsOlder: Bool) throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("old", "old") }
        try fixture.keepCopy()
        if copyIsOlder { try fixture.fillMore { try $0.save("second", "second") } }
        let killed = try Fixture()
        let vault = try inUse(fixture)
        try killed.takeOver(fixture)
        try vault.close()
        try FileManager.default.removeItem(atPath: fixture.state.string)
        let lost = try files(killed)
        try Data(contentsOf: URL(fileURLWithPath: fixture.directory.appending("older").string))
            .write(to: URL(fileURLWithPath: killed.file.string))

        #expect(try killed.refusal(password: "another one") != nil)
        #expect(try files(killed)["vault.coffer-redo"] == lost["vault.coffer-redo"], "not before the password is right")
        let opened = try killed.open()
        #expect(try opened.names() == ["old"] && opened.verify { _, _ in }.damage.isEmpty)
        #expect(
            opened.setAside.map { $0.lastComponent?.string ?? "" }.sorted() == [
                "vault.coffer-redo.old", "vault.coffer-wal.old",
            ])
        try opened.save("new", "new")
        try opened.close()
        let left = try files(killed)
        #expect(left["vault.coffer-redo.old"] == lost["vault.coffer-redo"])
        #expect(left["vault.coffer-wal.old"] == lost["vault.coffer-wal"])
        #expect(try killed.refusal() == nil)
    }

    /// A second time, what was kept the first time stays.
    @Test func namesThatAreTaken() throws {
        let fixture = try Fixture()
        try fixture.fill { _ in }
        let path = fixture.directory.appending("x")
        for number in 1...3 {
            try Data([UInt8(number)]).write(to: URL(fileURLWithPath: path.string))
            let name = try Companions.setAside(path).lastComponent?.string
            #expect(name == "x.old\(number == 1 ? "" : "\(number)")")
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path.string + ".old")) == Data([1]))
    }

    /// A journal that builds on a later state than a vault that an older program has written.
    @Test func aJournalOfALostState() throws {
        let (fixture, killed) = (try Fixture(), try Fixture())
        try fixture.create().close()
        let vault = try inUse(fixture)
        try killed.takeOver(fixture)
        try vault.close()
        let journal = try #require(try files(killed)["vault.coffer-redo"])
        let other = try Fixture()
        try fixture.fillMore { _ in }
        // The same vault as it was before, without the row that tells.
        try other.takeOver(try older(of: fixture))
        try other.sql("DELETE FROM header WHERE name = 'session'")
        try journal.write(to: URL(fileURLWithPath: other.file.string + "-redo"))
        let opened = try other.open()
        #expect(opened.setAside.count == 1)
        try opened.close()
        #expect(try files(other)["vault.coffer-redo.old"] == journal)
    }

    /// A vault of its own, since one of another account key has other tags.
    private func older(of fixture: Fixture) throws -> Fixture {
        let other = try Fixture()
        try other.create().close()
        return other
    }

    /// What SQLite and the journal would open is looked at first: what is no regular file is named, and stays.
    @Test(arguments: ["-wal", "-redo", "-chunks", "-journal"]) func whatIsPlantedIsNamed(_ suffix: String) throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let path = fixture.file.string + suffix
        let target = fixture.directory.appending("target").string
        try Data("of somebody".utf8).write(to: URL(fileURLWithPath: target))
        let files = FileManager.default
        let plants: [(String, () throws -> Void)] = [
            ("a folder", { try files.createDirectory(atPath: path, withIntermediateDirectories: false) }),
            ("a symbolic link", { try files.createSymbolicLink(atPath: path, withDestinationPath: target) }),
            ("a symbolic link", { try files.createSymbolicLink(atPath: path, withDestinationPath: "none") }),
            ("a pipe", { #expect(unsafe mkfifo(path, 0o600) == 0) }),
            ("a socket", { #expect(unsafe mknod(path, S_IFSOCK | 0o600, 0) == 0) }),
        ]
        for (kind, plant) in plants {
            try? FileManager.default.removeItem(atPath: path)
            try plant()
            for tolerateDamage in [false, true] {
                guard case .planted(let found, let what)? = try fixture.refusal(tolerateDamage: tolerateDamage) else {
                    return #expect(Bool(false), "\(kind)")
                }
                #expect(found.string == path && what == kind)
            }
        }
        try FileManager.default.removeItem(atPath: path)
        #expect(try fixture.refusal() == nil)
        #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == Data("of somebody".utf8))
    }

    /// Garbage in the place of a journal is kept under another name, and begun nothing over.
    @Test(arguments: ["", "-open"]) func garbageInTheJournalIsKept(_ state: String) throws {
        let (fixture, killed) = (try Fixture(), try Fixture())
        try fixture.fill { try $0.save("a", "b") }
        let vault = try inUse(fixture)
        try killed.takeOver(fixture)
        try vault.close()
        let subject = state.isEmpty ? fixture : killed
        let path = subject.file.string + "-redo"
        let garbage = Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31 | 1) })
        try garbage.write(to: URL(fileURLWithPath: path))
        if state.isEmpty {
            let opened = try subject.open()
            #expect(opened.setAside.map(\.string) == [path + ".old"])
            try opened.close()
            #expect(try Data(contentsOf: URL(fileURLWithPath: path + ".old")) == garbage)
        } else {
            // What was acknowledged stood in the journal that is gone.
            #expect(try missing(subject)?.contains("-redo") == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == garbage)
        }
    }

    /// A row that was torn says nothing.
    @Test func aTornMark() throws {
        let fixture = try Fixture()
        try fixture.fill { try $0.save("a", "b") }
        let mark = try fixture.header(SessionMark.name)
        #expect(SessionMark(mark)?.isOpen == false && mark.count == 34)
        for place in mark.indices {
            var torn = mark
            torn[place] ^= 1
            #expect(SessionMark(torn) == nil)
        }
        try fixture.setHeader(SessionMark.name, mark.dropLast() + [mark[33] ^ 1])
        #expect(try fixture.refusal() == nil)
    }
}

extension Fixture {
    /// Opens the vault, changes it and closes it.
    func fillMore(_ body: (Vault) throws -> Void) throws {
        let vault = try open()
        try body(vault)
        try vault.close()
    }
}
