import Format
import Sync
import Testing

/// The ways out of an alarm lose nothing.
@Suite struct RecoveryTests {
    private func syncedPair(devices: Int = 2) async throws -> Pair {
        let pair = Pair(devices: devices)
        try pair.make("mail", "secret\n", on: 0)
        for device in 0..<devices { try await pair.sync(device) }
        try await pair.sync(0)
        return pair
    }

    private func restore(_ pair: Pair, _ old: [RemotePath: [UInt8]]) {
        pair.deliver()
        for device in 0..<4 { pair.setView(device, old) }
    }

    @Test func attack12_acceptedRollbackBringsEverythingBack() async throws {
        let pair = try await syncedPair(devices: 3)
        let old = pair.view(0)
        try pair.make("from 0", "x", on: 0)
        try pair.make("from 1", "y", on: 1)
        for device in [0, 1, 0] { try await pair.sync(device) }
        restore(pair, old)
        await #expect(throws: SyncError.self) { try await pair.sync(0) }
        let alarm = try await pair.engine(0).status().alarm
        #expect(alarm?.kind == .rolledBack)
        #expect(pair.evidence.names.contains { $0.hasPrefix("rolledBack-") })
        _ = try await pair.engine(0).acceptRollback()
        pair.deliver()
        // Who had read everything goes on; who had not takes it from the snapshot.
        for device in [1, 2, 2, 2, 0, 1] { try await pair.sync(device) }
        for device in 0..<3 {
            #expect(pair.tree(device) == ["mail": "secret\n", "from 0": "x", "from 1": "y"])
        }
        let joined = pair.join()
        try await pair.sync(joined)
        #expect(pair.tree(joined) == pair.tree(0))
    }

