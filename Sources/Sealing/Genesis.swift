/// The first record of a vault: who may admit devices, and the first device. Public, and signed by both.
///
/// Layout, 264 bytes: "CFRG", format u8, zero u8 ×3, vault 16, admin key 32, device 16, device keys 64,
/// signature of the admin key 64, signature of the device 64; each signs the 136 bytes before both.
public enum Genesis {
    private static let bodySize = 136

    public static func make(
        vault: (UInt64, UInt64), admin: borrowing AdminKey, device: (UInt64, UInt64), deviceKeys: borrowing DeviceKeys
    ) -> [UInt8] {
        let body =
            Array("CFRG".utf8) + [1, 0, 0, 0] + Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1)
            + admin.publicKey + Wrap.littleEndian(device.0) + Wrap.littleEndian(device.1) + deviceKeys.publicKeys
        return body + admin.sign(body) + deviceKeys.sign(body)
    }

    /// Whether both signatures are right.
    public static func verify(_ genesis: [UInt8]) -> Bool {
        guard genesis.count == bodySize + 128, Array(genesis[..<5]) == Array("CFRG".utf8) + [1] else { return false }
        let body = Array(genesis[..<bodySize])
        let admin = Array(genesis[24..<56])
        let device = Array(genesis[72..<104])
        return SigningSeed.verify(Array(genesis[bodySize..<(bodySize + 64)]), body, key: admin)
            && SigningSeed.verify(Array(genesis[(bodySize + 64)...]), body, key: device)
    }

    /// The 16 bytes of the vault's identifier; nil for a record of another length.
    public static func vault(_ genesis: [UInt8]) -> [UInt8]? {
        genesis.count == bodySize + 128 ? Array(genesis[8..<24]) : nil
    }

    /// The 16 bytes of the first device's identifier; nil for a record of another length.
    public static func device(_ genesis: [UInt8]) -> [UInt8]? {
        genesis.count == bodySize + 128 ? Array(genesis[56..<72]) : nil
    }

    /// Six words of five letters for the first 96 bits of the record's BLAKE2b-256: short enough to read
    /// out, long enough that nobody makes a second record with the same. The words are proquints
    /// (Wilkerson 2009, "A Proposal for Proquints"): consonant, vowel, consonant, vowel, consonant.
    public static func fingerprint(_ genesis: [UInt8]) -> [String] {
        let digest = unsafe Digest.blake2b256(genesis.span.bytes)
        return (0..<6).map { word(UInt16(digest[2 * $0]) << 8 | UInt16(digest[2 * $0 + 1])) }
    }

    private static func word(_ bits: UInt16) -> String {
        let consonants = Array("bdfghjklmnprstvz")
        let vowels = Array("aiou")
        return String([
            consonants[Int(bits >> 12)], vowels[Int(bits >> 10 & 3)], consonants[Int(bits >> 6 & 15)],
            vowels[Int(bits >> 4 & 3)], consonants[Int(bits & 15)],
        ])
    }
}
