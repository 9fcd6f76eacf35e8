public import Format
public import Sealing

/// The keys that synchronisation needs, and who this device is.
public final class SyncKeys: Sendable {
    public let vault: Identifier
    public let device: Identifier
    /// The genesis record.
    public let genesis: [UInt8]
    public let canary: [UInt8]
    /// Of a device that joined: what it introduces itself with.
    let enrolment: Enrolment?
    let epoch: UInt32
    let segment: SealingKey
    let snapshot: SealingKey
    /// Names of blobs.
    private let names: AuthenticationKey
    let signer: DeviceKeys

    public init(
        vault: Identifier, device: Identifier, genesis: [UInt8], canary: [UInt8], accountKey: AccountKey,
        signer: consuming DeviceKeys, enrolment: Enrolment? = nil
    ) {
        (self.vault, self.device, self.genesis, self.canary) = (vault, device, genesis, canary)
        epoch = accountKey.epoch
        segment = accountKey.sealingKey(.segment)
        snapshot = accountKey.sealingKey(.snapshot)
        names = accountKey.authenticationKey(.snapshot)
        self.signer = signer
        self.enrolment = enrolment
    }

    /// What a chunk's blob is called: every device computes the same, and nobody without the key.
    func blobName(_ slot: Int64) -> Identifier {
        let tag = unsafe names.tag((UInt64(bitPattern: slot), 0), UnsafeRawBufferPointer(start: nil, count: 0))
        return Identifier(low: tag.0, high: tag.1)
    }
}
