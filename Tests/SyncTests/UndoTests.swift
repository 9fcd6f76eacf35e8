import Format
import Foundation
import Sealing
import Sync
import Testing

@testable import Vault

/// What a stolen device did is taken back (attack 40): by real vaults, step by step. Device 0 is the one that undoes, device 1
/// the one that was stolen.
@Suite struct UndoTests {
    /// From what the stolen device writes next on.
    private func next(_ pair: VaultPair) async throws -> UndoStart {
        let thief = pair.devices[1].keys.device
        let status = try await pair.engine(1).status()
        return .segment(try #require(status.devices.first { $0.identifier == thief }).sequence + 1)
    }

    private func undo(_ pair: VaultPair, from start: UndoStart) async throws -> UndoReport {
        try await pair.engine(0).undo(pair.devices[1].keys.device, from: start)
    }

    /// A vault of two devices with some entries that both have edited, and from when on the theft counts.
    private func before(_ devices: Int = 2) async throws -> (VaultPair, UndoStart) {
        let pair = try VaultPair(devices: devices)
        try await pair.syncAll()
        let folder = try pair.devices[0].make("folder", in: .root, mode: FileType.directory | 0o700)
        try pair.devices[0].write("inside", to: try pair.devices[0].make("inside", in: folder, mode: 0o100600))
        for name in ["edited", "removed", "moved", "kept", "empty", "theirs"] { try pair.save(name, name, on: 0) }
        try pair.save("empty", "", on: 0)
        try await pair.syncAll()
        try pair.save("theirs", "an honest edit of the device before", on: 1)
        try await pair.syncAll()
        return (pair, try await next(pair))
    }

    @Test func attack40EditsOfAStolenDeviceUndone() async throws {
        let (pair, start) = try await before()
        let honest = try pair.devices[0].tree()
        let thief = pair.devices[1]
        try pair.save("edited", "forged", on: 1)
        try pair.save("passing", "made, and removed by the thief as well", on: 1)
        try await pair.sync(1)
        try await pair.sync(0)
        try thief.remove(try pair.item("passing", on: 1))
        try pair.save("edited", "forged again", on: 1)
        try pair.save("empty", "no more", on: 1)
        try pair.save("theirs", "forged", on: 1)
        try pair.save("made", "a new one", on: 1)
        try thief.remove(try pair.item("removed", on: 1))
        try thief.move(try pair.item("moved", on: 1), to: .root, as: "elsewhere")
        try thief.remove(try pair.item("folder/inside", on: 1))
        try thief.remove(try pair.item("folder", on: 1))
        try await pair.syncAll()
        #expect(try pair.devices[0].tree() != honest)
        let report = try await undo(pair, from: start)
        #expect(try pair.devices[0].tree() == honest)
        #expect(report.left == [] && report.knownSince == nil)
        #expect(report.done[.restored] == 3 && report.done[.broughtBack] == 3 && report.done[.removed] == 2)
        #expect(report.done[.movedBack] == 1)
        try await pair.syncAll()
        for device in pair.devices { #expect(try device.tree() == honest) }
        #expect(try pair.devices[0].vault.verify { _, _ in }.damage == [])
        // What was made is in the trash, and what was forged is a version: nothing is lost.
        #expect(pair.devices[0].vault.statistics().trash >= 1)
        let versions = try pair.devices[0].vault.history(of: try pair.item("edited", on: 0).node)
        #expect(versions.count == 3)
    }

    /// Attack 34: what it writes behind the place where it is cut is taken back by whoever has taken it in.
    @Test func attack34_whatDoesNotCountIsTakenBack() async throws {
        let (pair, start) = try await before(3)
        guard case .segment(let next) = start else { return }
        let honest = try pair.devices[0].tree()
        try pair.save("edited", "forged", on: 1)
        try pair.save("made", "a new one", on: 1)
        try pair.devices[1].move(try pair.item("moved", on: 1), to: .root, as: "elsewhere")
        for device in [1, 2] { try await pair.sync(device) }
        #expect(try pair.devices[2].tree() != honest)
        let thief = pair.devices[1].keys.device
        _ = try await pair.engine(0).rotate(
            admin: VaultFamily.three.get().admin.key, shuttingOut: [thief: next - 1], seconds: 0)
        #expect(try await pair.sync(0).takenBack[thief]?.left == [])
        #expect(try await pair.sync(2).takenBack[thief] != nil)
        for device in [0, 2, 0] { #expect(try await pair.sync(device).takenBack.isEmpty) }
        for device in [0, 2] { #expect(try pair.devices[device].tree() == honest) }
    }

    /// Whoever has edited on top of its edits keeps that, and is told of it.
    @Test func honestEditsOnTopStay() async throws {
        let (pair, start) = try await before()
        try pair.save("edited", "forged", on: 1)
        try pair.save("made", "by it", on: 1)
        try pair.devices[1].move(try pair.item("moved", on: 1), to: .root, as: "elsewhere")
        try await pair.syncAll()
        try pair.save("edited", "forged, and mended by hand", on: 0)
        try pair.save("made", "and used", on: 0)
        try pair.devices[0].move(try pair.item("elsewhere", on: 0), to: .root, as: "my place")
        try await pair.sync(0)
        let tree = try pair.devices[0].tree()
        let report = try await undo(pair, from: start)
        #expect(try pair.devices[0].tree() == tree)
        let own = pair.devices[0].keys.device
        let left = report.left.map { String(decoding: $0.path, as: UTF8.self) }
        #expect(Set(left) == ["edited", "made", "my place"])
        #expect(report.left.allSatisfy { $0.reason == .editedSince(own) })
    }

    /// Before the time it was an honest device.
    @Test func whatItDidBeforeStays() async throws {
        let (pair, start) = try await before()
        try pair.save("edited", "forged", on: 1)
        try await pair.syncAll()
        _ = try await undo(pair, from: start)
        #expect(try pair.devices[0].tree()["theirs"] == "an honest edit of the device before")
        #expect(try pair.devices[0].tree()["edited"] == "edited")
        // A time is this device's own: what it learned later than that.
        #expect(try await undo(pair, from: .time(Timestamp.now().seconds + 3600)).done.isEmpty)
        #expect(try await undo(pair, from: .time(Timestamp.now().seconds - 3600)).left == [])
        #expect(try pair.devices[0].tree()["theirs"] == "theirs")
    }

    /// A run that was cut off is done again: it says the same, and changes nothing more.
    @Test func doneAgainItIsTheSame() async throws {
        let (pair, start) = try await before()
        try pair.save("edited", "forged", on: 1)
        try pair.save("made", "by it", on: 1)
        try pair.devices[1].remove(try pair.item("removed", on: 1))
        try pair.devices[1].move(try pair.item("moved", on: 1), to: .root, as: "elsewhere")
        try await pair.syncAll()
        let first = try await undo(pair, from: start)
        let tree = try pair.devices[0].tree()
        try pair.devices[0].reopen()
        let second = try await undo(pair, from: start)
        #expect(second.done.filter { $0.key != .attributes } == first.done.filter { $0.key != .attributes })
        #expect(second.left == [])
        #expect(try pair.devices[0].tree() == tree)
        let engine = pair.engine(0)
        _ = try await engine.sync()
        #expect(try await engine.sync().pushedChanges == 0)
    }

    /// A version that is gone is named, and nothing is put in its place.
    @Test func aVersionThatIsGoneIsNamed() async throws {
        let (pair, start) = try await before()
        try pair.save("edited", "forged", on: 1)
        try await pair.syncAll()
        let vault = pair.devices[0].vault
        // All versions give way.
        var state = vault.keptBytes()
        state.budget = 0
        _ = vault.giveUp(.max, state, most: .max)
        let report = try await undo(pair, from: start)
        #expect(report.left.map(\.reason) == [.noVersion])
        #expect(try pair.devices[0].tree()["edited"] == "forged")
    }

    /// A content that did not know of the present one stands beside it: the stolen device's goes, whichever is later.
    @Test(arguments: [true, false]) func copiesBesideGo(isLater: Bool) async throws {
        let (pair, start) = try await before()
        for _ in 0..<(isLater ? 5 : 0) { try pair.save("kept", "x", on: 1) }
        try pair.save("edited", "mine", on: 0)
        if !isLater { for number in 0..<9 { try pair.save("kept", "\(number)", on: 0) } }
        try pair.save("edited", "forged", on: 1)
        if !isLater { try pair.save("edited", "mine", on: 0) }
        try await pair.sync(0)
        try await pair.sync(1)
        try await pair.sync(0)
        #expect(try pair.names(0).contains { $0.hasPrefix("edited (conflict") })
        _ = try await undo(pair, from: start)
        try await pair.syncAll()
        for device in pair.devices {
            let edited = try device.tree().filter { $0.key.hasPrefix("edited") }
            #expect(edited == ["edited": "mine"])
        }
    }

    /// Edits of different fields were merged: that is the edit of who has merged them, and is named.
    @Test func aMergeStaysAndIsNamed() async throws {
        let pair = try VaultPair()
        try await pair.syncAll()
        try pair.save("a", "secret\nuser: 1\nurl: 1\n", on: 0)
        try await pair.syncAll()
        let start = try await next(pair)
        try pair.save("a", "secret\nuser: 2\nurl: 1\n", on: 0)
        try pair.save("a", "secret\nuser: 1\nurl: forged\n", on: 1)
        try await pair.sync(1)
        try await pair.sync(0)
        #expect(try pair.devices[0].tree()["a"] == "secret\nuser: 2\nurl: forged\n")
        let report = try await undo(pair, from: start)
        #expect(report.left.map(\.path) == [Array("a".utf8)])
        #expect(report.left.map(\.reason) == [.editedSince(pair.devices[0].keys.device)])
    }

    /// A removed tree comes back as it was, and what the device put in its place goes.
    @Test func aTreeThatWasReplacedComesBack() async throws {
        let (pair, start) = try await before()
        let honest = try pair.devices[0].tree()
        let thief = pair.devices[1]
        try thief.remove(try pair.item("folder/inside", on: 1))
        try thief.remove(try pair.item("folder", on: 1))
        let folder = try thief.make("folder", in: .root, mode: FileType.directory | 0o700)
        try thief.write("forged", to: try thief.make("inside", in: folder, mode: 0o100600))
        try thief.move(try pair.item("kept", on: 1), to: folder, as: "kept")
        try await pair.syncAll()
        let report = try await undo(pair, from: start)
        #expect(report.left == [])
        try await pair.syncAll()
        for device in pair.devices { #expect(try device.tree() == honest) }
    }

    /// The mode is as before, too.
    @Test func attributesAreAsBefore() async throws {
        let (pair, start) = try await before()
        var changes = AttributeChanges()
        changes.mode = 0o400
        try pair.devices[1].vault.setAttributes(of: try pair.item("kept", on: 1).node, changes)
        try await pair.syncAll()
        func mode() throws -> UInt32 {
            try pair.devices[0].vault.attributes(of: try pair.item("kept", on: 0).node).mode & 0o777
        }
        #expect(try mode() == 0o400)
        #expect(try await undo(pair, from: start).done[.attributes] == 1)
        #expect(try mode() == 0o600)
    }

    /// Ten thousand entries take some seconds.
    @Test func tenThousandEntries() async throws {
        let pair = try VaultPair()
        try await pair.syncAll()
        for number in 0..<10_000 {
            // Vim looks with a file 4913 whether it may write: such a name stays on its device.
            try pair.devices[0].write("a", to: pair.devices[0].make("n\(number)", in: .root, mode: 0o100600))
        }
        try await pair.syncAll()
        let start = try await next(pair)
        for item in try pair.devices[1].items() { try pair.devices[1].write("forged", to: item.node) }
        try await pair.sync(1)
        let pulled = ContinuousClock.now
        try await pair.sync(0)
        let began = ContinuousClock.now
        let report = try await undo(pair, from: start)
        print("10,000 entries: pulled in \(pulled.duration(to: began)), undone in \(began.duration(to: .now))")
        #expect(report.done[.restored] == 10_000, "\(report.done)")
        #expect(report.left == [])
        #expect(try pair.devices[0].tree().values.allSatisfy { $0 == "a" })
    }
}
