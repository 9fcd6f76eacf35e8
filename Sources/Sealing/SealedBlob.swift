/// A chunk on its way to the remote: what the store has sealed with a key of epoch 1, sealed once more with one of the
/// present epoch, so that who was shut out opens nothing that came later.
///
/// Layout: "CFRB", format u8, zero u8 ×3, epoch u32, zero u32, seal 40, ciphertext. Associated data: type 18, vault, epoch,
/// slot of the chunk.
public enum SealedBlob {
    private static let magic = Array("CFRB".utf8) + [1, 0, 0, 0]
    private static let headerSize = 16
    /// In bytes.
    public static let overhead = headerSize + Seal.size
    private static let type: UInt8 = 18

    /// - Parameter hash: BLAKE2b-128 of `blob`.
    ///
    /// The nonce is a keyed hash of slot and `hash`, so that a retry is the same bytes. It meets a second time only with the
    /// same chunk: equal nonces are equal hashes, and those are equal bytes.
    public static func seal(
        _ blob: [UInt8], slot: Int64, hash: (UInt64, UInt64), keys: EpochKeys, vault: (UInt64, UInt64)
    ) -> [UInt8] {
        let name = Wrap.littleEndian(hash.0) + Wrap.littleEndian(hash.1)
        let tag = unsafe name.withUnsafeBytes { unsafe keys.nonces.tag((UInt64(bitPattern: slot), 1), $0) }
        let sealed = unsafe keys.outer.seal(
            blob.span.bytes, data(slot, keys.account.epoch, vault), nonce: (tag.0, tag.1, 0))
        var bytes = magic + Wrap.littleEndian(keys.account.epoch) + [0, 0, 0, 0] + sealed.seal.bytes
        sealed.cipher.withBytes { cipher in unsafe cipher.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) } }
        return bytes
    }

    /// The chunk as the store seals it; nil where none of the ring's keys opens it. Its hash is the caller's to check.
    public static func open(_ bytes: [UInt8], slot: Int64, ring: KeyRing) -> [UInt8]? {
        guard bytes.count > overhead, Array(bytes[..<8]) == magic, bytes[12..<16].allSatisfy({ $0 == 0 }) else {
            return nil
        }
        let epoch = UInt32(truncatingIfNeeded: Enrolment.word(bytes, 8))
        let cipher = Array(bytes[overhead...])
        for link in ring.links(of: epoch) {
            let plain = link.keys.outer.open(cipher, Seal(bytes, at: headerSize), data(slot, epoch, ring.vault))
            // What is inside is ciphertext itself.
            if let plain { return plain.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } } }
        }
        return nil
    }

    private static func data(_ slot: Int64, _ epoch: UInt32, _ vault: (UInt64, UInt64)) -> AssociatedData {
        AssociatedData(type: type, vault: vault, epoch: epoch, record: (UInt64(bitPattern: slot), 0))
    }
}
