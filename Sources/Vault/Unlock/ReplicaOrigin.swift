public import Format
internal import Sealing

/// What another device needs besides the account key to make its copy of a vault. Nothing of it is secret without the
/// master password.
public struct ReplicaOrigin: Sendable, Equatable {
    /// The vault's identifier.
    public var vault: Identifier
    /// Who made the vault, signed.
    public var genesis: [UInt8]
    /// Proves the account key.
    public var canary: [UInt8]
    /// The admin key, under the master password and the account key together.
    public var adminWrap: [UInt8]

    public init(vault: Identifier, genesis: [UInt8], canary: [UInt8], adminWrap: [UInt8]) {
        (self.vault, self.genesis, self.canary, self.adminWrap) = (vault, genesis, canary, adminWrap)
    }

    /// Whether all of it belongs to one vault and this account key.
    func check(_ accountKey: AccountKey) throws(VaultError) {
        guard Genesis.verify(genesis), [genesis, canary, adminWrap].allSatisfy({ $0.count <= Header.limit }) else {
            throw .damaged([Damage("the genesis record's signatures are wrong")])
        }
        let isRight = unsafe Canary.verify(
            canary.span.bytes, accountKey: accountKey, vault: vault.pair,
            genesis: Digest.blake2b256(genesis.span.bytes).span.bytes)
        guard isRight else { throw .damaged([Damage("the canary does not match the account key")]) }
    }
}

extension Vault {
    /// What a device that joins gets of this vault, besides the account key.
    public func replicaOrigin() throws(VaultError) -> ReplicaOrigin {
        let header = try wrappedKeys().header
        return ReplicaOrigin(
            vault: identifier, genesis: header[Header.genesis], canary: header[Header.canary],
            adminWrap: header[Header.adminWrap])
    }
}
