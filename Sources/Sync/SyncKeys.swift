public import Format
public import Sealing

/// The keys that synchronisation needs, and who this device is.
public final class SyncKeys: Sendable {
    public let vault: Identifier
    public let device: Identifier
    /// The genesis record.
    public let genesis: [UInt8]
    /// The account key of epoch 1; those of later epochs are in the replica (``ReplicaTransaction/loadKeys()``).
    let ring: KeyRing
    /// Of a device that was admitted elsewhere: what it introduces itself with.
    let enrolment: Enrolment?
    /// Of the device that made the vault: the admin key, wrapped, for devices that join.
    let adminWrap: [UInt8]
    /// What blobs are called…
    private let names: AuthenticationKey
    /// …and what programs from before have called them: with a key that seals snapshots, too.
    private let oldNames: AuthenticationKey
    let signer: DeviceKeys

    /// - Parameters:
    ///   - accountKey: that of epoch 1, which the vault's file opens with.
    ///   - adminWrap: empty on a device that joined.
    public init(
        vault: Identifier, device: Identifier, genesis: [UInt8], accountKey: AccountKey, signer: consuming DeviceKeys,
        enrolment: Enrolment? = nil, adminWrap: [UInt8] = []
    ) {
        (self.vault, self.device, self.genesis) = (vault, device, genesis)
        ring = KeyRing(first: accountKey, vault: vault.pair, genesis: genesis)
        (self.enrolment, self.adminWrap) = (enrolment, adminWrap)
        names = accountKey.authenticationKey(.names)
        oldNames = accountKey.authenticationKey(.snapshot)
        self.signer = signer
    }

    /// What a chunk's blob is called: every device computes the same in every epoch, and nobody without the key.
    func blobName(_ slot: Int64) -> Identifier { name(slot, names) }

    /// What programs from before have called it.
    func oldBlobName(_ slot: Int64) -> Identifier { name(slot, oldNames) }

    private func name(_ slot: Int64, _ key: AuthenticationKey) -> Identifier {
        let tag = unsafe key.tag((UInt64(bitPattern: slot), 0), UnsafeRawBufferPointer(start: nil, count: 0))
        return Identifier(low: tag.0, high: tag.1)
    }
}
