import Foundation
import SystemPackage
import Testing

@testable import Vault

/// What a loss of power has left in the journal belongs to operations that are lost, and never comes back.
@Suite struct StaleJournalTests {
    /// All files of a vault while it is in use: what a killed process leaves.
    private typealias Files = [String: Data]

    private func files(_ fixture: Fixture) throws -> Files {
        Files(uniqueKeysWithValues: try fixture.everything().map { ($0.name, $0.bytes) })
    }

    private func fixture(with files: Files) throws -> Fixture {
        let fixture = try Fixture()
        for (name, bytes) in files {
            let path = fixture.directory.appending(name)
            try FileManager.default.createDirectory(
                atPath: path.removingLastComponent().string, withIntermediateDirectories: true)
            try bytes.write(to: URL(fileURLWithPath: path.string))
        }
        return fixture
    }

    /// A vault that moves nothing from its journal into the store by itself, while its files are copied.
    private func open(_ fixture: Fixture) throws -> Vault {
        let vault = try fixture.open()
        vault.maintenance.stop()
        return vault
    }

    /// The process is killed after one more operation: only that is there in addition.
    private func check(_ left: Files, _ names: [String], adding name: String) throws {
        let second = try fixture(with: left)
        let vault = try open(second)
        #expect(try vault.names().filter { !$0.hasPrefix(".") }.sorted() == names.sorted())
        try vault.make(name)
        let killed = try files(second)
        try vault.close()
        let third = try fixture(with: killed)
        #expect(try third.refusal() == nil)
        let reopened = try third.open()
        #expect(try reopened.names().filter { !$0.hasPrefix(".") }.sorted() == (names + [name]).sorted())
        #expect(try reopened.verify { _, _ in }.damage.isEmpty)
        try reopened.close()
    }

    /// The first entry is torn, the second one is whole: when an operation of the same length takes the first one's
    /// place, the second one does not follow it.
    @Test func entryBehindATornOne() throws {
        let fixture = try Fixture()
        try fixture.create().close()
        let vault = try open(fixture)
        try vault.make("first")
        try vault.make("other")
        var left = try files(fixture)
        try vault.close()
        left["vault.coffer-redo"]?.resetBytes(in: 512..<1024)
        try check(left, [], adding: "again")
    }

    /// A region builds on an operation that went into the store directly and is lost: another operation that makes
    /// the same counter is not its base.
    @Test func regionOfALostState() throws {
        let fixture = try Fixture()
        try fixture.create().close()
        let vault = try open(fixture)
        let node = try vault.make("large")
        try vault.settle()
        var left = try files(fixture)
        try vault.overwrite(node, at: 0, [UInt8](repeating: 7, count: 300_000))
        try vault.make("lost")
        // Of the disk's writes only the journal's came in time.
        left["vault.coffer-redo"] = try files(fixture)["vault.coffer-redo"]
        try vault.close()
        try check(left, ["large"], adding: "again")
    }
}
