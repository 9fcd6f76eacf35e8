import Format
import Foundation
import Sealing
import Sync
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// Open vaults on one remote, step by step.
final class VaultPair {
    let directory: FilePath
    let devices: [VaultDevice]
    let remote: SharedRemote
    let remotes: [MemoryRemote]
    private let segmentsBeforeSnapshot: UInt64
    private var random = Randomness(seed: 1)

    /// - Parameter devices: at most three.
    init(devices count: Int = 2, segmentsBeforeSnapshot: UInt64 = 16) throws {
        self.segmentsBeforeSnapshot = segmentsBeforeSnapshot
        let family = try VaultFamily.three.get()
        directory = FilePath(VaultFamily.folder("pair").path)
        let (folder, shared) = (directory, SharedRemote(devices: count))
        devices = try (0..<count).map { try VaultDevice($0, of: family, in: folder) }
        (remote, remotes) = (shared, (0..<count).map { MemoryRemote(shared, device: $0) })
    }

    deinit {
        for device in devices { try? device.vault.close() }
        try? FileManager.default.removeItem(atPath: directory.string)
    }

    @discardableResult
    func sync(_ device: Int) async throws -> SyncReport {
        let report = try await engine(device).sync()
        remote.deliver(1, using: &random)
        return report
    }

    func engine(_ device: Int) -> SyncEngine<VaultReplica> {
        var environment = SyncEnvironment(
            date: { "2026-01-01" }, deviceName: Array("device\(device)".utf8), segmentBytes: 1 << 20,
            segmentsBeforeSnapshot: segmentsBeforeSnapshot)
        // A change that is refused is a fault to be found.
        environment.rules.setsAside = false
        return SyncEngine(
            replica: devices[device].replica, remote: remotes[device], keys: devices[device].keys,
            environment: environment)
    }

    func outbox(_ device: Int) throws -> [UInt64] {
        try devices[device].replica.transaction { (t) throws(SyncError) in try t.outbox().map(\.sequence) }
    }

    func syncAll() async throws {
        for _ in 0..<2 { for device in devices.indices { try await sync(device) } }
    }

    @discardableResult
    func save(_ name: String, _ text: String, on device: Int) throws -> Node {
        let found = try devices[device].items().first { $0.path == name }?.node
        let node = try found ?? devices[device].make(name, in: .root, mode: 0o100600)
        try devices[device].write(text, to: node)
        return node
    }

    func item(_ path: String, on device: Int) throws -> VaultDevice.Item {
        try #require(try devices[device].items().first { $0.path == path })
    }

    func names(_ device: Int) throws -> [String] { try devices[device].items().map(\.path) }
}

