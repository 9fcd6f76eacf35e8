/// What a device puts at the remote: sealed with a sub-key of the account key, and signed by the device, so that who has
/// the account key can read it and nobody but the device can have written it.
///
/// Layout: magic 4 ("CFRS" segment, "CFRN" snapshot, "CFRT" receipt), format u8, zero u8 ×3, epoch u32, length of the ciphertext u32,
/// device 16, sequence u64, index u32, count u32, seal 40, ciphertext, Ed25519 signature 64 of all before it.
public struct SignedObject: Sendable {
    public enum Kind: Sendable {
        case segment, snapshot
        /// How far a device has read the logs of the others.
        case receipt

        fileprivate var magic: [UInt8] {
            switch self {
            case .segment: Array("CFRS".utf8)
            case .snapshot: Array("CFRN".utf8)
            case .receipt: Array("CFRT".utf8)
            }
        }

        /// The type in the associated data; the store's own types are below 16, those of other objects 18 to 20.
        fileprivate var type: UInt8 {
            switch self {
            case .segment: 16
            case .snapshot: 17
            case .receipt: 21
            }
        }
    }

    /// What an object says of itself before anything is opened.
    public struct Header: Equatable, Sendable {
        public var epoch: UInt32
        public var device: (UInt64, UInt64)
        /// Its place in the device's log.
        public var sequence: UInt64
        /// Of a snapshot of several parts: which one, and how many there are.
        public var index: UInt32
        public var count: UInt32

        public init(epoch: UInt32, device: (UInt64, UInt64), sequence: UInt64, index: UInt32 = 0, count: UInt32 = 1) {
            (self.epoch, self.device, self.sequence, self.index, self.count) = (epoch, device, sequence, index, count)
        }

        public static func == (left: Header, right: Header) -> Bool {
            left.bytes == right.bytes
        }

        fileprivate var bytes: [UInt8] {
            Wrap.littleEndian(device.0) + Wrap.littleEndian(device.1) + Wrap.littleEndian(sequence)
                + Wrap.littleEndian(index) + Wrap.littleEndian(count) + Wrap.littleEndian(epoch)
        }
    }

    public let header: Header
    private let kind: Kind
    private let bytes: [UInt8]

    static let headerSize = 48
    static let overhead = headerSize + Seal.size + 64

    /// Seals and signs.
    public static func make(
        _ kind: Kind, _ header: Header, _ plain: RawSpan, key: SealingKey, vault: (UInt64, UInt64),
        signer: borrowing DeviceKeys
    ) -> [UInt8] {
        var bytes = kind.magic + [1, 0, 0, 0]
        bytes += Wrap.littleEndian(header.epoch) + Wrap.littleEndian(UInt32(truncatingIfNeeded: plain.byteCount))
        bytes += Wrap.littleEndian(header.device.0) + Wrap.littleEndian(header.device.1)
        bytes += Wrap.littleEndian(header.sequence) + Wrap.littleEndian(header.index) + Wrap.littleEndian(header.count)
        let sealed = key.seal(plain, data(kind, header, vault))
        bytes += sealed.seal.bytes
        sealed.cipher.withBytes { cipher in unsafe cipher.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) } }
        return bytes + signer.sign(bytes)
    }

    /// What stands in an object's header; nil where the bytes are none of this kind and format, or not whole.
    public init?(_ kind: Kind, _ bytes: [UInt8]) {
        guard bytes.count >= SignedObject.overhead, Array(bytes[..<8]) == kind.magic + [1, 0, 0, 0] else { return nil }
        func word(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) } }
        let length = Int(word(8) >> 32)
        guard bytes.count == SignedObject.overhead + length else { return nil }
        header = Header(
            epoch: UInt32(truncatingIfNeeded: word(8)), device: (word(16), word(24)), sequence: word(32),
            index: UInt32(truncatingIfNeeded: word(40)), count: UInt32(truncatingIfNeeded: word(40) >> 32))
        (self.kind, self.bytes) = (kind, bytes)
    }

    /// The format of an object that a newer program has written; nil for what is none.
    public static func newerFormat(_ kind: Kind, _ bytes: [UInt8]) -> Int? {
        ObjectFormat.newer(bytes, magic: kind.magic)
    }

    /// Whether a device signed it.
    ///
    /// - Parameter key: the device's Ed25519 key, 32 bytes.
    public func isSigned(by key: [UInt8]) -> Bool {
        SigningSeed.verify(Array(bytes.suffix(64)), Array(bytes.dropLast(64)), key: key)
    }

    /// The plaintext, and the key of its epoch that it was sealed with; nil where the ring has none that opens it.
    public func open(with ring: KeyRing) -> OpenedObject? {
        for link in ring.links(of: header.epoch) {
            let key = kind == .snapshot ? link.keys.snapshot : link.keys.segment
            if let plain = open(key: key, vault: ring.vault) { return OpenedObject(plain: plain, keys: link.keys) }
        }
        return nil
    }

    /// The plaintext; nil where it was sealed with another key or for another place.
    func open(key: SealingKey, vault: (UInt64, UInt64)) -> PlainBuffer? {
        let start = SignedObject.headerSize
        let seal = Seal(bytes, at: start)
        var plain = PlainBuffer()
        plain.resize(to: bytes.count - SignedObject.overhead)
        let range = (start + Seal.size)..<(bytes.count - 64)
        let opened = unsafe bytes.withUnsafeBytes { all in
            unsafe plain.withUnsafeMutableBytes { target in
                unsafe key.open(
                    UnsafeRawBufferPointer(rebasing: all[range]), seal, SignedObject.data(kind, header, vault),
                    into: target)
            }
        }
        guard opened else { return nil }
        return plain
    }

    private static func data(_ kind: Kind, _ header: Header, _ vault: (UInt64, UInt64)) -> AssociatedData {
        AssociatedData(
            type: kind.type, vault: vault, epoch: header.epoch, record: header.device, version: header.sequence,
            index: header.index, count: header.count)
    }
}

/// What was in a signed object.
public struct OpenedObject: ~Copyable {
    public let plain: PlainBuffer
    /// The keys of its epoch.
    public let keys: EpochKeys
}
