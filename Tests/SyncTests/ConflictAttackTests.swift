import Format
import Sync
import Testing

/// Attacks 20 and 21: what two devices do at the same time, and what their clocks say of it. Nothing is lost, and both show
/// the same, whoever comes first.
@Suite struct ConflictAttackTests {
    /// A vault that both devices have.
    private struct Scene {
        let pair = Pair()
        var top: Identifier { pair.family.vault }

        init() async throws {
            for name in ["mail", "note"] { try pair.make(name, "secret\nuser: 1\nurl: 1\n", on: 0) }
            for (number, name) in ["left", "right"].enumerated() {
                let (top, id) = (top, Identifier(low: 500 + UInt64(number), high: 9))
                try pair.replicas[0].edit { (t) throws(SyncError) in try t.make(name, in: top, nil, id: id) }
            }
            for device in [0, 1, 0] { try await pair.sync(device) }
        }

        func find(_ name: String, _ device: Int) throws -> EntryChange {
            let store = pair.replicas[device].store
            return try #require(
                store.entries.values.first { $0.isShown && $0.placement.name == Array(name.utf8) }?.placement)
        }

        func move(_ name: String, into directory: String?, as other: String, on device: Int) throws {
            let entry = try find(name, device).entry
            let parent = try directory.map { try find($0, device).lineage } ?? top
            try pair.replicas[device].edit { (t) throws(SyncError) in try t.move(entry, to: parent, as: other) }
        }

        func remove(_ name: String, on device: Int) throws {
            let entry = try find(name, device).entry
            try pair.replicas[device].edit { (t) throws(SyncError) in try t.remove(entry) }
        }

        func make(_ name: String, _ text: String, in directory: String, on device: Int) throws {
            let (parent, id) = (try find(directory, device).lineage, Identifier(low: 900, high: UInt64(device)))
            try pair.replicas[device].edit { (t) throws(SyncError) in try t.make(name, in: parent, text, id: id) }
        }

