import Format
import Sealing
import Sync
import Testing

/// Which entries an alarm is about.
@Suite struct AffectedTests {
    private func syncedPair() async throws -> Pair {
        let pair = Pair()
        for name in ["mail", "note", "gone"] { try pair.make(name, "first", on: 0) }
        for device in [0, 1, 0] { try await pair.sync(device) }
        return pair
    }

    /// What the alarm that a run ends with is about.
    private func affected(_ pair: Pair, _ device: Int, replica: MemoryReplica? = nil) async throws -> AffectedEntries {
        let failure = await #expect(throws: SyncError.self) { try await pair.sync(device, replica: replica) }
        return try await pair.engine(device, replica: replica).affected(by: try #require(failure))
    }

    /// A device sees an older remote, in which its own log is whole.
    private func setBack(_ pair: Pair, _ old: [RemotePath: [UInt8]], except device: Int) {
        let own = pair.segments(of: device, in: pair.view(device))
        pair.setView(device, old.merging(pair.view(device).filter { own.contains($0.key) }) { $1 })
    }

    private func names(_ affected: AffectedEntries) -> Set<String> {
        Set(affected.entries.map { String(decoding: $0.name, as: UTF8.self) })
    }

    private func entry(_ name: String, _ replica: MemoryReplica) throws -> EntryRegister {
        try #require(replica.store.entries.values.first { $0.placement.name == Array(name.utf8) })
    }

    private func setTime(_ seconds: Int64, of name: String, on device: Int, _ pair: Pair) throws {
        let lineage = try entry(name, pair.replicas[device]).placement.lineage
        let time = Timestamp(seconds: seconds, nanoseconds: 0)
        try pair.replicas[device].edit { (t) throws(SyncError) in
            t.store.lineages[lineage]?.attributes.modified = time
        }
    }

    /// What the lost segments changed, whatever it was; nothing that was there before, and nothing of another device.
    @Test func attack12_lostEntriesAreNamed() async throws {
        let pair = try await syncedPair()
        let old = pair.view(1)
        try pair.write("second", to: "mail", on: 0)
        try setTime(1000, of: "mail", on: 0, pair)
        try pair.make("later", "x", on: 0)
        try setTime(2000, of: "later", on: 0, pair)
        let (note, gone) = (try entry("note", pair.replicas[0]), try entry("gone", pair.replicas[0]))
        let top = pair.family.vault
        try pair.replicas[0].edit { (t) throws(SyncError) in
            try t.move(note.placement.entry, to: top, as: "moved")
            try t.remove(gone.placement.entry)
        }
        for device in [0, 1] { try await pair.sync(device) }
        try pair.make("of another device", "y", on: 1)
        try await pair.sync(1)
        setBack(pair, old, except: 1)
        let affected = try await affected(pair, 1)
        #expect(names(affected) == ["mail", "later", "moved", "gone"])
        #expect(affected.count == 4 && !affected.isIncomplete)
        #expect(affected.saved == Timestamp(seconds: 2000, nanoseconds: 0))
    }

    /// What is before the last segment that is still there is not lost; and a name alone is no segment.
    @Test func attack12_entriesThatAreStillThereAreNot() async throws {
        let pair = try await syncedPair()
        for name in ["one", "two", "three"] {
            try pair.make(name, "x", on: 0)
            for device in [0, 1] { try await pair.sync(device) }
        }
        let segments = pair.segments(of: 0, in: pair.view(1))
        var view = pair.view(1).filter { !segments.suffix(2).contains($0.key) }
        let folder = segments[0].components.dropLast()
        let planted = "\(segments.count - 1).\(String(repeating: "a", count: 32))"
        view[try #require(RemotePath(folder + [planted]))] = Array("litter".utf8)
        // Nor is what somebody with the account key makes of one: the device has not signed it.
        var bytes = try #require(pair.view(1)[segments[segments.count - 2]])
        bytes[bytes.count - 1] ^= 1
        let digest = unsafe Digest.blake2b128(bytes.span.bytes)
        let forged = "\(segments.count - 1).\(Identifier(low: digest.0, high: digest.1).hexadecimal)"
        view[try #require(RemotePath(folder + [forged]))] = bytes
        pair.setView(1, view)
        #expect(names(try await affected(pair, 1)) == ["two", "three"])
    }

    /// Many are counted, and the latest ones named.
    @Test func attack12_manyEntriesAreCounted() async throws {
        let pair = try await syncedPair()
        let old = pair.view(1)
        for number in 0..<700 { try pair.make("entry \(number)", "x", on: 0) }
        for device in [0, 1] { try await pair.sync(device) }
        pair.setView(1, old)
        let affected = try await affected(pair, 1)
        #expect(affected.count == 700)
        let latest = (690..<700).reversed().map { "entry \($0)" }
        #expect(affected.entries.map { String(decoding: $0.name, as: UTF8.self) } == latest)
    }

    /// Where all is gone, so is what every device had written; what was never there is not.
    @Test func attack12_emptiedRemoteIsAboutAllEntries() async throws {
        let pair = try await syncedPair()
        try pair.make("mine", "x", on: 1)
        try await pair.sync(1)
        try pair.make("never sent", "y", on: 1)
        pair.setView(1, [:])
        #expect(names(try await affected(pair, 1)) == ["mail", "note", "gone", "mine"])
    }

    /// The own log.
    @Test func attack12_ownLostEntriesAreNamed() async throws {
        let pair = try await syncedPair()
        let old = pair.view(0)
        try pair.make("mine", "x", on: 0)
        try await pair.sync(0)
        try pair.make("never sent", "y", on: 0)
        for calls in 0..<40 where pair.replicas[0].store.outbox.isEmpty {
            pair.remotes[0].fail(after: calls, carryingOut: false)
            await #expect(throws: SyncError.self) { try await pair.sync(0) }
        }
        pair.remotes[0].fail(after: .max, carryingOut: false)
        try pair.make("in no segment yet", "z", on: 0)
        pair.setView(0, old)
        #expect(names(try await affected(pair, 0)) == ["mine"])
    }

    /// A version that stands beside the present one is lost like any other.
    @Test func attack12_lostRivalIsNamed() async throws {
        let pair = try await syncedPair()
        let old = pair.view(1)
        for text in ["mine", "again", "and again"] { try pair.write(text, to: "note", on: 1) }
        try pair.write("theirs", to: "note", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        setBack(pair, old, except: 1)
        let names = names(try await affected(pair, 1))
        #expect(names.contains("note") && names.count == 2, "\(names)")
    }

    /// One device's log with two histories, the second of which changes other entries.
    private func forked() async throws -> (pair: Pair, left: [RemotePath: [UInt8]]) {
        let pair = try await syncedPair()
        let (twin, before) = (pair.replicas[0].copy(), pair.view(0))
        try pair.write("left", to: "mail", on: 0)
        try await pair.sync(0)
        let left = pair.view(0)
        for device in [0, 1] { pair.setView(device, before) }
        try twin.edit { (t) throws(SyncError) in t.store.saved = Timestamp(seconds: 3000, nanoseconds: 0) }
        try pair.write("right", to: "note", on: 0, replica: twin)
        try pair.make("only there", "x", on: 0, replica: twin)
        try await pair.sync(0, replica: twin)
        return (pair, left)
    }

    @Test func attack13_entriesOfBothHistoriesAreNamed() async throws {
        let (pair, left) = try await forked()
        pair.setView(1, pair.view(1).merging(left) { one, _ in one })
        let affected = try await affected(pair, 1)
        #expect(names(affected) == ["mail", "note", "only there"])
        #expect(affected.count == 3 && !affected.isIncomplete)
        #expect(affected.saved == Timestamp(seconds: 3000, nanoseconds: 0))
    }

    /// One of them goes on behind that.
    @Test func attack13_historyThatGoesOnMayHaveMore() async throws {
        let (pair, left) = try await forked()
        let right = pair.view(1)
        pair.setView(0, left)
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        pair.setView(1, right.merging(pair.view(0)) { one, _ in one })
        let affected = try await affected(pair, 1)
        #expect(names(affected) == ["mail", "note", "only there"] && affected.isIncomplete)
    }

    /// The history that was read here is not at the remote any more.
    @Test func attack13_historyThatWasReadIsKnownWithoutTheRemote() async throws {
        let (pair, left) = try await forked()
        let right = pair.view(1)
        pair.setView(1, left)
        try await pair.sync(1)
        pair.setView(1, right)
        let affected = try await affected(pair, 1)
        #expect(names(affected) == ["mail", "note", "only there"])
        #expect(affected.count == 3 && !affected.isIncomplete)
    }

    /// What follows is of another history than what was read: there may be more of that.
    @Test func attack13_endOfAnotherHistoryIsNotAllOfIt() async throws {
        let (pair, left) = try await forked()
        try await pair.sync(1)
        pair.setView(0, left)
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        let affected = try await affected(pair, 1)
        #expect(names(affected) == ["later", "note", "only there"] && affected.isIncomplete)
    }

    /// A copy of a database tells what it has changed itself: in segments that were never sent, and in none yet.
    @Test func attack11_entriesThatOnlyTheCopyHasAreNamed() async throws {
        let pair = try await syncedPair()
        let copy = pair.replicas[1].copy()
        try pair.write("of the copy", to: "mail", on: 1, replica: copy)
        pair.remotes[1].fail(after: 6, carryingOut: false)
        await #expect(throws: SyncError.self) { try await pair.sync(1, replica: copy) }
        #expect(copy.store.outbox.count == 1)
        pair.remotes[1].fail(after: .max, carryingOut: false)
        try pair.make("one", "1", on: 1)
        try await pair.sync(1)
        try pair.make("two", "2", on: 1, replica: copy)
        let before = copy.store.own
        #expect(names(try await affected(pair, 1, replica: copy)) == ["mail", "two"])
        #expect(copy.store.own == before, "they are still to be sent")
    }

    /// Names of entries are secret: an alarm has none in what is kept.
    @Test func namesAreKeptNowhere() async throws {
        let pair = try await syncedPair()
        let old = pair.view(1)
        try pair.make("a secret name", "x", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        pair.setView(1, old)
        #expect(names(try await affected(pair, 1)) == ["a secret name"])
        let kept = pair.evidence.names.map { pair.evidence[$0] ?? [] } + [pair.replicas[1].store.state ?? []]
        #expect(kept.count > 2)
        for bytes in kept { #expect(!String(decoding: bytes, as: UTF8.self).contains("secret")) }
    }
}
