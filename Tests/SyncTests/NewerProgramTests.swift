import Format
import Sealing
import Sync
import SystemPackage
import Testing

@testable import Vault

/// What a newer program has left in a vault, and at the remote as a snapshot: told as that.
@Suite struct NewerProgramTests {
    @Test func theStateOfAVault() async throws {
        let pair = try VaultPair()
        try await pair.sync(0)
        try pair.devices[0].replica.transaction { (t) throws(SyncError) in
            guard var bytes = try t.loadState() else { return }
            bytes[0] = 9
            try t.saveState(bytes)
        }
        await #expect(throws: SyncError.newerFormat(9)) { try await pair.sync(0) }
    }

    @Test func theKeysOfAVault() async throws {
        let pair = try VaultPair()
        try await pair.sync(0)
        try pair.devices[0].replica.transaction { (t) throws(SyncError) in
            try t.saveKeys(Array("CFRA".utf8) + [3, 0, 0, 0] + [UInt8](repeating: 0, count: 64))
        }
        await #expect(throws: SyncError.newerFormat(3)) { try await pair.sync(0) }
    }

    /// A row of a kind that only a newer program knows.
    @Test func aRowOfAVault() async throws {
        let pair = try VaultPair()
        try await pair.sync(0)
        let vault = pair.devices[0].vault
        try vault.committer.withLock { (committer) throws(Errno) in
            try committer.transaction { () throws(Errno) in
                let slot = committer.freshSlot()
                let seal = committer.seal(.sync, slot: slot) { $0.append(bytes: [99, 1, 2, 3]) }
                unsafe try committer.put(.sync, slot: slot, seal, previous: nil, content: unsafe .none)
            }
        }
        #expect {
            try pair.devices[0].reopen()
        } throws: { error in
            if case VaultError.newerRecords = error { true } else { false }
        }
    }

    @Test func aSnapshot() async throws {
        let pair = Pair()
        try pair.make("a", "1", on: 0)
        _ = try await pair.sync(0)
        let bytes = Array("CFRN".utf8) + [2, 0, 0, 0] + [UInt8](repeating: 0, count: 200)
        let hash = unsafe Digest.blake2b128(bytes.span.bytes)
        let name = "1.\(Identifier(low: hash.0, high: hash.1).hexadecimal)"
        let path = try #require(
            RemotePath(["v1", "snap", "\(pair.family.devices[1].hexadecimal).1", name]))
        try await pair.remotes[1].create([RemoteObject(path: path, bytes: bytes)])
        pair.deliver()
        let joining = pair.join()
        let report = try await pair.sync(joining)
        #expect(report.damaged == [] && Set(report.newer).count == 1)
    }
}
