import Format
import Sync
import Testing

/// Snapshots take the place of segments, and nobody loses anything by it.
@Suite struct CompactionTests {
    private func bytes(_ pair: Pair, _ device: Int = 0) -> Int { pair.view(device).values.reduce(0) { $0 + $1.count } }

    private func objects(_ pair: Pair, _ folder: String, _ device: Int = 0) -> [RemotePath] {
        pair.view(device).keys.filter { $0.components.count > 2 && $0.components[1] == folder }.sorted()
    }

    /// A pair whose remote holds an agreed snapshot and hardly any segments.
    private func compacted(devices: Int = 2) async throws -> Pair {
        let pair = Pair(devices: devices)
        pair.segmentsBeforeSnapshot = 1
        for number in 0..<6 { try pair.make("entry \(number)", "secret \(number)", on: 0) }
        for round in 0..<12 {
            try pair.write("edit \(round)", to: "entry 0", on: 0)
            for device in 0..<devices { try await pair.sync(device) }
        }
        for _ in 0..<3 { for device in 0..<devices { try await pair.sync(device) } }
        #expect(!objects(pair, "snap").isEmpty)
        #expect(pair.segments(of: 0, in: pair.view(0)).count < 10)
        return pair
    }

    /// After any number of edits the remote is at most three times as large as the live data.
    @Test(arguments: [2, 3]) func remoteStaysSmall(devices: Int) async throws {
        let pair = Pair(devices: devices)
        let text = String(repeating: "x", count: 150)
        for number in 0..<120 { try pair.make("entry \(number)", text + "\(number)", on: 0) }
        for device in 0..<devices { try await pair.sync(device) }
        let live = pair.view(0).filter { $0.key.components[1] == "log" }.values.reduce(0) { $0 + $1.count }
        var most = 0
        for edit in 0..<400 {
            try pair.write(text + "edit \(edit)", to: "entry \(edit % 120)", on: edit % devices)
            try await pair.sync(edit % devices)
            guard edit % 20 == 19 else { continue }
            for _ in 0..<2 { for device in 0..<devices { try await pair.sync(device) } }
            most = max(most, bytes(pair))
        }
        #expect(most <= 3 * live, "\(most) bytes for \(live)")
        for device in 1..<devices { #expect(pair.tree(device) == pair.tree(0)) }
    }

    /// The same with large contents, whose chunks are objects: those that nothing names any more are collected.
    @Test func chunksAreCollected() async throws {
        let pair = Pair()
        pair.segmentsBeforeSnapshot = 1
        func large(_ number: Int) -> String { (0..<40).map { "line \($0) of \(number) " }.joined() }
        try pair.make("large", large(0), on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        let first = objects(pair, "chunk").count
        for edit in 1...30 {
            try pair.write(large(edit), to: "large", on: edit % 2)
            for device in [edit % 2, 1 - edit % 2] { try await pair.sync(device) }
        }
        for _ in 0..<4 { for device in [0, 1] { try await pair.sync(device) } }
        #expect(objects(pair, "chunk").count <= 4 * first)
        let third = pair.join()
        try await pair.sync(third)
        #expect(pair.tree(third) == ["large": large(30)])
        #expect(pair.tree(0) == pair.tree(third))
    }

    @Test func acknowledgementsAreNotAnswered() async throws {
        let pair = try await compacted(devices: 3)
        for _ in 0..<2 { for device in 0..<3 { try await pair.sync(device) } }
        for _ in 0..<3 {
            for device in 0..<3 {
                let report = try await pair.sync(device)
                #expect(report.pushedSegments == 0)
            }
        }
    }

    @Test func newDeviceBeginsWithASnapshot() async throws {
        let pair = try await compacted()
        let joined = pair.join()
        let report = try await pair.sync(joined)
        #expect(report.startedFrom?.device == pair.family.devices[0])
        #expect(pair.tree(joined) == pair.tree(0))
        try pair.write("from the third", to: "entry 1", on: joined)
        for device in [joined, 0, 1] { try await pair.sync(device) }
        #expect(pair.tree(0)["entry 1"] == "from the third")
        #expect(pair.tree(1) == pair.tree(0))
    }

    /// The device has been away since before the snapshot: what it needs is there until it is back or shut out.
    @Test func attack19_compactionWaitsForWhoIsAway() async throws {
        let pair = Pair(devices: 3)
        pair.segmentsBeforeSnapshot = 1
        try pair.make("entry", "secret", on: 0)
        for device in [0, 1, 2] { try await pair.sync(device) }
        for round in 0..<30 {
            try pair.write("edit \(round)", to: "entry", on: 0)
            for device in [0, 1] { try await pair.sync(device) }
        }
        #expect(objects(pair, "snap").count > 0)
        #expect(pair.segments(of: 0, in: pair.view(0)).count >= 30, "the third one has not read them")
        let status = try await pair.engine(0).status()
        #expect(status.devices.filter { !$0.hasAcknowledged }.map(\.identifier) == [pair.family.devices[2]])
        try await pair.sync(2)
        for _ in 0..<3 { for device in [0, 1, 2] { try await pair.sync(device) } }
        #expect(pair.segments(of: 0, in: pair.view(0)).count < 10)
        #expect(pair.tree(2) == pair.tree(0))
    }

    @Test func attack22_revokedDeviceHoldsUpNothing() async throws {
        let pair = Pair(devices: 3)
        pair.segmentsBeforeSnapshot = 1
        try pair.make("entry", "secret", on: 0)
        for device in [0, 1, 2, 0] { try await pair.sync(device) }
        let revocation = pair.family.revocation(of: 2, after: 1)
        try pair.replicas[0].edit { (t) throws(SyncError) in t.store.notices.append(revocation) }
        try pair.make("late", "of the third", on: 2)
        for device in [0, 2, 1] {
            if device == 2 {
                await #expect(throws: SyncError.revoked) { try await pair.sync(2) }
            } else {
                try await pair.sync(device)
            }
        }
        for round in 0..<30 {
            try pair.write("edit \(round)", to: "entry", on: 0)
            for device in [0, 1] { try await pair.sync(device) }
        }
        for device in [0, 1, 0, 1] { try await pair.sync(device) }
        #expect(pair.segments(of: 0, in: pair.view(0)).count < 10)
        #expect(pair.tree(0) == ["entry": "edit 29"])
        await #expect(throws: SyncError.revoked) { try await pair.sync(2) }
        let devices = try await pair.engine(0).status().devices
        #expect(devices.map(\.isRevoked) == [false, false, true])
    }

    /// Half of it is not there, or somebody has changed it: the new device begins with another one.
    @Test func attack19_brokenSnapshotIsNone() async throws {
        let pair = try await compacted()
        let whole = pair.view(2)
        var view = whole
        for path in objects(pair, "snap", 2) { view[path]?[200] ^= 1 }
        pair.setView(2, view)
        let joined = pair.join()
        let report = try await pair.sync(joined)
        #expect(report.startedFrom == nil)
        #expect(!report.damaged.isEmpty)
        #expect(pair.tree(joined).isEmpty)
        // Nothing is lost by the attempt: with the snapshot there it goes on.
        view = pair.view(2)
        for path in objects(pair, "snap", 2) { view[path] = whole[path] }
        pair.setView(2, view)
        for device in [0, 1, joined, joined, joined] { try await pair.sync(device) }
        #expect(pair.tree(joined) == pair.tree(0))
    }

    /// Ciphertext of the same length and as many objects, whatever is in them.
    @Test func attack24_snapshotsArePadded() async throws {
        var sizes: [[Int]] = []
        for name in ["a", "somewhat longer"] {
            let pair = Pair()
            pair.segmentsBeforeSnapshot = 1
            try pair.make(name, "secret", on: 0)
            for round in 0..<12 {
                try pair.write("\(name) \(round)", to: name, on: 0)
                for device in [0, 1] { try await pair.sync(device) }
            }
            sizes.append(objects(pair, "snap").compactMap { pair.view(0)[$0]?.count }.sorted())
        }
        #expect(!sizes[0].isEmpty)
        #expect(sizes[0] == sizes[1])
    }

    /// Without the rule that waits for acknowledgements, and with a snapshot that has rotted, there is no way back.
    @Test func attack19_withoutAcknowledgementsSegmentsAreGone() async throws {
        let pair = Pair(devices: 3)
        pair.segmentsBeforeSnapshot = 1
        pair.rules.waitsForAcknowledgement = false
        try pair.make("entry", "secret", on: 0)
        for device in [0, 1, 2] { try await pair.sync(device) }
        for round in 0..<20 {
            try pair.write("edit \(round)", to: "entry", on: 0)
            for device in [0, 1] { try await pair.sync(device) }
        }
        #expect(pair.segments(of: 0, in: pair.view(0)).count < 10)
        var view = pair.view(2)
        for path in objects(pair, "snap", 2) { view[path]?[200] ^= 1 }
        pair.setView(2, view)
        for _ in 0..<4 { try await pair.sync(2) }
        #expect(pair.tree(2) != pair.tree(0))
    }
}
