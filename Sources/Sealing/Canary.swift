/// A known text under the account key, key-committing: proves a key before anything else is done with it.
/// Bound to vault, epoch and the genesis record, so that no other vault's serves.
///
/// Layout, 64 bytes: "CFRC", format u8, zero u8 ×3, epoch u32, zero u32, vault 16, commitment 32.
public enum Canary {
    private static let text = Array("The account key is the right one".utf8)

    /// - Parameter genesis: BLAKE2b-256 of the genesis record.
    public static func make(accountKey: AccountKey, vault: (UInt64, UInt64), genesis: RawSpan) -> [UInt8] {
        let header =
            Array("CFRC".utf8) + [1, 0, 0, 0] + Wrap.littleEndian(accountKey.epoch) + [0, 0, 0, 0]
            + Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1)
        let genesis = unsafe genesis.withUnsafeBytes { unsafe [UInt8]($0) }
        let proof = Digest.keyed(accountKey.subkey(.canary), header, genesis, text)
        return header + proof.withBytes { unsafe $0.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    /// Whether the canary was made with this key for this vault.
    public static func verify(
        _ canary: RawSpan, accountKey: AccountKey, vault: (UInt64, UInt64), genesis: RawSpan
    ) -> Bool {
        let expected = make(accountKey: accountKey, vault: vault, genesis: genesis)
        guard canary.byteCount == expected.count else { return false }
        return unsafe SecretBytes(copying: canary).isEqual(to: SecretBytes(copying: expected.span.bytes))
    }
}
