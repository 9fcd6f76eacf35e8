import Format
import Sealing
import Sync
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// Attack 10: rows that synchronisation keeps are deleted or set back, alone, in a vault that is closed or open.
@Suite struct RowAttackTests {
    enum Tampering: String, CaseIterable, Sendable {
        case stateDeleted, stateSetBack, outboxDeleted, outboxDoubled, settingsSetBack

        var sql: String {
            switch self {
            case .stateDeleted: "DELETE FROM sync WHERE slot = \(SyncIndex.state)"
            case .stateSetBack: Tampering.setBack(SyncIndex.state)
            case .settingsSetBack: Tampering.setBack(SyncIndex.settings)
            case .outboxDeleted: "DELETE FROM outbox"
            case .outboxDoubled: "INSERT INTO outbox SELECT slot + 1, seal, body FROM outbox LIMIT 1"
            }
        }

        private static func setBack(_ slot: Int64) -> String {
            "UPDATE sync SET (seal, body) = (SELECT seal, body FROM older WHERE older.slot = sync.slot) WHERE slot = \(slot)"
        }
    }

    /// Somebody who writes to the file while the vault is open.
    private final class Intruder {
        private let vault: Vault
        private let connection: Connection

        init(_ vault: Vault) throws {
            self.vault = vault
            connection = try Connection(path: vault.path, readOnly: false, cacheKiB: 64)
        }

        deinit { connection.close() }

        /// Keeps what the rows are now, in a table of its own that goes with the connection.
        func remember() throws { try change("CREATE TEMP TABLE older AS SELECT * FROM sync") }

        func change(_ sql: String) throws {
            try vault.committer.withLock { committer in
                try committer.drain()
                try connection.execute(sql)
            }
        }
    }

    private func isDamageFound(_ vault: Vault) throws -> Bool { try !vault.verify { _, _ in }.damage.isEmpty }

    /// A pair with a segment of the first device that is made and not sent.
    private func pairWithSomethingToSend() async throws -> (pair: VaultPair, intruder: Intruder) {
        let pair = try VaultPair()
        try pair.save("a", "one", on: 0)
        try pair.devices[0].vault.setSyncSettings([1])
        try await pair.syncAll()
        let intruder = try Intruder(pair.devices[0].vault)
        try intruder.remember()
        try pair.devices[0].vault.setSyncSettings([2])
        try pair.save("b", "two", on: 0)
        for calls in 0..<20 where try pair.outbox(0).isEmpty {
            pair.remotes[0].fail(after: calls, carryingOut: false)
            await #expect(throws: SyncError.self) { try await pair.sync(0) }
        }
        try #require(try pair.outbox(0).count == 1)
        pair.remotes[0].fail(after: .max, carryingOut: false)
        return (pair, intruder)
    }

    /// Each of them is in the sum: unlocking finds it, and so does `verify` while the vault is open.
    @Test(arguments: Tampering.allCases) func attack10_rowsOfSynchronisationAreInTheSum(_ kind: Tampering) async throws
    {
        let (pair, intruder) = try await pairWithSomethingToSend()
        let device = pair.devices[0]
        #expect(try !isDamageFound(device.vault))
        try intruder.change(kind.sql)
        #expect(try isDamageFound(device.vault), "verify")
        try device.vault.close()
        let error = #expect(throws: VaultError.self) { try device.family.open(device.folder) }
        guard case .damaged? = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    /// The state alone is set back while synchronisation goes on: the device believes that it has sent less than it has. The
    /// remote proves otherwise before anything is sent, and what is there is not written over.
    @Test func attack10_stateThatWasSetBackSendsNothing() async throws {
        let pair = try VaultPair()
        try pair.save("a", "one", on: 0)
        try await pair.syncAll()
        let intruder = try Intruder(pair.devices[0].vault)
        try intruder.remember()
        try pair.save("b", "two", on: 0)
        try await pair.syncAll()
        try intruder.change(Tampering.stateSetBack.sql)
        try pair.save("c", "three", on: 0)
        let before = pair.remote.contents.withLock { $0.views[0] }
        await #expect(throws: SyncError.cloned) { try await pair.sync(0) }
        #expect(pair.remote.contents.withLock { $0.views[0] } == before)
        #expect(try pair.devices[0].tree() == ["a": "one", "b": "two", "c": "three"], "nothing is lost")
        #expect(try pair.devices[1].tree() == ["a": "one", "b": "two"])
        #expect(try isDamageFound(pair.devices[0].vault))
    }

    /// A segment alone is taken out of the outbox: it never comes. What is behind it waits, nothing is made up in its
    /// place, and writing the remote anew tells the others what was in it.
    @Test func attack10_segmentTakenOutOfTheOutboxIsAGap() async throws {
        let (pair, intruder) = try await pairWithSomethingToSend()
        try intruder.change(Tampering.outboxDeleted.sql)
        try pair.save("c", "three", on: 0)
        try await pair.sync(0)
        try await pair.sync(1)
        #expect(try pair.devices[1].tree() == ["a": "one"])
        #expect(try isDamageFound(pair.devices[0].vault))
        pair.remote.contents.withLock { #expect($0.rewrites.isEmpty && $0.twins.isEmpty) }
        _ = try await pair.engine(0).rebuildRemote()
        for device in [0, 1, 1, 1, 0, 1] { try await pair.sync(device) }
        #expect(try pair.devices[1].tree() == ["a": "one", "b": "two", "c": "three"])
    }

    /// Rows of entries that vanish under the program are no removals: the other devices keep what they have.
    @Test(arguments: ["entry", "file"]) func attack10_deletedRowIsNoRemoval(table: String) async throws {
        let pair = try VaultPair()
        for name in ["a", "b"] { try pair.save(name, name, on: 0) }
        try await pair.syncAll()
        let device = pair.devices[0]
        let node = try pair.item("a", on: 0).node
        let slot = device.vault.tree.withLock { tree in
            let file = tree.inode(at: UInt32(truncatingIfNeeded: node.index)).slot
            return table == "file" ? file : tree.names(of: node).map { tree.dentry(at: $0).slot }[0]
        }
        try Intruder(device.vault).change("DELETE FROM \(table) WHERE slot = \(slot)")
        try pair.save("c", "c", on: 0)
        _ = try? await pair.sync(0)
        _ = try? await pair.sync(1)
        #expect(try isDamageFound(device.vault))
        try device.vault.close()
        #expect(throws: VaultError.self) { try device.family.open(device.folder) }
        #expect(try pair.devices[1].tree() == ["a": "a", "b": "b", "c": "c"])
    }
}
