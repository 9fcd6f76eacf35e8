import Format
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// Account keys of later epochs in the vault's file.
@Suite struct LaterKeysTests {
    private let email = "ann@example.org"

    /// A vault whose account key was changed once.
    private func rotated(_ fixture: Fixture) throws -> (vault: Vault, ring: KeyRing) {
        let vault = try fixture.create()
        let first = try vault.wrappedKeys().unwrap(MasterPassword(Fixture.password))
        var ring = KeyRing(
            first: first, vault: vault.identifier.pair, genesis: try vault.replicaOrigin().genesis)
        ring.add(ring.nextKey(), parents: [ring.current.name], origin: nil)
        let stored = ring.stored
        try vault.replicate(translating: { $0 }) { (transaction) throws(Errno) in try transaction.saveKeys(stored) }
        return (vault, ring)
    }

    private func kit(_ vault: Vault, password: String = Fixture.password) throws -> Kit {
        let text = try vault.issueKit(
            password: MasterPassword(password), email: email, parameters: .floor, remote: "https://dav.example.org/")
        return try #require(Kit(text: text))
    }

    @Test func kitHasTheLatestKeyAndTheRemote() throws {
        let fixture = try Fixture()
        var (vault, ring) = try rotated(fixture)
        vault = try fixture.reopen(vault)
        let kit = try kit(vault)
        #expect(try vault.keyRing() == ring)
        #expect(kit.epoch == 2 && kit.remote == "https://dav.example.org/")
        let key = try kit.open(password: MasterPassword(Fixture.password), email: email)
        #expect(ring.name(of: key) == ring.current.name)
        try vault.close()
    }

    /// They lie under the first key: a new password has nothing to do with them.
    @Test func changeOfThePasswordKeepsThem() throws {
        let fixture = try Fixture()
        let (vault, _) = try rotated(fixture)
        try vault.changePassword(
            from: MasterPassword(Fixture.password), to: MasterPassword("another one 123"))
        try vault.close()
        let again = try fixture.open(password: "another one 123")
        #expect(try kit(again, password: "another one 123").epoch == 2)
        try again.close()
    }

    @Test func replicaIsMadeWithThem() throws {
        let (fixture, second) = (try Fixture(), try Fixture())
        let (vault, ring) = try rotated(fixture)
        var origin = try vault.replicaOrigin()
        let wrap = origin.adminWrap
        origin.adminWrap = []
        let password = try MasterPassword(Fixture.password)
        let replica = try Vault.createReplica(
            at: second.file, of: origin, accountKey: ring.first, laterKeys: ring.stored, device: .random(),
            deviceKeys: DeviceKeys(), password: password,
            options: .init(parameters: .floor, stateDirectory: second.state))
        #expect(try kit(replica).epoch == 2)
        #expect(throws: VaultError.self) { _ = try replica.wrappedKeys().adminKey(password: password) }
        try replica.adopt(adminWrap: wrap)
        let again = try second.reopen(replica)
        let admin = try again.wrappedKeys().adminKey(password: password)
        #expect(admin.publicKey == Genesis.adminKey(origin.genesis))
        for vault in [vault, again] { try vault.close() }
    }

    /// Attack 10: the row is in the sum like any other.
    @Test func attack10_olderKeysAreFound() throws {
        let fixture = try Fixture()
        var (vault, ring) = try rotated(fixture)
        let old = try vault.wrappedKeys().later
        ring.add(ring.nextKey(), parents: [ring.current.name], origin: nil)
        let stored = ring.stored
        try vault.replicate(translating: { $0 }) { (transaction) throws(Errno) in try transaction.saveKeys(stored) }
        #expect(try vault.wrappedKeys().later != old)
        try vault.close()
        let connection = try Connection(path: fixture.file, readOnly: false, cacheKiB: 64)
        try connection.execute("DELETE FROM sync WHERE slot = \(SyncIndex.keys)")
        connection.close()
        guard case .damaged? = try fixture.refusal() else {
            Issue.record("it opens without them")
            return
        }
    }
}