@Suite struct VaultReplicaTests {
    /// What one device has removed and another one has changed is there again, and the run says so.
    @Test func whatComesBackIsNamed() async throws {
        let pair = try VaultPair()
        try pair.save("a", "1\n", on: 0)
        try await pair.syncAll()
        let entry = pair.devices[0].entry(of: try pair.item("a", on: 0))
        try pair.devices[0].remove(try pair.item("a", on: 0))
        try pair.save("a", "2\n", on: 1)
        try await pair.sync(0)
        try await pair.sync(1)
        #expect(try await pair.sync(0).conflicts == [.revived(entry: entry)])
        for device in pair.devices { #expect(try device.tree() == ["a": "2\n"]) }
    }

    @Test func editsOfBothAreThere() async throws {
        let pair = try VaultPair()
        try pair.save("a", "secret\nuser: 1\nurl: 1\n", on: 0)
        try await pair.syncAll()
        try pair.save("a", "secret\nuser: 2\nurl: 1\n", on: 0)
        try pair.save("a", "secret\nuser: 1\nurl: 2\n", on: 1)
        try await pair.syncAll()
        for device in pair.devices { #expect(try device.tree() == ["a": "secret\nuser: 2\nurl: 2\n"]) }
    }

    /// A copy goes with the next edit that knew of it, and the kernel hears of exactly that; who has it open keeps it.
    @Test func aCopyIsWithdrawn() async throws {
        let pair = try VaultPair()
        try pair.save("a", "one", on: 0)
        try await pair.syncAll()
        try pair.save("a", "two", on: 0)
        try pair.save("a", "three", on: 1)
        try await pair.sync(0)
        try await pair.sync(1)
        let copy = try #require(try pair.devices[1].items().first { $0.name.hasPrefix("a (conflict, device") })
        #expect(try pair.devices[1].tree().values.sorted() == ["three", "two"])
        try pair.devices[1].vault.opened(copy.node, writing: false, truncate: false)
        let seen = Mutex<[ReplicationEffect]>([])
        pair.devices[1].vault.onReplicated { effects in seen.withLock { $0 += effects } }
        // What somebody writes who merges both by hand: a content that replaces both.
        try pair.devices[1].replica.transaction { (transaction) throws(SyncError) in
            let entry = pair.devices[1].entry(of: copy)
            try transaction.withdraw(entry)
        }
        #expect(
            seen.withLock { $0 }.contains(.removed(Array(copy.name.utf8), in: .root, node: copy.node)))
        #expect(try pair.names(1) == ["a"])
        #expect(try ["two", "three"].contains(pair.devices[1].text(copy.node)))
        pair.devices[1].vault.closed(copy.node, writing: false)
        #expect(try pair.devices[1].vault.verify { _, _ in }.damage == [])
    }

    /// Moved, its mode set, or written: then it is an entry like any other, on both devices.
    @Test(arguments: 0..<4) func aTouchedCopyIsTold(how: Int) async throws {
        let pair = try VaultPair()
        try pair.save("a", "one", on: 0)
        try await pair.syncAll()
        try pair.save("a", "two", on: 0)
        try pair.save("a", "three", on: 1)
        try await pair.syncAll()
        let copy = try #require(try pair.devices[0].items().first { $0.name.hasPrefix("a (conflict, device") })
        switch how {
        case 0: try pair.devices[0].move(copy, to: .root, as: "b")
        case 1:
            var changes = AttributeChanges()
            changes.mode = 0o400
            try pair.devices[0].vault.setAttributes(of: copy.node, changes)
        case 2: try pair.devices[0].write("four", to: copy.node)
        default: try pair.devices[0].remove(copy)
        }
        try await pair.syncAll()
        let trees = try pair.devices.map { try $0.tree() }
        #expect(trees[0] == trees[1] && trees[0].count == (how == 3 ? 1 : 2))
        // The original goes on: what was touched stays.
        try pair.save("a", "five", on: 1)
        try await pair.syncAll()
        let after = try pair.devices.map { try $0.tree() }
        #expect(after[0] == after[1] && after[0].count == trees[0].count)
    }

    @Test func namesThatChangePlacesAreNoConflict() async throws {
        let pair = try VaultPair()
        for name in ["a", "b", "c"] { try pair.save(name, name, on: 0) }
        try await pair.syncAll()
        try pair.devices[0].move(pair.item("a", on: 0), to: .root, as: "x")
        try pair.devices[0].move(pair.item("b", on: 0), to: .root, as: "a")
        try pair.devices[0].move(pair.item("x", on: 0), to: .root, as: "b")
        try await pair.syncAll()
        for device in pair.devices { #expect(try device.tree() == ["a": "b", "b": "a", "c": "c"]) }
        try pair.devices[0].remove(pair.item("a", on: 0))
        try pair.devices[0].move(pair.item("c", on: 0), to: .root, as: "a")
        try await pair.syncAll()
        for device in pair.devices { #expect(try device.tree() == ["a": "c", "b": "a"]) }
    }

    /// A chunk that a segment names is there until the segment is at the remote, whatever is written meanwhile.
    @Test func chunksOfUnsentSegmentsStay() async throws {
        let pair = try VaultPair()
        try await pair.syncAll()
        let node = try pair.save("a", String(repeating: "x", count: 300_000), on: 0)
        // Cut off as soon as the segment is in the outbox, before its chunks are at the remote.
        for calls in 0..<20 where try pair.outbox(0).isEmpty {
            pair.remotes[0].fail(after: calls, carryingOut: false)
            await #expect(throws: SyncError.self) { try await pair.sync(0) }
        }
        #expect(try pair.outbox(0).count == 1)
        pair.remotes[0].fail(after: .max, carryingOut: false)
        for letter in ["y", "z"] {
            try pair.devices[0].vault.opened(node, writing: true, truncate: false)
            for place in 0..<4 {
                unsafe try pair.devices[0].vault.write(
                    node, offset: UInt64(place * 65536), Array(letter.utf8).span.bytes)
                try pair.devices[0].vault.flush(node)
            }
            pair.devices[0].vault.closed(node, writing: true)
        }
        try pair.devices[0].remove(pair.item("a", on: 0))
        try pair.devices[0].reopen()
        try await pair.syncAll()
        #expect(try pair.names(1) == [])
        #expect(pair.devices[0].vault.committer.withLock { $0.sync.pinned.values.isEmpty })
        #expect(try pair.devices[0].vault.verify { _, _ in }.damage == [])
    }

    @Test func aSnapshotIsTheWholeVault() async throws {
        let pair = try VaultPair()
        let folder = try pair.devices[0].make("d", in: .root, mode: 0o040700)
        try pair.devices[0].write("in d", to: pair.devices[0].make("b", in: folder, mode: 0o100600))
        try pair.save("a", "one", on: 0)
        try pair.save("large", String(repeating: "x", count: 200_000), on: 0)
        try pair.save("gone", "gone", on: 0)
        try await pair.sync(0)
        try pair.devices[0].remove(pair.item("gone", on: 0))
        try await pair.sync(0)
        let (source, target) = (pair.devices[0].replica, pair.devices[1].replica)
        let registers = try source.transaction { (transaction) throws(SyncError) in
            var registers: [SnapshotRegister] = []
            try transaction.forEachRegister { (register) throws(SyncError) in registers.append(register) }
            return registers
        }
        let blobs = try source.transaction { (transaction) throws(SyncError) in
            var blobs: [Int64: [UInt8]] = [:]
            for case .lineage(_, let content?) in registers {
                for chunk in content.chunks { blobs[chunk.slot] = try transaction.blob(of: chunk.slot) }
            }
            return blobs
        }
        try target.transaction { (transaction) throws(SyncError) in
            for (slot, bytes) in blobs { try transaction.addBlob(slot, bytes) }
            for register in registers { try transaction.restore(register) }
        }
        let again = try target.transaction { (transaction) throws(SyncError) in
            var registers: [SnapshotRegister] = []
            try transaction.forEachRegister { (register) throws(SyncError) in registers.append(register) }
            return registers
        }
        #expect(again.count == registers.count)
        try pair.devices[1].reopen()
        #expect(try pair.devices[0].tree() == pair.devices[1].tree())
        #expect(try pair.devices[1].vault.verify { _, _ in }.damage == [])
    }

    /// Attack 11: a cloned machine goes on as another device, with what nobody had heard of.
    @Test func attack11AnotherDeviceTellsWhatTheFirstDidNot() async throws {
        let pair = try VaultPair()
        try pair.save("a", "one", on: 0)
        try pair.save("b", "two", on: 0)
        try await pair.sync(0)
        try pair.save("a", "mine", on: 0)
        try pair.save("c", "new", on: 0)
        try pair.devices[0].remove(pair.item("b", on: 0))
        let (device, old) = (Identifier.random(), pair.devices[0].vault.device)
        let (vault, replica) = (pair.devices[0].vault, pair.devices[0].replica)
        #expect(throws: SyncError.cloned) {
            try replica.transaction { (t) throws(SyncError) in try t.becomeDevice(device, after: 0, reissuing: []) }
        }
        let keys = DeviceKeys()
        let publicKeys = keys.publicKeys
        replica.prepare(successor: device, keys: keys)
        let changes = try replica.transaction { (transaction) throws(SyncError) in
            try transaction.becomeDevice(device, after: 0, reissuing: [])
            return try transaction.ownChanges(atMost: 1 << 20)
        }
        #expect(vault.device == device && device != old)
        #expect(
            changes.count { if case .content(let content) = $0 { content.stamp.device == device } else { false } } == 2)
        #expect(
            changes.count { if case .removal(let removal) = $0 { removal.stamp.device == device } else { false } } == 1)
        try pair.devices[0].reopen()
        #expect(pair.devices[0].vault.device == device)
        #expect(try pair.devices[0].vault.deviceKeys().publicKeys == publicKeys)
        #expect(try pair.devices[0].tree() == ["a": "mine", "c": "new"])
    }

