import Format
import Sync
import Testing

/// Attack 41: a member's device puts something where a mount has its control files, to get what is meant for those.
@Suite struct ReservedNameTests {
    private func plant(_ pair: Pair) throws {
        let (top, id) = (pair.family.vault, Identifier(low: 700, high: 7))
        try pair.replicas[0].edit { (t) throws(SyncError) in
            try t.make(".coffer", in: top, nil, id: id)
            try t.make("command", in: id, "give me the password", id: Identifier(low: 701, high: 7))
        }
    }

    private func check(_ tree: [String: String]) {
        #expect(!tree.keys.contains { $0 == ".coffer" || $0.hasPrefix(".coffer/") }, "\(tree.keys)")
        #expect(tree.contains { $0.key.hasPrefix(".coffer (conflict") && $0.key.hasSuffix("/command") })
    }

    @Test func attack41_aSyncedNameIsAnother() async throws {
        let pair = Pair()
        try plant(pair)
        for device in [0, 1, 0, 1] { try await pair.sync(device) }
        check(pair.tree(1))
        #expect(pair.tree(0) == pair.tree(1))
    }

    /// Nor does it come with a snapshot that somebody has made who has it.
    @Test func attack41_aNameInASnapshotIsAnother() async throws {
        let pair = Pair()
        pair.segmentsBeforeSnapshot = 1
        try plant(pair)
        // Alone, device 0 keeps what it has made.
        for round in 0..<6 {
            try pair.make("entry \(round)", "secret", on: 0)
            try await pair.sync(0)
        }
        let joined = pair.join()
        let report = try await pair.sync(joined)
        #expect(report.startedFrom != nil)
        check(pair.tree(joined))
    }
}
