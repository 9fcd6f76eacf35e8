import Format
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// A transaction of synchronisation happens as a whole or not at all, whatever comes, and takes nothing from programs
/// that have a file open.
@Suite struct ReplicationFailureTests {
    private struct Stop: Error {}

    private func run(
        _ vault: Vault, _ body: (ReplicationTransaction) throws(Errno) -> Void
    ) throws(Errno) { try vault.replicate(translating: { $0 }, body) }

    private func changes(of vault: Vault) throws -> [Change] {
        try vault.replicate(translating: { $0 }) { (transaction) throws(Errno) in
            let changes = try transaction.ownChanges(atMost: 1 << 20)
            try transaction.endSegment()
            return changes
        }
    }

    @Test func whatFailsHasNotHappened() throws {
        var random = Randomness(seed: 1)
        let pair = try ReplicaPair { vault in
            try vault.save("a", "one")
            try vault.save("b", "two")
            try vault.save("c", "three", in: vault.makeDirectory("d"))
        }
        try pair.exchange()
        try pair.first.save("a", random.bytes(10_000))
        try pair.first.replaceByRenaming("b", "another")
        try pair.first.unlink("c", in: pair.first.find("d"))
        try pair.first.removeDirectory("d")
        try pair.first.save("new", "new")
        let changes = try changes(of: pair.first)
        let before = (try pair.second.picture(), pair.second.statistics().trash)
        for end in 0...changes.count {
            #expect(throws: Stop.self) {
                try pair.second.replicate(translating: { _ in Stop() }) { (transaction) throws(Stop) in
                    do throws(Errno) { try ReplicaPair.apply(Array(changes[..<end]), transaction) } catch {
                        Issue.record("\(error)")
                    }
                    throw Stop()
                }
            }
            #expect(try pair.second.picture() == before.0)
            #expect(pair.second.statistics().trash == before.1)
        }
        #expect(try pair.second.verify { _, _ in }.damage == [])
        // Nobody is kept from what was about to go.
        let node = try pair.second.find("a")
        try pair.second.opened(node, writing: false, truncate: false)
        pair.second.closed(node, writing: false)
        try ReplicaPair.pull(changes, from: pair.first, into: pair.second)
        try pair.exchange()
        try pair.close()
    }

    @Test func openFilesKeepWhatTheyHad() throws {
        let pair = try ReplicaPair { try $0.save("a", "one") }
        try pair.exchange()
        let node = try pair.second.find("a")
        try pair.second.opened(node, writing: true, truncate: false)
        try pair.first.save("a", "two")
        try pair.exchange()
        #expect(try pair.second.text("a") == "two")
        #expect(try String(decoding: pair.second.bytes(node), as: UTF8.self) == "one")
        try pair.first.unlink("a")
        try pair.exchange()
        #expect(try String(decoding: pair.second.bytes(node), as: UTF8.self) == "one")
        pair.second.closed(node, writing: true)
        try pair.reopen()
        try pair.check()
        try pair.close()
    }

    /// What was written and not flushed is an own change before anything comes; what is written while it comes keeps it
    /// off.
    @Test func unflushedChangesAreNotLost() throws {
        let pair = try ReplicaPair { try $0.save("a", "one") }
        try pair.exchange()
        let node = try pair.second.find("a")
        try pair.second.opened(node, writing: true, truncate: false)
        try pair.second.write(node, offset: 0, Array("mine".utf8).raw)
        try pair.first.save("a", "theirs")
        let theirs = try changes(of: pair.first)
        try run(pair.second) { (transaction) throws(Errno) in
            for case .content(let content) in theirs {
                let heads = try transaction.lineage(content.lineage)?.heads
                #expect(heads?.first?.device == transaction.committer.root.device)
            }
        }
        #expect(throws: Errno.resourceBusy) {
            try run(pair.second) { (transaction) throws(Errno) in
                try pair.second.write(node, offset: 0, Array("more".utf8).raw)
                for case .content(let content) in theirs {
                    try transaction.put(content, heads: [content.stamp], rivals: [])
                }
            }
        }
        #expect(try pair.second.text("a") == "more")
        pair.second.closed(node, writing: true)
        try pair.close()
    }

    @Test func whatIsNoChangeIsRefused() throws {
        let pair = try ReplicaPair { vault in
            try vault.save("a", "one")
            try vault.save("b", "two", in: vault.makeDirectory("d"))
        }
        try pair.exchange()
        let vault = pair.second
        let (root, time) = (vault.identifier, Timestamp.now())
        let stamp = Stamp(lamport: 1 << 20, device: .random())
        let changes = pair.carried.flatMap { $0 }
        let entries = changes.compactMap { if case .entry(let entry) = $0 { entry } else { nil } }
        let contents = changes.compactMap { if case .content(let content) = $0 { content } else { nil } }
        let directory = try #require(entries.first { $0.name == Array("d".utf8) })
        let file = try #require(entries.first { $0.name == Array("a".utf8) })
        func place(_ change: (inout EntryChange) -> Void) -> EntryRegister {
            var placement = EntryChange(
                entry: .random(), parent: root, lineage: file.lineage, stamp: stamp, name: Array("x".utf8))
            change(&placement)
            return EntryRegister(placement: placement)
        }
        let registers = [
            place { $0.name = [] }, place { $0.name = Array("..".utf8) }, place { $0.name = [0x61, 0x2F] },
            place { $0.name = [UInt8](repeating: 0x61, count: 256) }, place { $0.name = Array("a".utf8) },
            place { $0.parent = .random() }, place { $0.parent = file.lineage }, place { $0.lineage = .random() },
            place { $0.lineage = root },
            place { ($0.entry, $0.lineage, $0.parent) = (directory.entry, directory.lineage, directory.lineage) },
        ]
        for register in registers {
            #expect(throws: Errno.invalidArgument, "\(register)") {
                try run(vault) { (transaction) throws(Errno) in try transaction.put(register) }
            }
        }
        for mode in [FileType.directory | 0o700, 0o600, 0o170000] {
            #expect(throws: Errno.invalidArgument) {
                try run(vault) { (transaction) throws(Errno) in
                    try transaction.put(
                        AttributesChange(
                            lineage: file.lineage, stamp: stamp, mode: mode, accessed: time, modified: time,
                            changed: time))
                }
            }
        }
        let good = try #require(contents.first { $0.lineage == file.lineage })
        func content(_ change: (inout ContentChange) -> Void) -> ContentChange {
            var content = good
            content.stamp = stamp
            change(&content)
            return content
        }
        let chunk = ChunkReference(slot: 5, hash: .random())
        let bad = [
            content { $0.lineage = .random() }, content { $0.lineage = directory.lineage },
            content { $0.column[0] ^= 1 }, content { $0.column = [] }, content { $0.reference.size = 1 << 50 },
            content { $0.reference.size = 2000 }, content { $0.reference.kind = .none },
            content { $0.reference.kind = .chunks }, content { $0.reference.origin = .random() },
            content { $0.chunks = [chunk] },
        ]
        for content in bad {
            #expect(throws: Errno.invalidArgument) {
                try run(vault) { (transaction) throws(Errno) in try transaction.put(content, heads: [stamp], rivals: [])
                }
            }
        }
        try pair.check()
        try pair.close()
    }
}
