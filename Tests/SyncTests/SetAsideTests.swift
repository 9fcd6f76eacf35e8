import Format
import Sync
import Testing
import Vault

/// A change that the replica refuses, by a fault that nobody knows of, waits by itself: everything else goes on, it is named,
/// and it is applied once that works.
@Suite struct SetAsideTests {
    private func refuse(_ name: String, _ isRefused: Bool = true, on device: Int, _ pair: Pair) throws {
        try pair.replicas[device].edit { (t) throws(SyncError) in
            if isRefused { t.store.refuses.insert(Array(name.utf8)) } else { t.store.refuses.remove(Array(name.utf8)) }
        }
    }

    private func pairWithRefusal() async throws -> Pair {
        let pair = Pair()
        try await pair.sync(0)
        try await pair.sync(1)
        try refuse("bad", on: 1, pair)
        try pair.make("bad", "b", on: 0)
        try pair.make("good", "g", on: 0)
        try await pair.sync(0)
        return pair
    }

    @Test func everythingElseGoesOn() async throws {
        let pair = try await pairWithRefusal()
        let report = try await pair.sync(1)
        #expect(report.refusedChanges.map { String(decoding: $0.name, as: UTF8.self) } == ["bad"])
        #expect(report.refusedChanges.map(\.device) == [pair.family.devices[0]])
        #expect(pair.tree(1) == ["good": "g"])
        try pair.make("mine", "m", on: 1)
        try pair.write("g2", to: "good", on: 0)
        try await pair.sync(1)
        try await pair.sync(0)
        #expect(pair.tree(0) == ["bad": "b", "good": "g2", "mine": "m"])
        // It is named each time, and what builds on it waits with it.
        try pair.write("b2", to: "bad", on: 0)
        try await pair.sync(0)
        #expect(try await pair.sync(1).refusedChanges.count == 1)
        #expect(pair.tree(1) == ["good": "g2", "mine": "m"])

        try refuse("bad", false, on: 1, pair)
        let healed = try await pair.sync(1)
        #expect(healed.refusedChanges.isEmpty)
        #expect(healed.conflicts.isEmpty)
        #expect(pair.tree(1) == pair.tree(0))
        #expect(pair.tree(1)["bad"] == "b2")
        #expect(try await pair.sync(0).pulledChanges == 0)
    }

    /// What is in a folder that waits is not shown elsewhere meanwhile, and nobody hears of such a thing.
    @Test func whatIsInAFolderWaitsWithIt() async throws {
        let pair = Pair()
        try await pair.sync(0)
        try await pair.sync(1)
        try refuse("d", on: 1, pair)
        let (directory, file) = (pair.family.devices[2], pair.family.devices[3])
        try pair.replicas[0].edit { (t) throws(SyncError) in
            try t.make("d", in: pair.family.vault, nil, id: directory)
            try t.make("f", in: directory, "1", id: file)
        }
        try await pair.sync(0)
        try await pair.sync(1)
        #expect(pair.tree(1).isEmpty)
        try pair.replicas[0].edit { (t) throws(SyncError) in t.write("2", to: file) }
        try await pair.sync(0)
        try await pair.sync(1)
        #expect(pair.tree(1).isEmpty)
        try refuse("d", false, on: 1, pair)
        #expect(try await pair.sync(1).conflicts.isEmpty)
        #expect(pair.tree(1) == ["d/": "", "d/f": "2"])
        #expect(pair.tree(0) == pair.tree(1))
    }

    /// Its author has removed it meanwhile: it never shows.
    @Test func whatIsGoneByThenStaysAway() async throws {
        let pair = try await pairWithRefusal()
        try await pair.sync(1)
        let entry = try #require(pair.replicas[0].store.entries.values.first { $0.placement.name == Array("bad".utf8) })
        try pair.replicas[0].edit { (t) throws(SyncError) in try t.remove(entry.placement.entry) }
        try await pair.sync(0)
        try await pair.sync(1)
        try refuse("bad", false, on: 1, pair)
        #expect(try await pair.sync(1).conflicts.isEmpty)
        #expect(pair.tree(1) == ["good": "g"])
        #expect(pair.tree(0) == pair.tree(1))
    }

    /// A snapshot has all that it covers: none is written by a device that lacks something.
    @Test func noSnapshotIsWrittenWithoutIt() async throws {
        let pair = try await pairWithRefusal()
        pair.segmentsBeforeSnapshot = 1
        for number in 0..<8 {
            try pair.make("more\(number)", "m", on: 1)
            #expect(try await !pair.sync(1).hasCompacted)
        }
        try refuse("bad", false, on: 1, pair)
        #expect(try await pair.sync(1).hasCompacted)
        let joiner = pair.join()
        try await pair.sync(joiner)
        #expect(pair.tree(joiner) == pair.tree(1))
        #expect(pair.tree(joiner)["bad"] == "b")
    }

    /// A full disk is no property of a change: the run ends, and nothing is set aside.
    @Test func whatIsNoFaultOfTheChangeEndsTheRun() async throws {
        let pair = try await pairWithRefusal()
        try pair.replicas[1].edit { (t) throws(SyncError) in t.store.refusal = 28 }
        await #expect(throws: SyncError.store(28)) { try await pair.sync(1) }
        #expect(pair.replicas[1].store.setAside.isEmpty)
        try pair.replicas[1].edit { (t) throws(SyncError) in t.store.refusal = 22 }
        #expect(try await pair.sync(1).refusedChanges.count == 1)
    }

    /// A device that turns may write what is refused without an end: what waits is bounded, and nothing of it is lost here.
    @Test func whatWaitsIsBounded() async throws {
        let pair = Pair()
        try await pair.sync(0)
        try await pair.sync(1)
        for number in 0..<300 {
            try refuse("bad\(number)", on: 1, pair)
            try pair.make("bad\(number)", "b", on: 0)
            try await pair.sync(0)
        }
        await #expect(throws: SyncError.store(27)) { try await pair.sync(1) }
        #expect(pair.replicas[1].store.setAside.count == 256)
        for number in 0..<300 { try refuse("bad\(number)", false, on: 1, pair) }
        #expect(try await pair.sync(1).refusedChanges.isEmpty)
        #expect(pair.tree(1) == pair.tree(0))
    }

    /// In a vault they are rows like others: there after it was opened again, and `verify` reads them.
    @Test func theyStayInAVault() async throws {
        let pair = try VaultPair()
        let rows: [[UInt8]] = [[1, 2, 3], [UInt8](repeating: 7, count: 300_000)]
        try pair.devices[0].replica.transaction { (t) throws(SyncError) in for row in rows { try t.setAside(row) } }
        try pair.devices[0].reopen()
        #expect(try pair.devices[0].vault.verify { _, _ in }.damage.isEmpty)
        let found = try pair.devices[0].replica.transaction { (t) throws(SyncError) in try t.setAside() }
        #expect(found.sorted { $0.number < $1.number }.map(\.row) == rows)
        try pair.devices[0].replica.transaction { (t) throws(SyncError) in
            for row in found { try t.removeSetAside(row.number) }
        }
        try pair.devices[0].reopen()
        #expect(try pair.devices[0].replica.transaction { (t) throws(SyncError) in try t.setAside().isEmpty })
    }
}