        /// Everything has gone everywhere; what both show then, and that it comes to rest.
        func settle(first: Int) async throws -> [String: String] {
            for _ in 0..<3 { for device in [first, 1 - first] { try await pair.sync(device) } }
            #expect(pair.tree(0) == pair.tree(1))
            for device in [0, 1] {
                let report = try await pair.sync(device)
                #expect(report.pushedSegments == 0 && report.pulledSegments == 0, "they go on answering each other")
            }
            return pair.tree(first)
        }
    }

    private let text = "secret\nuser: 1\nurl: 1\n"

    @Test(arguments: [0, 1]) func attack20_editsOfDifferentFieldsMeet(first: Int) async throws {
        let scene = try await Scene()
        try scene.pair.write("secret\nuser: 2\nurl: 1\n", to: "mail", on: 0)
        try scene.pair.write("secret\nuser: 1\nurl: 2\n", to: "mail", on: 1)
        let tree = try await scene.settle(first: first)
        #expect(tree == ["mail": "secret\nuser: 2\nurl: 2\n", "note": text, "left/": "", "right/": ""])
    }

    @Test(arguments: [0, 1]) func attack20_editsOfOneFieldAreBothKept(first: Int) async throws {
        let scene = try await Scene()
        try scene.pair.write("mine", to: "mail", on: 0)
        try scene.pair.write("theirs", to: "mail", on: 1)
        let tree = try await scene.settle(first: first)
        let copy = try #require(tree.first { $0.key.hasPrefix("mail (conflict, device") })
        #expect([tree["mail"], copy.value].compactMap { $0 }.sorted() == ["mine", "theirs"] && tree.count == 5)
    }

    @Test(arguments: [0, 1]) func attack20_editOutlivesARemovalThatDidNotSeeIt(first: Int) async throws {
        let scene = try await Scene()
        try scene.pair.write("edited", to: "mail", on: 0)
        try scene.remove("mail", on: 1)
        #expect(try await scene.settle(first: first)["mail"] == "edited")
        // One that has seen it removes it.
        try scene.remove("mail", on: 1)
        #expect(try await scene.settle(first: first)["mail"] == nil)
    }

    @Test(arguments: [0, 1]) func attack20_removedByBothIsGone(first: Int) async throws {
        let scene = try await Scene()
        for device in [0, 1] { try scene.remove("mail", on: device) }
        #expect(try await scene.settle(first: first) == ["note": text, "left/": "", "right/": ""])
    }

    @Test(arguments: [0, 1]) func attack20_moveOutlivesARemovalThatDidNotSeeIt(first: Int) async throws {
        let scene = try await Scene()
        try scene.move("mail", into: "left", as: "moved", on: 0)
        try scene.remove("mail", on: 1)
        #expect(try await scene.settle(first: first)["left/moved"] == text)
    }

    @Test(arguments: [0, 1]) func attack20_moveAndEditAreBothThere(first: Int) async throws {
        let scene = try await Scene()
        try scene.move("mail", into: "left", as: "moved", on: 0)
        try scene.pair.write("edited", to: "mail", on: 1)
        let tree = try await scene.settle(first: first)
        #expect(tree == ["left/moved": "edited", "note": text, "left/": "", "right/": ""])
    }

    @Test(arguments: [0, 1]) func attack20_twoMovesOfOneEntryAreOne(first: Int) async throws {
        let scene = try await Scene()
        try scene.move("mail", into: "left", as: "mail", on: 0)
        try scene.move("mail", into: "right", as: "mail", on: 1)
        let tree = try await scene.settle(first: first)
        #expect(tree.values.filter { $0 == text }.count == 2 && tree.count == 4)
        #expect((tree["left/mail"] == nil) != (tree["right/mail"] == nil))
    }

    /// Each directory into the other: neither is within itself, and nothing in them is out of reach.
    @Test(arguments: [0, 1]) func attack20_movesThatCloseARing(first: Int) async throws {
        let scene = try await Scene()
        try scene.move("mail", into: "left", as: "mail", on: 0)
        try scene.move("note", into: "right", as: "note", on: 0)
        _ = try await scene.settle(first: first)
        try scene.move("left", into: "right", as: "left", on: 0)
        try scene.move("right", into: "left", as: "right", on: 1)
        let tree = try await scene.settle(first: first)
        #expect(tree.count == 4 && !tree.keys.contains { $0.hasPrefix("CIRCLE") })
        #expect(tree.keys.contains { $0.hasSuffix("left/mail") } && tree.keys.contains { $0.hasSuffix("right/note") })
    }

    @Test(arguments: [0, 1]) func attack20_directoryStaysForWhatItsRemovalDidNotSee(first: Int) async throws {
        let scene = try await Scene()
        try scene.make("new", "x", in: "left", on: 0)
        try scene.remove("left", on: 1)
        #expect(try await scene.settle(first: first)["left/new"] == "x")
    }

    @Test(arguments: [0, 1]) func attack20_twoEntriesOfOneNameAreBothKept(first: Int) async throws {
        let scene = try await Scene()
        for device in [0, 1] { try scene.pair.make("same", "of \(device)", on: device) }
        let tree = try await scene.settle(first: first)
        #expect(tree["same"] != nil && Set(tree.values).isSuperset(of: ["of 0", "of 1"]) && tree.count == 6)
    }

    // MARK: Clocks

    /// A device whose clock stands in 2099 wins nothing by it, and one in 1970 loses nothing: what has seen the other
    /// takes its place, and of two that have not, the same one wins whatever the clocks say.
    @Test func attack21_wallClockDecidesNothing() async throws {
        var winners = Set<String>()
        for (one, other) in [(0, 0), (4_070_908_800, 0), (0, 4_070_908_800), (-1, .max)] as [(Int64, Int64)] {
            let scene = try await Scene()
            let pair = scene.pair
            for (device, seconds) in [one, other].enumerated() {
                try pair.replicas[device].edit { (t) throws(SyncError) in
                    t.store.saved = Timestamp(seconds: seconds, nanoseconds: 0)
                }
            }
            try pair.write("of 0", to: "mail", on: 0)
            _ = try await scene.settle(first: 0)
            try pair.write("of 1, which has seen it", to: "mail", on: 1)
            #expect(try await scene.settle(first: 0)["mail"] == "of 1, which has seen it")
            try pair.write("of 0, which has seen that", to: "mail", on: 0)
            let tree = try await scene.settle(first: 1)
            #expect(tree["mail"] == "of 0, which has seen that" && tree.count == 4, "no conflict")
            try pair.write("mine", to: "mail", on: 0)
            try pair.write("theirs", to: "mail", on: 1)
            winners.insert(try #require(try await scene.settle(first: 0)["mail"]))
        }
        #expect(winners.count == 1)
    }
}
