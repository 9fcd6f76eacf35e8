import Format
import Sealing
import Testing

@testable import Sync

/// The account's e-mail address in the logs.
@Suite struct AddressTests {
    private func address(_ text: String, _ clock: UInt64, of device: Int, in pair: Pair, _ admin: borrowing AdminKey)
        throws
        -> Notice
    {
        let made = AccountAddress(
            text, vault: pair.family.vault.pair, clock: clock, device: pair.family.devices[device].pair, admin: admin)
        return Notice(kind: .kit, bytes: try #require(made).bytes)
    }

    private func say(_ notice: Notice, on device: Int, in pair: Pair) throws {
        try pair.replicas[device].edit { (t) throws(SyncError) in t.store.notices.append(notice) }
    }

    private func known(_ pair: Pair, _ device: Int) async throws -> String? {
        try await pair.engine(device).status().address?.text
    }

    @Test func itTravels() async throws {
        let pair = Pair()
        try say(try address("ann@example.org", 1, of: 0, in: pair, pair.family.admin.key), on: 0, in: pair)
        for device in [0, 1] { try await pair.sync(device) }
        for device in [0, 1] { #expect(try await known(pair, device) == "ann@example.org") }
        try say(try address("ann@example.net", 2, of: 1, in: pair, pair.family.admin.key), on: 1, in: pair)
        for device in [1, 0] { try await pair.sync(device) }
        for device in [0, 1] { #expect(try await known(pair, device) == "ann@example.net") }
    }

    /// The later one counts, in whatever order they come.
    @Test func twoAtOnceComeToTheSame() async throws {
        let pair = Pair(devices: 3)
        try pair.make("mail", "x", on: 0)
        for device in [0, 1, 2] { try await pair.sync(device) }
        try say(try address("one@example.org", 5, of: 0, in: pair, pair.family.admin.key), on: 0, in: pair)
        try say(try address("two@example.org", 5, of: 1, in: pair, pair.family.admin.key), on: 1, in: pair)
        for device in [1, 0, 2, 1, 0] { try await pair.sync(device) }
        for device in 0..<3 { #expect(try await known(pair, device) == "two@example.org") }
    }

    /// A newcomer has it from a snapshot, though the segment is gone.
    @Test func aSnapshotHasIt() async throws {
        let pair = Pair()
        pair.segmentsBeforeSnapshot = 1
        try say(try address("ann@example.org", 1, of: 0, in: pair, pair.family.admin.key), on: 0, in: pair)
        try pair.make("mail", "x", on: 0)
        for number in 0..<12 {
            try pair.write("edit \(number)", to: "mail", on: 0)
            for device in [0, 1] { try await pair.sync(device) }
        }
        let newcomer = pair.join()
        #expect(try await pair.sync(newcomer).startedFrom != nil)
        #expect(try await known(pair, newcomer) == "ann@example.org")
    }

    /// Attack 37: who has a device and not the master password cannot change what kits are bound to, nor use up the clock.
    @Test func attack37_onlyTheAdminKeySetsIt() async throws {
        let pair = Pair()
        try say(try address("ann@example.org", 1, of: 0, in: pair, pair.family.admin.key), on: 0, in: pair)
        for device in [0, 1] { try await pair.sync(device) }
        try say(try address("eve@example.org", 9, of: 1, in: pair, AdminKey()), on: 1, in: pair)
        try say(try address("eve@example.org", .max, of: 1, in: pair, pair.family.admin.key), on: 1, in: pair)
        for device in [1, 0] { try await pair.sync(device) }
        #expect(try await known(pair, 0) == "ann@example.org")
    }
}