    @Test func emptiedRemoteIsRebuilt() async throws {
        let pair = try await syncedPair(devices: 3)
        try pair.make("from 1", "y", on: 1)
        for device in [1, 0] { try await pair.sync(device) }
        restore(pair, [:])
        await #expect(throws: SyncError.self) { try await pair.sync(0) }
        await #expect(throws: SyncError.self) { try await pair.engine(0).acceptRollback() }
        _ = try await pair.engine(0).rebuildRemote()
        pair.deliver()
        for device in [1, 2, 2, 2, 0, 1] { try await pair.sync(device) }
        for device in 0..<3 { #expect(pair.tree(device) == ["mail": "secret\n", "from 1": "y"]) }
        let joined = pair.join()
        try await pair.sync(joined)
        #expect(pair.tree(joined) == pair.tree(0))
    }

    /// Edits on both sides of the loss: a device that was offline when the remote was restored has some of its own.
    @Test func catchingUpKeepsOwnEdits() async throws {
        let pair = try await syncedPair(devices: 3)
        for name in ["gone", "moved", "edited"] { try pair.make(name, name, on: 0) }
        for device in [0, 1, 2] { try await pair.sync(device) }
        let old = pair.view(0)
        try pair.write("newer", to: "mail", on: 0)
        try pair.write("theirs", to: "edited", on: 0)
        try await pair.sync(0)
        restore(pair, old)
        try pair.write("mine", to: "edited", on: 2)
        try pair.make("offline", "x", on: 2)
        _ = try await pair.engine(0).acceptRollback()
        pair.deliver()
        for device in [1, 2, 2, 2, 1, 0, 1, 2] { try await pair.sync(device) }
        #expect(pair.tree(2)["mail"] == "newer")
        #expect(pair.tree(2)["offline"] == "x")
        #expect(Set(pair.tree(0).values).isSuperset(of: ["mine", "theirs"]))
        #expect(pair.tree(0) == pair.tree(1) && pair.tree(1) == pair.tree(2))
    }

    /// Two databases of one name: the second one goes on under another, with what it has changed.
    @Test func attack11_cloneBecomesADeviceOfItsOwn() async throws {
        let pair = try await syncedPair()
        let copy = pair.replicas[1].copy()
        try pair.make("one", "1", on: 1)
        try await pair.sync(1)
        try pair.make("two", "2", on: 1, replica: copy)
        try pair.replicas[1].edit { (t) throws(SyncError) in _ = t.nextStamp() }
        await #expect(throws: SyncError.cloned) { try await pair.sync(1, replica: copy) }
        let alarm = try await pair.engine(1, replica: copy).status().alarm
        #expect(alarm?.kind == .cloned)
        let engine = pair.engine(1, replica: copy, keys: pair.family.keys[4])
        try await engine.becomeDevice()
        _ = try await engine.sync()
        pair.deliver()
        for device in [0, 1] { try await pair.sync(device) }
        _ = try await engine.sync()
        let all = ["mail": "secret\n", "one": "1", "two": "2"]
        for device in [0, 1] { #expect(pair.tree(device) == all) }
        #expect(copy.tree(top: pair.family.vault) == all)
        let devices = try await pair.engine(0).status().devices
        #expect(devices.count == 3)
    }

    /// The clone had already made a segment that never got to the remote.
    @Test func attack11_cloneReissuesWhatWasNeverSent() async throws {
        let pair = try await syncedPair()
        let copy = pair.replicas[1].copy()
        try pair.write("of the clone", to: "mail", on: 1, replica: copy)
        pair.remotes[1].fail(after: 6, carryingOut: false)
        await #expect(throws: SyncError.self) { try await pair.sync(1, replica: copy) }
        #expect(copy.store.outbox.count == 1)
        pair.remotes[1].fail(after: .max, carryingOut: false)
        try pair.make("one", "1", on: 1)
        try await pair.sync(1)
        await #expect(throws: SyncError.cloned) { try await pair.sync(1, replica: copy) }
        let engine = pair.engine(1, replica: copy, keys: pair.family.keys[4])
        try await engine.becomeDevice()
        _ = try await engine.sync()
        pair.deliver()
        for device in [0, 1] { try await pair.sync(device) }
        for device in [0, 1] { #expect(pair.tree(device) == ["mail": "of the clone", "one": "1"]) }
    }

    @Test func attack13_evidenceOfAForkIsKept() async throws {
        let pair = try await syncedPair()
        let twin = pair.replicas[0].copy()
        let before = pair.view(0)
        try pair.make("left", "1", on: 0)
        try await pair.sync(0)
        let left = pair.view(0)
        for device in [0, 1] { pair.setView(device, before) }
        try pair.make("right", "2", on: 0, replica: twin)
        try await pair.sync(0, replica: twin)
        pair.setView(1, pair.view(1).merging(left) { one, _ in one })
        await #expect(throws: SyncError.self) { try await pair.sync(1) }
        let both = pair.evidence.names.filter { $0.hasPrefix("v1-log-") }
        #expect(both.count == 2)
        for name in both {
            let path = try #require(RemotePath(name.split(separator: "-").map(String.init)))
            #expect(pair.evidence[name] == pair.view(1)[path])
        }
        #expect(pair.tree(1) == ["mail": "secret\n"], "nothing is lost")
    }

    /// A hint and another device speak of a segment that is not there: after some looks the user hears of it.
    @Test func attack14_withheldSegmentsAreToldAfterAWhile() async throws {
        let pair = try await syncedPair()
        let before = pair.view(1)
        try pair.make("later", "x", on: 0)
        try await pair.sync(0)
        let withheld = pair.segments(of: 0, in: pair.view(1)).filter { before[$0] == nil }
        pair.setView(1, pair.view(1).filter { !withheld.contains($0.key) })
        var reports: [SyncReport] = []
        for _ in 0..<3 { reports.append(try await pair.sync(1)) }
        #expect(reports.map(\.withheld.count) == [0, 0, 1])
        #expect(reports[2].withheld.first?.device == pair.family.devices[0])
    }

    /// The kit that a device joined with is newer than the remote that it is shown.
    @Test func attack15_remoteFromBeforeTheKitIsRefused() async throws {
        let pair = try await syncedPair()
        let old = pair.view(2)
        let kit = Identifier(low: 7, high: 8)
        let bytes = [7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0] as [UInt8]
        try pair.replicas[0].edit { (t) throws(SyncError) in t.store.notices.append(Notice(kind: .kit, bytes: bytes)) }
        try await pair.sync(0)
        let new = pair.view(2)
        pair.joinedWithKit = kit
        let joined = pair.join()
        pair.setView(2, old)
        for _ in 0..<2 {
            let failure = await #expect(throws: SyncError.self) { try await pair.sync(joined) }
            guard case .rolledBack? = failure else { return #expect(Bool(false), "\(String(describing: failure))") }
        }
        #expect(pair.segments(of: joined, in: pair.view(2)).isEmpty, "nothing was written there")
        pair.setView(2, new)
        try await pair.sync(joined)
        #expect(pair.tree(joined) == pair.tree(0))
    }
}
