/// What a sub-key is for. Each has a label of 16 bytes, so that no two uses share a key.
public enum SubkeyLabel: String, Sendable, CaseIterable {
    case record = "coffer.record.v1"
    case segment = "coffer.segmnt.v1"
    case snapshot = "coffer.snapsh.v1"
    case blob = "coffer.blobck.v1"
    case multiset = "coffer.mltset.v1"
    case canary = "coffer.canary.v1"
    case local = "coffer.local_.v1"
    case admin = "coffer.admin_.v1"
    case journal = "coffer.journl.v1"
    /// Blobs on their way to the remote.
    case outer = "coffer.outer_.v1"
    /// The earlier keys, for who has this one.
    case ring = "coffer.ring__.v1"
    /// Nonces of what has to be the same at each try.
    case nonce = "coffer.nonce_.v1"
    /// The part of a key in one that is made of several.
    case merge = "coffer.merge_.v1"
    /// What blobs are called at the remote.
    case names = "coffer.names_.v1"
}

/// The account key: 32 random bytes an epoch, of which all other keys are made (keyed BLAKE2b).
public final class AccountKey: Sendable {
    /// Counts the rotations, from 1.
    public let epoch: UInt32
    let key: SecretBytes

    /// A new key.
    public init(epoch: UInt32) {
        self.epoch = epoch
        key = SecretBytes(random: 32)
    }

    /// The key that a wrap held.
    public init(copying key: consuming SecretBytes, epoch: UInt32) {
        self.epoch = epoch
        self.key = key
    }

    public func sealingKey(_ label: SubkeyLabel) -> SealingKey { SealingKey(subkey(label)) }

    public func authenticationKey(_ label: SubkeyLabel) -> AuthenticationKey { AuthenticationKey(subkey(label)) }

    public func multisetKey() -> MultisetKey { MultisetKey(subkey(.multiset)) }

    func subkey(_ label: SubkeyLabel) -> SecretBytes {
        Digest.keyed(key, Array(label.rawValue.utf8))
    }

    /// The wrapped key, as it lies in the vault's file.
    public func wrap(
        password: borrowing MasterPassword, parameters: KDFParameters, vault: (UInt64, UInt64)
    ) throws(WrapError) -> [UInt8] {
        try Wrap.seal(
            key, password: password, parameters: parameters, purpose: .unlock, vault: vault, epoch: epoch,
            context: [])
    }

    /// The key wrapped for a kit, bound to `context`.
    func wrap(
        password: borrowing MasterPassword, parameters: KDFParameters, vault: (UInt64, UInt64), context: [UInt8]
    ) throws(WrapError) -> [UInt8] {
        try Wrap.seal(
            key, password: password, parameters: parameters, purpose: .kit, vault: vault, epoch: epoch,
            context: context)
    }
}
