import Format
import SystemPackage
import Testing

@testable import Sync
@testable import Vault

/// Once somebody has dealt with the copy of a conflict, nothing of the conflict is left.
@Suite struct SettledCopyTests {
    enum Way: CaseIterable, Sendable {
        case removed, edited, editedAndRemoved, moved, movedAndRemoved, movedOver, given
    }

    private func isCopy(_ item: VaultDevice.Item) -> Bool { item.path.contains("(conflict, ") }

    /// Both devices write what the other one does not know.
    private func meet(_ left: String, _ right: String, _ pair: VaultPair) async throws {
        try pair.save("f", left, on: 0)
        try pair.save("f", right, on: 1)
        try await pair.syncAll()
    }

    /// A pair where a conflict came, and one device dealt with its copy.
    private func settled(_ way: Way, on device: Int) async throws -> VaultPair {
        let pair = try VaultPair()
        try pair.save("f", "0\n", on: 0)
        try await pair.syncAll()
        try await meet("on\n", "off\n", pair)
        try await settle(way, on: device, pair)
        return pair
    }

    /// One device deals with what is called a copy there, and the other one hears of it.
    private func settle(_ way: Way, on device: Int, _ pair: VaultPair) async throws {
        let (of, copies) = (pair.devices[device], try pair.devices[device].items().filter(isCopy))
        #expect(copies.count == 1)
        for copy in copies {
            if way == .edited || way == .editedAndRemoved { try of.write("edited\n", to: copy.node) }
            if way == .moved || way == .movedAndRemoved { try of.move(copy, to: .root, as: "g") }
            if way == .movedOver { try of.move(copy, to: .root, as: "f") }
            if way == .given {
                var changes = AttributeChanges()
                changes.mode = 0o400
                try of.vault.setAttributes(of: copy.node, changes)
            }
            if way == .removed || way == .editedAndRemoved { try of.remove(copy) }
            if way == .movedAndRemoved { try of.remove(try pair.item("g", on: device)) }
        }
        try await pair.syncAll()
    }

    private func expectTheSame(_ pair: VaultPair) throws -> [String: String] {
        let tree = try pair.devices[0].tree()
        for device in pair.devices.dropFirst() { #expect(try device.tree() == tree) }
        return tree
    }

    /// What was in the copy may come again.
    @Test(arguments: Way.allCases, [0, 1]) func theSameBytesMayComeAgain(_ way: Way, _ device: Int) async throws {
        let pair = try await settled(way, on: device)
        for item in try pair.devices[0].items() where item.path != "f" { try pair.devices[0].remove(item) }
        try pair.save("f", "0\n", on: 0)
        try await pair.syncAll()
        #expect(try expectTheSame(pair) == ["f": "0\n"])
        try await meet("on\n", "off\n", pair)
        #expect(try Set(expectTheSame(pair).values) == ["on\n", "off\n"])
    }

    @Test(arguments: Way.allCases, [0, 1]) func fieldsMergeAgain(_ way: Way, _ device: Int) async throws {
        let pair = try await settled(way, on: device)
        try pair.save("f", "secret\nuser: 1\nurl: 1\n", on: 0)
        try await pair.syncAll()
        try await meet("secret\nuser: 2\nurl: 1\n", "secret\nuser: 1\nurl: 2\n", pair)
        #expect(try expectTheSame(pair)["f"] == "secret\nuser: 2\nurl: 2\n")
    }

    /// An entry may have any number of conflicts, settled or not.
    @Test(arguments: [true, false]) func manyConflictsOfOneEntry(_ areSettled: Bool) async throws {
        let pair = try VaultPair()
        // More than a register holds.
        let count = 260
        for number in 0..<count {
            try await meet("on \(number)\n", "off \(number)\n", pair)
            guard areSettled else { continue }
            for copy in try pair.devices[0].items().filter(isCopy) { try pair.devices[0].remove(copy) }
        }
        try await pair.syncAll()
        let texts = try Set(expectTheSame(pair).values)
        #expect(texts.count == (areSettled ? 1 : count + 1))
    }
}
