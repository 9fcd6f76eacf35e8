/// A device is admitted: who has the admin key says so, and the device says that these are its keys.
///
/// Layout, 288 bytes: "CFRE", format u8, zero u8 ×3, vault 16, device 16, device keys 64, kit 16, epoch u32, zero u32, when
/// (seconds since 1970) i64, zero ×24, admin signature 64, device signature 64; each signs the 160 bytes before both.
public struct Enrolment: Equatable, Sendable {
    public static let size = 288
    private static let bodySize = 160

    public let bytes: [UInt8]

    public init(
        vault: (UInt64, UInt64), device: (UInt64, UInt64), keys: borrowing DeviceKeys, kit: (UInt64, UInt64),
        epoch: UInt32, seconds: Int64, admin: borrowing AdminKey
    ) {
        var body = Array("CFRE".utf8) + [1, 0, 0, 0] + Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1)
        body += Wrap.littleEndian(device.0) + Wrap.littleEndian(device.1) + keys.publicKeys
        body += Wrap.littleEndian(kit.0) + Wrap.littleEndian(kit.1) + Wrap.littleEndian(epoch) + [0, 0, 0, 0]
        body += Wrap.littleEndian(seconds) + [UInt8](repeating: 0, count: 24)
        bytes = body + admin.sign(body) + keys.sign(body)
    }

    /// - Returns: nil unless it is one for this vault, signed by the admin key and by the device.
    public init?(_ bytes: [UInt8], vault: (UInt64, UInt64), admin: [UInt8]) {
        guard bytes.count == Enrolment.size, Array(bytes[..<8]) == Array("CFRE".utf8) + [1, 0, 0, 0],
            Array(bytes[8..<24]) == Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1)
        else { return nil }
        let body = Array(bytes[..<Enrolment.bodySize])
        guard
            SigningSeed.verify(Array(bytes[Enrolment.bodySize..<(Enrolment.bodySize + 64)]), body, key: admin),
            SigningSeed.verify(Array(bytes.suffix(64)), body, key: Array(bytes[40..<72]))
        else { return nil }
        self.bytes = bytes
    }

    /// The 16 bytes of the device's identifier.
    public var device: [UInt8] { Array(bytes[24..<40]) }
    /// Ed25519, then X25519.
    public var deviceKeys: [UInt8] { Array(bytes[40..<104]) }
    /// The kit that it joined with, 16 bytes.
    public var kit: [UInt8] { Array(bytes[104..<120]) }
    public var epoch: UInt32 { UInt32(truncatingIfNeeded: Enrolment.word(bytes, 120)) }
    public var seconds: Int64 { Int64(bitPattern: Enrolment.word(bytes, 128)) }

    static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
}

/// A device is shut out: what it wrote beyond a place in its log counts no more.
///
/// Layout, 144 bytes: "CFRX", format u8 (2), zero u8 ×3, vault 16, device 16, last sequence u64, when i64, hash of that segment
/// 16, its clock u64, admin signature 64 of the 80 bytes before it. Of format 1, 128 bytes, which is still read: zero ×8 in
/// the place of hash and clock.
public struct Revocation: Equatable, Sendable {
    public static let size = 144

    public let bytes: [UInt8]

    /// - Parameters:
    ///   - device: its identifier, 16 bytes.
    ///   - last: the last segment of it that counts, from 1; 0 for none.
    ///   - hash: of that segment, 16 bytes: of two that are signed with one number this one counts.
    ///   - lamport: the device's clock at its end.
    ///   - seconds: now, since 1970: for people only.
    public init(
        vault: (UInt64, UInt64), device: [UInt8], last: UInt64, hash: [UInt8], lamport: UInt64, seconds: Int64,
        admin: borrowing AdminKey
    ) {
        var body = Array("CFRX".utf8) + [2, 0, 0, 0] + Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1)
        body += device.prefix(16) + Wrap.littleEndian(last) + Wrap.littleEndian(seconds)
        body += hash.prefix(16) + Wrap.littleEndian(lamport)
        bytes = body + admin.sign(body)
    }

    /// - Returns: nil unless it is one for this vault, signed by the admin key.
    public init?(_ bytes: [UInt8], vault: (UInt64, UInt64), admin: [UInt8]) {
        guard bytes.count > 64 + 8, bytes.count == (bytes[4] == 1 ? 128 : Revocation.size) else { return nil }
        let body = Array(bytes.dropLast(64))
        guard Array(body[..<4]) == Array("CFRX".utf8), [1, 2].contains(body[4]), Array(body[5..<8]) == [0, 0, 0],
            Array(body[8..<24]) == Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1),
            SigningSeed.verify(Array(bytes.suffix(64)), body, key: admin)
        else { return nil }
        self.bytes = bytes
    }

    /// The 16 bytes of the device's identifier.
    public var device: [UInt8] { Array(bytes[24..<40]) }
    /// The last segment of it that counts.
    public var last: UInt64 { Enrolment.word(bytes, 40) }
    /// The 16 bytes of that segment's hash; nil in format 1, and where nothing counts.
    public var hash: [UInt8]? { bytes[4] == 1 || last == 0 ? nil : Array(bytes[56..<72]) }
    /// The device's clock at its end; nil in format 1.
    public var lamport: UInt64? { bytes[4] == 1 ? nil : Enrolment.word(bytes, 72) }
}

extension Genesis {
    /// The admin key's Ed25519 public key; nil for a record of another length.
    public static func adminKey(_ genesis: [UInt8]) -> [UInt8]? {
        genesis.count == 264 ? Array(genesis[24..<56]) : nil
    }

    /// The first device's public keys, 64 bytes.
    public static func deviceKeys(_ genesis: [UInt8]) -> [UInt8]? {
        genesis.count == 264 ? Array(genesis[72..<136]) : nil
    }
}
