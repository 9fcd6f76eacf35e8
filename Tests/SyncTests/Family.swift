import Format
import Sealing
import Sync

/// The keys of one vault and its devices, drawn once: what a schedule needs of them is that they are there.
struct Family: Sendable {
    let vault: Identifier
    let devices: [Identifier]
    let keys: [SyncKeys]
    /// Who may admit devices and shut them out.
    let admin: Authority
    let accountKey: AccountKey
    let genesis: [UInt8]

    final class Authority: Sendable {
        let key = AdminKey()
    }

    /// Four devices, and four more for those that have to go on under another name.
    static let eight = Family(count: 8)

    /// - Parameter adminWrap: makes the admin key's wrap for the first device's log.
    init(count: Int, adminWrap: (AccountKey, Authority, Identifier) -> [UInt8] = { _, _, _ in [] }) {
        // The same in each process: the order of devices decides ties.
        let vault = Identifier(low: 1, high: 1)
        let devices = (0..<count).map { Identifier(low: 100 + UInt64($0), high: 7) }
        let accountKey = AccountKey(epoch: 1)
        let admin = Authority()
        let first = DeviceKeys()
        let genesis = Genesis.make(vault: vault.pair, admin: admin.key, device: devices[0].pair, deviceKeys: first)
        var keys = [
            SyncKeys(
                vault: vault, device: devices[0], genesis: genesis, accountKey: accountKey, signer: first,
                adminWrap: adminWrap(accountKey, admin, vault))
        ]
        for device in devices.dropFirst() {
            let own = DeviceKeys()
            let enrolment = Enrolment(
                vault: vault.pair, device: device.pair, keys: own, kit: (1, 1), epoch: 1, seconds: 0, admin: admin.key)
            keys.append(
                SyncKeys(
                    vault: vault, device: device, genesis: genesis, accountKey: accountKey, signer: own,
                    enrolment: enrolment))
        }
        (self.vault, self.devices, self.keys, self.admin) = (vault, devices, keys, admin)
        (self.accountKey, self.genesis) = (accountKey, genesis)
    }

    /// What a replica can open: the first key, and what it has learnt since.
    func ring(of replica: MemoryReplica) -> KeyRing {
        var ring = KeyRing(first: accountKey, vault: vault.pair, genesis: genesis)
        if let keys = replica.store.keys { _ = ring.load(keys) }
        return ring
    }

    /// Shuts a device out after a segment.
    func revocation(of device: Int, after last: UInt64) -> Notice { revocation(of: devices[device], after: last) }

    func revocation(of device: Identifier, after last: UInt64) -> Notice {
        let revocation = Revocation(
            vault: vault.pair, device: bytes(device), last: last, hash: bytes(.none), lamport: 0, seconds: 0,
            admin: admin.key)
        return Notice(kind: .revocation, bytes: revocation.bytes)
    }

    private func bytes(_ identifier: Identifier) -> [UInt8] {
        [identifier.low, identifier.high].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
        }
    }
}
