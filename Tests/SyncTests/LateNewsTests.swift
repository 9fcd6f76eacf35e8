import Format
import Foundation
import Sync
import Testing

@testable import Vault

/// What four programs at work on two mounts have found: names, copies and their modes that depended on what a device had heard
/// of first, or had forgotten by then.
@Suite struct LateNewsTests {
    /// So many synchronisations with changes that snapshots are written, and removals that everybody knows forgotten.
    private func passTime(_ pair: VaultPair, on device: Int) async throws {
        for number in 0..<24 {
            try pair.save("clock", "\(number)", on: device)
            try await pair.sync(device)
        }
    }

    private func folder(_ pair: VaultPair, _ device: Int) -> HistoryFolder {
        HistoryFolder(pair.devices[device], "h")
    }

    private func pictures(_ pair: VaultPair) throws -> [[String: String]] {
        try pair.devices.indices.map { try folder(pair, $0).picture() }
    }

    /// A file has two names, and one of them is removed. Who changes the file later says its names again, and the others may
    /// have forgotten that there was another one.
    @Test func aNameThatWasRemovedIsNotToldAgain() async throws {
        let pair = try VaultPair()
        try folder(pair, 0).make()
        _ = folder(pair, 0).perform(.save("f", "w1"))
        _ = folder(pair, 0).perform(.link("f", "g"))
        try await pair.syncAll()
        _ = folder(pair, 0).perform(.unlink("g"))
        try await pair.sync(0)
        try await passTime(pair, on: 1)
        _ = folder(pair, 0).perform(.save("f", "w2"))
        try await pair.syncAll()
        for picture in try pictures(pair) { #expect(picture.keys.sorted() == ["f"]) }
    }

    /// A copy stands beside the first name of what it is a copy of. That name is removed, and one device has forgotten it.
    @Test func aCopyStandsBesideANameThatIsThere() async throws {
        for _ in 0..<4 {
            let pair = try VaultPair()
            try folder(pair, 0).make()
            _ = folder(pair, 0).perform(.save("f", "w1"))
            for name in ["g", "h", "i"] { _ = folder(pair, 0).perform(.link("f", name)) }
            try await pair.syncAll()
            _ = folder(pair, 0).perform(.save("f", "w2"))
            _ = folder(pair, 1).perform(.save("f", "w3"))
            try await pair.syncAll()
            let names = ["f", "g", "h", "i"]
            let copy = try #require(try folder(pair, 0).picture().keys.first { $0.contains("(conflict") })
            _ = folder(pair, 0).perform(.unlink(try #require(names.first { copy.hasPrefix($0) })))
            try await pair.sync(0)
            try await passTime(pair, on: 1)
            let left = try #require(names.first { !copy.hasPrefix($0) })
            _ = folder(pair, 1).perform(.rename(left, "k"))
            // The other one hears of it while it still remembers the name.
            try await pair.sync(1)
            try await pair.syncAll()
            let pictures = try pictures(pair)
            #expect(pictures[0] == pictures[1])
            let moved = try #require(pictures[0].keys.first { $0.contains("(conflict") })
            #expect(!moved.hasPrefix(String(copy.prefix(1))), "\(copy) is \(moved) now")
        }
    }

    /// A copy has the mode of what it is a copy of, until somebody touches it: then it has its own, on every device.
    @Test func aCopyThatWasTouchedHasItsOwnMode() async throws {
        let pair = try VaultPair()
        try folder(pair, 0).make()
        _ = folder(pair, 0).perform(.save("f", "w1"))
        try await pair.syncAll()
        _ = folder(pair, 0).perform(.save("f", "w2"))
        _ = folder(pair, 1).perform(.save("f", "w3"))
        try await pair.syncAll()
        _ = folder(pair, 0).perform(.mode("f", 0o640))
        _ = folder(pair, 1).perform(.renameCopy(0, "mine"))
        try await pair.sync(1)
        try await pair.sync(0)
        _ = folder(pair, 0).perform(.mode("f", 0o644))
        try await pair.syncAll()
        let pictures = try pictures(pair)
        #expect(pictures[0] == pictures[1])
        #expect(pictures[0].keys.sorted() == ["f", "mine"])
    }

    /// A device has removed a file, and has nothing left of it since its trash was emptied. Another one has moved the file
    /// meanwhile: it is told whole.
    @Test func aFileIsToldToWhoHasNothingLeftOfIt() async throws {
        let pair = try VaultPair()
        try folder(pair, 0).make()
        _ = folder(pair, 0).perform(.save("f", "w1"))
        try await pair.syncAll()
        _ = folder(pair, 0).perform(.unlink("f"))
        pair.devices[0].vault.purgeTrash(now: .max)
        _ = folder(pair, 1).perform(.rename("f", "g"))
        try await pair.sync(1)
        try await pair.sync(0)
        try await pair.syncAll()
        for device in 0..<2 { #expect(try folder(pair, device).words() == ["w1"]) }
    }

    /// What somebody writes into a file that was moved over another one meets, on every device, the versions that the mover
    /// had of it (three writers, history 222 of an earlier generator).
    @Test func aFileThatWasMovedOverAnotherOneHasItsVersions() async throws {
        let pair = try VaultPair(devices: 3)
        try folder(pair, 0).make()
        _ = folder(pair, 0).perform(.create("a"))
        try await pair.syncAll()
        _ = folder(pair, 1).perform(.save("a", "w10"))
        _ = folder(pair, 0).perform(.save("a", "w11"))
        try await pair.sync(0)
        _ = folder(pair, 0).perform(.create("b"))
        _ = folder(pair, 0).perform(.rename("a", "b"))
        try await pair.sync(1)
        try await pair.syncAll()
        try await pair.syncAll()
        let pictures = try pictures(pair)
        #expect(pictures[0] == pictures[1] && pictures[1] == pictures[2])
        #expect(try folder(pair, 2).words() == ["w10", "w11"])
    }
}
