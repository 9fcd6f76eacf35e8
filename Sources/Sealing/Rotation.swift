/// A new account key, sealed for each device that stays: who has none of the boxes is shut out of what is written from
/// here on. The admin key says so, so that nobody who only has an unlocked device can rotate.
///
/// Layout: "CFRR", format u8, zero u8 ×3, vault 16, name of the key 16, epoch u32, count of parents u32, count of boxes u32,
/// zero u32, when (seconds since 1970) i64, names of the parents 16 each, for each box device 16 and sealed box 80, admin
/// signature 64 of all before it.
public struct Rotation: Equatable, Sendable {
    /// The most boxes: as many as a vault may have devices.
    public static let boxLimit = 1024
    private static let magic = Array("CFRR".utf8) + [1, 0, 0, 0]
    private static let headerSize = 64
    private static let boxSize = 16 + SealedBox.size

    public let bytes: [UInt8]
    public let name: KeyName
    public let epoch: UInt32
    public let parents: [KeyName]

    /// - Parameter devices: identifiers with public keys: Ed25519, then X25519.
    public init(
        _ key: AccountKey, in ring: KeyRing, for devices: [(device: (UInt64, UInt64), keys: [UInt8])], seconds: Int64,
        admin: borrowing AdminKey
    ) {
        (name, epoch, parents) = (ring.name(of: key), key.epoch, ring.heads.map(\.name))
        var body = Rotation.magic + Wrap.littleEndian(ring.vault.0) + Wrap.littleEndian(ring.vault.1) + name.bytes
        for word in [epoch, UInt32(parents.count), UInt32(truncatingIfNeeded: devices.count), 0] {
            body += Wrap.littleEndian(word)
        }
        body += Wrap.littleEndian(seconds) + parents.flatMap(\.bytes)
        for (device, keys) in devices {
            body += Wrap.littleEndian(device.0) + Wrap.littleEndian(device.1)
            body += SealedBox.seal(key.key, for: Array(keys.suffix(32)))
        }
        bytes = body + admin.sign(body)
    }

    /// - Returns: nil unless it is one for this vault, signed by the admin key.
    public init?(_ bytes: [UInt8], vault: (UInt64, UInt64), admin: [UInt8]) {
        guard bytes.count >= Rotation.headerSize + 64, Array(bytes[..<8]) == Rotation.magic,
            Array(bytes[8..<24]) == Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1)
        else { return nil }
        let counts = (
            parents: Int(Enrolment.word(bytes, 40) >> 32), boxes: Int(Enrolment.word(bytes, 48) & 0xFFFF_FFFF)
        )
        guard counts.parents <= KeyRing.parentLimit, counts.boxes <= Rotation.boxLimit,
            bytes.count == Rotation.headerSize + 16 * counts.parents + Rotation.boxSize * counts.boxes + 64,
            SigningSeed.verify(Array(bytes.suffix(64)), Array(bytes.dropLast(64)), key: admin)
        else { return nil }
        self.bytes = bytes
        name = KeyName(bytes, at: 24)
        epoch = UInt32(truncatingIfNeeded: Enrolment.word(bytes, 40))
        parents = (0..<counts.parents).map { KeyName(bytes, at: Rotation.headerSize + 16 * $0) }
    }

    /// The identifiers of the devices that stay, 16 bytes each.
    public var devices: [[UInt8]] {
        stride(from: Rotation.headerSize + 16 * parents.count, to: bytes.count - 64, by: Rotation.boxSize)
            .map { Array(bytes[$0..<($0 + 16)]) }
    }

    /// The key; nil where there is no box for the device, or another key is in it than the notice says.
    public func open(for device: [UInt8], keys: borrowing DeviceKeys, in ring: KeyRing) -> AccountKey? {
        let start = Rotation.headerSize + 16 * parents.count
        guard let place = devices.firstIndex(of: device) else { return nil }
        let box = start + place * Rotation.boxSize + 16
        guard let secret = keys.open(box: Array(bytes[box..<(box + SealedBox.size)])) else { return nil }
        let key = AccountKey(copying: secret, epoch: epoch)
        return ring.name(of: key) == name ? key : nil
    }
}

/// Several rotations that did not know of each other: from here on the key that they make together is used.
///
/// Layout: "CFRM", format u8, zero u8 ×3, count of parents u32, zero u32, names of the parents 16 each. It needs no signature
/// of its own: it gives nobody a key.
public struct KeyMerge: Equatable, Sendable {
    private static let magic = Array("CFRM".utf8) + [1, 0, 0, 0]

    public let parents: [KeyName]

    public init(of parents: [KeyName]) { self.parents = parents.sorted() }

    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= 16, Array(bytes[..<8]) == KeyMerge.magic else { return nil }
        let count = Int(Enrolment.word(bytes, 8))
        guard (2...KeyRing.parentLimit).contains(count), bytes.count == 16 + 16 * count else { return nil }
        parents = (0..<count).map { KeyName(bytes, at: 16 + 16 * $0) }.sorted()
    }

    public var bytes: [UInt8] {
        KeyMerge.magic + Wrap.littleEndian(UInt64(parents.count)) + parents.flatMap(\.bytes)
    }
}
