internal import Format
public import Sealing

/// What synchronisation needs of an open vault: its key, and who this device is.
extension Vault {
    /// The account key, open as long as the vault is.
    public var accountKey: AccountKey { keys.accountKey }

    /// This device's own keys.
    ///
    /// - Throws: `damaged` where they do not open.
    public func deviceKeys() throws(VaultError) -> DeviceKeys {
        let header = try wrappedKeys().header
        guard let keys = keys.deviceKeys(header[Header.device], of: device) else {
            throw .damaged([Damage("this device's keys do not open")])
        }
        return keys
    }
}
