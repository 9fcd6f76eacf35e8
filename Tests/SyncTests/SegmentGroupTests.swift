import Format
import Sync
import Testing

/// What one device has done between two synchronisations may fill several segments, which belong together.
@Suite struct SegmentGroupTests {
    /// `mv d t; mv e d; mv t e`, with more than a segment's changes in between.
    @Test func foldersThatChangePlacesStayWhatTheyAre() async throws {
        let pair = Pair()
        pair.segmentBytes = 100
        let (top, folders) = (pair.family.vault, [Identifier(low: 1, high: 9), Identifier(low: 2, high: 9)])
        try pair.replicas[0].edit { (t) throws(SyncError) in
            for (number, name) in ["d", "e"].enumerated() {
                try t.make(name, in: top, nil, id: folders[number])
                try t.make("f", in: folders[number], name, id: Identifier(low: 3 + UInt64(number), high: 9))
            }
        }
        for device in [0, 1] { try await pair.sync(device) }
        try pair.replicas[0].edit { (t) throws(SyncError) in
            try t.move(folders[0], to: top, as: "t")
            try t.move(folders[1], to: top, as: "d")
            try t.move(folders[0], to: top, as: "e")
        }
        for device in [0, 1, 0] { #expect(try await pair.sync(device).conflicts.isEmpty) }
        for device in [0, 1] { #expect(pair.tree(device) == ["d/": "", "e/": "", "d/f": "e", "e/f": "d"]) }
    }
}
