import Format
import Sealing
import Sync

/// The keys of one vault and its devices, drawn once: what a schedule needs of them is that they are there.
struct Family: Sendable {
    let vault: Identifier
    let devices: [Identifier]
    let keys: [SyncKeys]
    let admin: [UInt8]

    static let four = Family(count: 4)

    init(count: Int) {
        // The same in each process: the order of devices decides ties.
        let vault = Identifier(low: 1, high: 1)
        let devices = (0..<count).map { Identifier(low: 100 + UInt64($0), high: 7) }
        let accountKey = AccountKey(epoch: 1)
        let admin = AdminKey()
        let first = DeviceKeys()
        let genesis = Genesis.make(vault: vault.pair, admin: admin, device: devices[0].pair, deviceKeys: first)
        var keys = [
            SyncKeys(vault: vault, device: devices[0], genesis: genesis, accountKey: accountKey, signer: first)
        ]
        for device in devices.dropFirst() {
            let own = DeviceKeys()
            let enrolment = Enrolment(
                vault: vault.pair, device: device.pair, keys: own, kit: (1, 1), epoch: 1, seconds: 0, admin: admin)
            keys.append(
                SyncKeys(
                    vault: vault, device: device, genesis: genesis, accountKey: accountKey, signer: own,
                    enrolment: enrolment))
        }
        (self.vault, self.devices, self.keys, self.admin) = (vault, devices, keys, admin.publicKey)
    }
}
