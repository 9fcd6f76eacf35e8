import Foundation
import Format
import Synchronization
import TestSupport
import Testing

@testable import Vault

/// What a vault keeps beyond its live contents gives way, and nothing else goes with it.
@Suite struct KeepingTests {
    private func bytes(_ number: Int, _ count: Int) -> [UInt8] {
        var random = Randomness(seed: UInt64(number))
        return random.bytes(count)
    }

    private func nothing(but share: Int = 0) -> Keeping {
        var keeping = Keeping()
        (keeping.share, keeping.floor) = (share, 0)
        return keeping
    }

    // MARK: Bounds

    /// A large content that is written and removed again and again: what is kept stays below its bound.
    @Test func removedContentsStayWithinTheBound() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        vault.maintenance.stop()
        vault.keeping.floor = 8 << 20
        try vault.save("live", bytes(1, 1 << 20))
        for number in 0..<40 {
            try vault.save("large", bytes(number, 1 << 20))
            try vault.unlink("large")
            vault.kept.withLock { $0.lookAgain() }
            vault.maintain()
        }
        vault.kept.withLock { $0.lookAgain() }
        vault.maintain()
        let state = vault.keptBytes()
        #expect(state.kept <= state.budget, "\(state)")
        #expect(state.kept > 4 << 20, "no more goes than has to: \(state)")
        #expect(try vault.bytes("live") == bytes(1, 1 << 20))
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        try vault.close()
        #expect(try KeptRows.complaint(fixture) == nil)
    }

    /// Of an entry that was removed with a long history, the history goes before the entry.
    @Test func aRemovedEntryOutlivesItsHistory() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        vault.maintenance.stop()
        for number in 0..<20 { try vault.save("a", bytes(number, 1 << 20)) }
        try vault.unlink("a")
        vault.keeping = nothing()
        vault.keeping.floor = 8 << 20
        vault.kept.withLock { $0.lookAgain() }
        vault.maintain()
        let state = vault.keptBytes()
        #expect(state.kept <= state.budget && state.kept > 5 << 20, "\(state)")
        #expect(vault.statistics().trash == 1)
        try vault.close()
    }

    /// One large content that is saved often does not push out the history of small ones.
    @Test func smallHistoriesOutliveLargeOnes() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        vault.maintenance.stop()
        vault.keeping = nothing(but: 100)
        for number in 0..<10 { try vault.save("password", "secret \(number)") }
        for number in 0..<10 {
            try vault.save("large", bytes(number, 2 << 20))
            vault.kept.withLock { $0.lookAgain() }
            vault.maintain()
        }
        #expect(try vault.versions(of: vault.find("password")).count == 9)
        let large = try vault.history(of: vault.find("large")).count
        #expect((1...2).contains(large), "\(large)")
        try vault.close()
    }

    /// Of equals the oldest goes first.
    @Test func theOldestGoesFirst() throws {
        var items: [KeptItem] = []
        for age in [5, 900, 40, 70_000] as [Int64] {
            items.append(KeptItem(kind: .version(slot: age), file: 1, bytes: 1 << 20, since: 100_000 - age))
        }
        var list = KeptList(items, protectable: 0, now: 100_000)
        let order = list.next(atMost: 4, bytes: .max).map { 100_000 - $0.since }
        #expect(order == [70_000, 900, 40, 5])
    }

    /// What another device's edit took the place of stays, as far as its share goes.
    @Test func whatAnotherDeviceReplacedStays() throws {
        let pair = try ReplicaPair { vault in
            for name in ["a", "b", "c"] { try vault.save(name, "mine \(name)") }
        }
        try pair.exchange()
        try pair.first.save("c", "mine again")
        try pair.second.save("a", "theirs")
        try pair.second.unlink("b")
        try pair.exchange()
        for number in 0..<3 { try pair.first.save("a", "later \(number)") }
        pair.first.keeping.floor = 1 << 20
        var state = pair.first.keptBytes()
        state.budget = 1 << 20
        pair.first.giveUp(.max, state, most: .max)
        #expect(try pair.first.versions(of: pair.first.find("a")) == ["mine a"])
        #expect(try pair.first.versions(of: pair.first.find("c")) == [])
        #expect(pair.first.statistics().trash == 1)
        #expect(pair.first.keptBytes().protected > 0)
        // Its share is used up: then it goes like all else.
        pair.first.keeping.floor = 0
        state.budget = 0
        pair.first.giveUp(.max, state, most: .max)
        #expect(try pair.first.versions(of: pair.first.find("a")) == [])
        #expect(pair.first.statistics().trash == 0)
        try pair.close()
    }

    /// It is known after opening again who has removed an entry.
    @Test func whoRemovedItIsKept() throws {
        let pair = try ReplicaPair { vault in for name in ["a", "b"] { try vault.save(name, "text") } }
        try pair.exchange()
        try pair.second.unlink("a")
        try pair.first.unlink("b")
        try pair.exchange()
        try pair.reopen()
        for vault in pair.vaults {
            let others = vault.trash.withLock { trash in trash.waiting.map(\.isOthers) }
            #expect(others.sorted { !$0 && $1 } == [false, true])
        }
        try pair.close()
    }

    // MARK: Anything

    /// Everything that programs do, and in between what is kept gives way, in part or all: what is left opens, nothing is
    /// left over, and the live contents are what they were.
    @Test(arguments: Range(1...KeepingTests.seeds)) func anySequence(_ seed: Int) throws {
        let fixture = try Fixture()
        let run = try KeepingRun(fixture, seed: UInt64(seed))
        for _ in 0..<80 {
            try run.step()
            if let complaint = try run.complaint() {
                Issue.record("seed \(seed): \(complaint)\n\(run.log.joined(separator: "\n"))")
                break
            }
        }
        try run.end()
        #expect(try KeptRows.complaint(fixture) == nil, "seed \(seed):\n\(run.log.joined(separator: "\n"))")
    }

    private static let seeds =
        ProcessInfo.processInfo.environment["COFFER_KEEPING_SEEDS"].flatMap { Int($0) } ?? (Program.long ? 500 : 12)

    /// With a bound of nothing, all that is kept is gone, in the rows, too.
    @Test func nothingIsLeftOver() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        vault.maintenance.stop()
        for number in 0..<6 {
            try vault.save("a", bytes(number, 300_000))
            try vault.save("b", bytes(number, 5000))
            try vault.unlink("b")
        }
        vault.keeping = nothing()
        vault.kept.withLock { $0.lookAgain() }
        vault.maintain()
        #expect(try vault.history(of: vault.find("a")).isEmpty)
        #expect(vault.statistics().trash == 0)
        try vault.close()
        #expect(try Array(fixture.rowCounts()[0...3]) == ["1", "2", "5", "0"], "entries, files, chunks, versions")
    }
}
