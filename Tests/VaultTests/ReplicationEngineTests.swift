import Format
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// What the engine keeps in the vault, and what it does to settle conflicts.
@Suite struct ReplicationEngineTests {
    private func run<R>(
        _ vault: Vault, _ body: (ReplicationTransaction) throws(Errno) -> R
    ) throws(Errno) -> R { try vault.replicate(translating: { $0 }, body) }

    @Test func stateAndOutbox() throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        #expect(try run(vault) { (transaction) throws(Errno) in try transaction.loadState() } == nil)
        let state = [UInt8](repeating: 7, count: Limits.syncState)
        let segment = [UInt8](repeating: 9, count: 1 << 20)
        try run(vault) { (transaction) throws(Errno) in
            try transaction.saveState([1, 2, 3])
            try transaction.saveState(state)
            try transaction.addToOutbox(1, segment)
            try transaction.addToOutbox(2, [4, 5])
        }
        #expect(throws: Errno.fileExists) {
            try run(vault) { (transaction) throws(Errno) in try transaction.addToOutbox(2, [6]) }
        }
        #expect(throws: Errno.fileTooLarge) {
            try run(vault) { (transaction) throws(Errno) in try transaction.saveState(state + [0]) }
        }
        vault = try fixture.reopen(vault)
        try run(vault) { (transaction) throws(Errno) in
            #expect(try transaction.loadState() == state)
            #expect(try transaction.outbox().map(\.sequence) == [1, 2])
            #expect(try transaction.outbox().map(\.bytes) == [segment, [4, 5]])
            try transaction.removeFromOutbox(1)
            try transaction.removeFromOutbox(1)
        }
        vault = try fixture.reopen(vault)
        #expect(try run(vault) { (transaction) throws(Errno) in try transaction.outbox().count } == 1)
        #expect(try vault.verify { _, _ in }.damage == [])
        try vault.close()
        // A row that is not the one that was written is found.
        try fixture.sql("UPDATE outbox SET seal = zeroblob(40)")
        guard case .damaged = try fixture.refusal() else { return #expect(Bool(false), "a changed row") }
    }

    @Test(arguments: [0, 5, 1024, 1025, 65536]) func sealedContents(size: Int) throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        try vault.save("a", "one")
        var random = Randomness(seed: 3)
        let bytes = random.bytes(size)
        let lineage = try vault.tree.withLock { tree throws(Errno) in tree.lineage(of: Node(rawValue: 2)) }
        let (old, new) = try run(vault) { (transaction) throws(Errno) in
            let old = try transaction.lineage(lineage)?.heads ?? []
            var buffer = PlainBuffer()
            buffer.append(bytes: bytes)
            let change = try transaction.seal(buffer, for: lineage, replaces: old)
            #expect(try transaction.open(change)?.withBytes { $0.copied } == bytes)
            try transaction.put(change, heads: [change.stamp], rivals: [])
            try transaction.noteOwnLineage(lineage)
            return (old, change)
        }
        #expect(try vault.bytes("a") == bytes)
        vault = try fixture.reopen(vault)
        try run(vault) { (transaction) throws(Errno) in
            #expect(try transaction.open(lineage, as: old[0])?.withBytes { $0.copied } == Array("one".utf8))
            #expect(try transaction.open(lineage, as: new.stamp)?.withBytes { $0.copied } == bytes)
            #expect(try transaction.open(lineage, as: .zero) == nil)
            let pushed = try transaction.content(of: lineage)
            #expect(pushed?.column == new.column && pushed?.replaces == new.replaces)
            let own = try transaction.ownChanges(atMost: 1 << 20)
            #expect(own.contains { if case .content(let content) = $0 { content == pushed } else { false } })
        }
        #expect(try vault.verify { _, _ in }.damage == [])
        try vault.close()
    }

    /// A conflict's loser gets a lineage of its own with the very same chunks: whoever goes first, the other keeps them.
    @Test(arguments: [true, false]) func copiesShareChunks(originalGoes: Bool) throws {
        let fixture = try Fixture()
        var vault = try fixture.create()
        var random = Randomness(seed: 4)
        let bytes = random.bytes(400_000)
        let node = try vault.save("a", bytes)
        let lineage = vault.tree.withLock { $0.lineage(of: node) }
        try run(vault) { (transaction) throws(Errno) in
            guard var content = try transaction.content(of: lineage),
                var attributes = try transaction.lineage(lineage)?.attributes
            else { throw .ioError }
            let stamp = transaction.nextStamp()
            let copy = Identifier.random()
            (attributes.lineage, attributes.stamp) = (copy, stamp)
            (content.lineage, content.stamp, content.replaces) = (copy, stamp, [])
            try transaction.put(attributes)
            try transaction.put(content, heads: [stamp], rivals: [])
            try transaction.put(
                EntryRegister(
                    placement: EntryChange(
                        entry: .random(), parent: vault.identifier, lineage: copy, stamp: stamp,
                        name: Array("copy".utf8))))
        }
        let (goes, stays) = originalGoes ? ("a", "copy") : ("copy", "a")
        for number in 0..<12 {
            let node = try vault.find(goes)
            for part in 0..<7 { try vault.overwrite(node, at: UInt64(part * 65536), [UInt8(number)]) }
        }
        vault = try fixture.reopen(vault)
        #expect(try vault.bytes(stays) == bytes)
        for number in 0..<12 {
            let node = try vault.find(stays)
            for part in 0..<7 { try vault.overwrite(node, at: UInt64(part * 65536), [UInt8(number)]) }
        }
        #expect(try vault.verify { _, _ in }.damage == [])
        // The first version of each stays long; without it nothing is shared.
        vault.giveUp(.max, vault.keptBytes(), most: .max)
        #expect(try vault.verify { _, _ in }.damage == [])
        try vault.close()
        // Nothing is left behind either: each file has its chunks and those of its versions.
        #expect(try fixture.query("SELECT count(*) || '' FROM sync") == ["0"])
    }

    @Test func removalsAreForgotten() throws {
        let pair = try ReplicaPair { try $0.save("a", "one") }
        try pair.exchange()
        try pair.first.unlink("a")
        try pair.exchange()
        let entry = try #require(pair.second.committer.withLock { $0.sync.registers.values.keys.first })
        for vault in pair.vaults {
            try run(vault) { (transaction) throws(Errno) in
                #expect(try transaction.entry(entry)?.isShown == false)
                try transaction.forget(entry)
                #expect(try transaction.entry(entry) == nil)
            }
        }
        try pair.reopen()
        try pair.check()
        try pair.close()
    }

    /// The kernel hears of what has changed, and of nothing else.
    @Test func effects() throws {
        let pair = try ReplicaPair { vault in
            try vault.save("a", "one")
            try vault.save("b", "two")
        }
        try pair.exchange()
        let seen = Mutex<[ReplicationEffect]>([])
        pair.second.onReplicated { effects in seen.withLock { $0 += effects } }
        let old = try pair.second.find("a")
        try pair.first.save("a", "more")
        try pair.first.unlink("b")
        let gone = try pair.second.find("b")
        try pair.exchange()
        let effects = seen.withLock { $0 }
        #expect(effects.contains(.name(Array("a".utf8), in: .root)) && effects.contains(.attributes(old)))
        #expect(effects.contains(.removed(Array("b".utf8), in: .root, node: gone)))
        #expect(!effects.contains(.name(Array("b".utf8), in: .root)))
        try pair.close()
    }
}