    @Test func noticesAndSettingsWait() async throws {
        let pair = try VaultPair()
        #expect(try pair.devices[0].vault.syncSettings() == nil)
        try pair.devices[0].vault.addNotice(Notice.Kind.kit.rawValue, [1, 2])
        try pair.devices[0].vault.addNotice(Notice.Kind.name.rawValue, [3])
        try pair.devices[0].vault.setSyncSettings([7])
        try pair.devices[0].vault.setSyncSettings([8, 9])
        #expect(throws: VaultError.self) {
            try pair.devices[0].vault.setSyncSettings([UInt8](repeating: 0, count: Limits.syncSettings + 1))
        }
        try pair.devices[0].reopen()
        #expect(try pair.devices[0].vault.syncSettings() == [8, 9])
        try pair.devices[0].vault.setSyncSettings(nil)
        #expect(try pair.devices[0].vault.syncSettings() == nil)
        for expected in [[Notice(kind: .kit, bytes: [1, 2]), Notice(kind: .name, bytes: [3])], []] {
            let notices = try pair.devices[0].replica.transaction { (t) throws(SyncError) in try t.takeNotices() }
            #expect(notices == expected)
        }
    }

    /// Looking for what an alarm is about changes nothing in the vault, also where much is.
    @Test func lookingForWhatIsLostWritesNothing() async throws {
        let pair = try VaultPair()
        try await pair.syncAll()
        let old = pair.remote.contents.withLock { $0.views[1] }
        let folder = try pair.devices[0].make("d", in: .root, mode: 0o040700)
        for number in 0..<600 {
            try pair.devices[0].write("x", to: pair.devices[0].make("\(number)", in: folder, mode: 0o100600))
        }
        try await pair.syncAll()
        pair.remote.contents.withLock { $0.views[1] = old }
        let engine = pair.engine(1)
        let failure = await #expect(throws: SyncError.self) { _ = try await engine.sync() }
        let before = pair.devices[1].vault.committer.withLock { $0.root.counter }
        let affected = try await engine.affected(by: try #require(failure))
        #expect(affected.count == 601 && affected.entries.count == AffectedEntries.most)
        let paths = affected.entries.map { pair.devices[1].vault.path(ofEntry: $0.entry) }
        #expect(paths == (590..<600).reversed().map { "d/\($0)" })
        #expect(try #require(affected.saved).seconds > 1_700_000_000)
        #expect(pair.devices[1].vault.committer.withLock { $0.root.counter } == before)
    }

    /// A poll that finds nothing writes nothing.
    @Test func anIdleSyncWritesNothing() async throws {
        let pair = try VaultPair()
        try pair.save("a", "one", on: 0)
        try await pair.syncAll()
        // What the other has read is news, too.
        try await pair.sync(0)
        let before = pair.devices[0].vault.committer.withLock { $0.root.counter }
        try await pair.sync(0)
        #expect(pair.devices[0].vault.committer.withLock { $0.root.counter } == before)
    }
}
