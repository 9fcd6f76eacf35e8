import Format
import Sealing
import Synchronization
import Testing

@testable import Sync

/// Attacks on single objects of the remote: put in another's place, cut, made to cost memory, torn while they are written.
@Suite struct ObjectAttackTests {
    private func syncedPair() async throws -> Pair {
        let pair = Pair()
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 0] { try await pair.sync(device) }
        return pair
    }

    /// A segment that is still to be read is another one: of the same device, of another, with its hash in the name or not.
    @Test(arguments: [(2, 3), (3, 2), (2, 0)], [false, true])
    func attack08_segmentInAnotherPlaceIsNone(_ numbers: (place: Int, other: Int), isRenamed: Bool) async throws {
        let pair = try await syncedPair()
        for name in ["one", "two"] {
            try pair.make(name, name, on: 0)
            try await pair.sync(0)
        }
        let whole = pair.view(1)
        let segments = pair.segments(of: 0, in: whole)
        let own = try #require(pair.segments(of: 1, in: whole).last)
        let (place, other) = (segments[numbers.place - 1], numbers.other == 0 ? own : segments[numbers.other - 1])
        let bytes = try #require(whole[other])
        var name = place
        // With the right hash in the name it is whole, and still another segment.
        if isRenamed {
            name = Layout.segment(pair.family.devices[0], UInt64(numbers.place), Identifier(hashing: bytes))
        }
        var view = whole
        view[place] = nil
        view[name] = bytes
        pair.setView(1, view)
        let report = try await pair.sync(1)
        #expect(report.damaged == [name.description])
        #expect(pair.tree(1) == (numbers.place == 2 ? ["mail": "secret\n"] : ["mail": "secret\n", "one": "one"]))
        pair.setView(1, whole)
        try await pair.sync(1)
        #expect(pair.tree(1) == ["mail": "secret\n", "one": "one", "two": "two"])
    }

    /// A content comes whole or not at all.
    @Test func attack09_chunksOutOfPlaceAreNamed() async throws {
        let pair = try await syncedPair()
        try pair.make("large", (0..<400).map { "\($0) " }.joined(), on: 0)
        try await pair.sync(0)
        let whole = pair.view(1)
        let blobs = whole.keys.filter { $0.components[1] == "chunk" }.sorted()
        try #require(blobs.count > 3)
        let (one, two) = (blobs[0], blobs[1])
        let bytes = try #require(whole[one])
        let tampered: [[RemotePath: [UInt8]]] = [
            [one: whole[two] ?? [], two: bytes], [one: Array(bytes.dropLast())], [one: []],
            [one: [UInt8](repeating: 0, count: bytes.count)], [one: bytes.enumerated().map { $0 == 30 ? $1 ^ 1 : $1 }],
        ]
        for change in tampered {
            pair.setView(1, whole.merging(change) { $1 })
            let report = try await pair.sync(1)
            #expect(report.damaged.contains { object in change.keys.contains { $0.description == object } })
            #expect(pair.tree(1) == ["mail": "secret\n"])
        }
        pair.setView(1, whole)
        try await pair.sync(1)
        #expect(pair.tree(1) == pair.tree(0))
    }

    /// The connection drops at each call, and meanwhile the other device sees part of what there is, torn objects too.
    @Test(arguments: [false, true]) func attack17_uploadIsTornAtEachStep(carriesOut: Bool) async throws {
        var isThrough = false
        for calls in 0..<200 where !isThrough {
            let pair = try await syncedPair()
            var random = Randomness(seed: UInt64(calls))
            try pair.make("large", (0..<400).map { "\($0) " }.joined(), on: 0)
            try pair.make("small", "x", on: 0)
            try pair.write("newer", to: "mail", on: 0)
            pair.remotes[0].fail(after: calls, carryingOut: carriesOut)
            do throws(SyncError) {
                _ = try await pair.engine(0).sync()
                isThrough = true
            } catch {
                #expect(error == .remote(.unreachable("dropped")))
            }
            pair.remote.deliver(0.5, using: &random)
            _ = try await pair.engine(1).sync()
            #expect(["secret\n", "newer"].contains(pair.tree(1)["mail"] ?? ""))
            #expect(pair.tree(1)["large"].map { $0 == pair.tree(0)["large"] } ?? true, "whole or not at all")
            pair.remotes[0].fail(after: .max, carryingOut: false)
            for device in [0, 1, 0, 1] { try await pair.sync(device) }
            #expect(pair.tree(1) == pair.tree(0) && pair.tree(1).count == 3, "\(calls)")
            pair.remote.contents.withLock { contents in
                #expect(contents.rewrites.isEmpty, "what is tried again is the same bytes")
                #expect(contents.twins.isEmpty)
            }
        }
        #expect(isThrough)
    }

    /// Of all that is ever written no two objects have the nonce in common: not of a database that was copied and goes on
    /// twice with the same numbers, and not of a segment that was made anew.
    @Test func attack18_noNonceIsUsedTwice() async throws {
        let pair = try await syncedPair()
        pair.segmentsBeforeSnapshot = 1
        for round in 0..<12 {
            try pair.write("edit \(round)", to: "mail", on: 0)
            for device in [0, 1] { try await pair.sync(device) }
        }
        let twins = [pair.replicas[0], pair.replicas[0].copy()]
        var objects = pair.remote.contents.withLock { Array($0.written.values) }
        for replica in twins {
            try pair.write("the same", to: "mail", on: 0, replica: replica)
            for calls in 0..<40 where replica.store.outbox.isEmpty {
                pair.remotes[0].fail(after: calls, carryingOut: false)
                await #expect(throws: SyncError.self) { try await pair.engine(0, replica: replica).sync() }
            }
            try #require(replica.store.outbox.count == 1)
            objects += replica.store.outbox.values
        }
        let sealed = Set(objects).filter { $0.starts(with: Array("CFR".utf8)) && [0x53, 0x4E].contains($0[3]) }
        #expect(Set(sealed.map { $0[3] }).count == 2 && sealed.count > 16, "segments and parts of snapshots")
        // The seal is behind magic, format, epoch, length, device, sequence, index and count (Sync.md).
        #expect(Set(sealed.map { Array($0[48..<72]) }).count == sealed.count)
    }

    // MARK: Bombs

    /// A member's segments that promise what is not there: refused before anything is set aside for it.
    /// One that promises nothing is taken.
    @Test(arguments: ["nothing", "seen", "snapshots", "notices", "notice", "changes", "chunks"])
    func attack30_segmentThatPromisesTooMuchIsDamaged(_ what: String) async throws {
        let pair = try await syncedPair()
        let before = try #require(pair.segments(of: 0, in: pair.view(1)).last)
        let hash = try #require(Identifier(hexadecimal: before.components[3].suffix(32)))
        let most = [UInt8](repeating: 0xFF, count: 4)
        var plain = hash.bytes + [255, 0, 0, 0, 0, 0, 0, 0] + [0]
        switch what {
        case "nothing": break
        case "seen": plain += most
        case "snapshots": plain += [0, 0] + most
        case "notices": plain += [0, 0, 0, 0] + most
        case "notice": plain += [0, 0, 0, 0, 1, 0, 6] + most
        case "changes": plain += [0, 0, 0, 0, 0, 0] + most
        default:
            // A content that replaces nothing, with no column and all the chunks there can be.
            plain += [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4] + pair.family.vault.bytes
            plain += [UInt8](repeating: 1, count: 24) + [0] + [UInt8](repeating: 0, count: 12 + 73 + 4) + most
        }
        plain += [UInt8](repeating: 0, count: 1024 - plain.count)
        let (keys, ring) = (pair.family.keys[0], pair.family.ring(of: pair.replicas[0]))
        let header = SignedObject.Header(epoch: 1, device: keys.device.pair, sequence: 2)
        let bytes = unsafe SignedObject.make(
            .segment, header, plain.span.bytes, key: ring.current.keys.segment, vault: keys.vault.pair,
            signer: keys.signer)
        let path = Layout.segment(keys.device, 2, Identifier(hashing: bytes))
        pair.setView(1, pair.view(1).merging([path: bytes]) { $1 })
        let report = try await pair.sync(1)
        #expect(report.damaged == (what == "nothing" ? [] : [path.description]))
        #expect(report.pulledSegments == (what == "nothing" ? 1 : 0))
        #expect(pair.tree(1) == ["mail": "secret\n"])
    }

    /// Names cost nothing to make: thousands for one number are not in memory at once, and hide nothing.
    @Test func attack30_manyNamesForOneNumberAreReadInParts() async throws {
        let pair = try await syncedPair()
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        var view = pair.view(1)
        for number in 0..<1000 as Range<UInt64> {
            view[Layout.segment(pair.family.devices[0], 2, Identifier(low: number, high: 0))] = [1]
        }
        pair.setView(1, view)
        let remote = WidthOfReads(pair.remotes[1])
        let engine = SyncEngine(
            replica: pair.replicas[1], remote: remote, keys: pair.family.keys[1],
            environment: SyncEnvironment(date: { "" }, deviceName: [], segmentBytes: 1 << 20))
        let report = try await engine.sync()
        #expect(report.damaged.count == 1000)
        #expect(pair.tree(1)["later"] == "x")
        #expect(remote.segments.withLock { $0 } <= 8)
    }

    /// Longer than any segment is: named without being read, and no more.
    @Test func attack30_endlessSegmentIsNamed() async throws {
        let pair = try await syncedPair()
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        let whole = pair.view(1)
        let path = try #require(pair.segments(of: 0, in: whole).last)
        pair.setView(1, whole.merging([path: [UInt8](repeating: 0, count: Limits.segment + 1)]) { $1 })
        #expect(try await pair.sync(1).damaged == [path.description])
        #expect(pair.tree(1) == ["mail": "secret\n"])
        pair.setView(1, whole)
        try await pair.sync(1)
        #expect(pair.tree(1)["later"] == "x")
    }

    /// A hint is a few bytes; whatever else stands there says nothing.
    @Test func attack30_endlessHintSaysNothing() async throws {
        let pair = try await syncedPair()
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        var view = pair.view(1)
        view[Layout.head(pair.family.devices[0])] = [UInt8](repeating: 0x31, count: 1 << 20)
        pair.setView(1, view)
        try await pair.sync(1)
        #expect(pair.tree(1)["later"] == "x")
    }
}

/// Notes how many segments are asked for at once, at the most.
private final class WidthOfReads: Remote {
    let remote: any Remote
    let segments = Mutex(0)

    init(_ remote: any Remote) { self.remote = remote }

    func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] { try await remote.list(folder) }

    func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        let count = paths.count { $0.components[1] == "log" }
        segments.withLock { $0 = max($0, count) }
        return try await remote.read(paths, limit: limit)
    }

    func create(_ objects: [RemoteObject]) async throws(RemoteError) { try await remote.create(objects) }

    func replace(_ hint: RemoteObject) async throws(RemoteError) { try await remote.replace(hint) }

    func remove(_ paths: [RemotePath]) async throws(RemoteError) { try await remote.remove(paths) }
}
