/// The ring in the two places where it is kept: in the store, under the local key, and beside the canary at the remote, where
/// who has the present key comes down to the first.
///
/// Layout: "CFRA", format u8, zero u8 ×3, epoch of the key above it u32, length of the ciphertext u32, seal 40, ciphertext.
/// In the ciphertext: count u16; for each key, what it follows before it: epoch u32, device and sequence number of the
/// segment that announced it (16 and u64; zeroes at the remote), count of parents u8, their names 16 each, key 32; then
/// the parents of the key above it: count u8, names.
extension KeyRing {
    private static let magic = Array("CFRA".utf8) + [1, 0, 0, 0]
    private static let headerSize = 16
    /// The longest object of a canary, in bytes.
    public static let objectLimit = 131_072
    /// Types in the associated data.
    private static let remoteType: UInt8 = 19
    private static let storeType: UInt8 = 20

    // MARK: At the remote

    /// What stands at the remote for a key: its canary, and behind that all keys that it follows. The same bytes at each
    /// try and on each device: the nonce is a keyed hash of what is sealed.
    public func canaryObject(of link: Link) -> [UInt8] {
        let canary = canary(of: link.keys.account)
        guard !link.parents.isEmpty else { return canary }
        let plain = encoded(ancestors(of: link), parents: link.parents, isForStore: false)
        let tag = unsafe plain.withUnsafeBytes { unsafe link.keys.nonces.tag((0, 2), $0) }
        let key = link.keys.account.sealingKey(.ring)
        let data = AssociatedData(
            type: KeyRing.remoteType, vault: vault, epoch: link.epoch, record: (link.name.low, link.name.high))
        let sealed = plain.withBytes { key.seal($0, data, nonce: (tag.0, tag.1, 0)) }
        return canary + KeyRing.framed(sealed, epoch: link.epoch)
    }

    /// The ring of who has a key and its object; nil where they do not belong together.
    ///
    /// - Parameter genesis: the genesis record.
    public init?(descendingFrom key: AccountKey, _ object: [UInt8], vault: (UInt64, UInt64), genesis: [UInt8]) {
        let digest = unsafe Digest.blake2b256(genesis.span.bytes)
        guard object.count >= 64 else { return nil }
        let canary = Array(object[..<64])
        let isRight = unsafe Canary.verify(
            canary.span.bytes, accountKey: key, vault: vault, genesis: digest.span.bytes)
        guard isRight else { return nil }
        let name = KeyName(ofCanary: canary)
        guard key.epoch > 1 else {
            guard key.epoch == 1, object.count == 64 else { return nil }
            self.init(first: key, vault: vault, digest: digest)
            return
        }
        let data = AssociatedData(
            type: KeyRing.remoteType, vault: vault, epoch: key.epoch, record: (name.low, name.high))
        guard
            let plain = KeyRing.opened(
                Array(object[64...]), epoch: key.epoch, key: key.sealingKey(.ring), data)
        else { return nil }
        let ring = plain.withBytes { bytes -> KeyRing? in
            var reader = RingReader(vault: vault, digest: digest)
            guard var ring = reader.keys(bytes), let parents = reader.names(bytes), reader.isAtEnd(bytes) else {
                return nil
            }
            return ring.add(key, parents: parents, origin: nil) ? ring : nil
        }
        guard let ring else { return nil }
        self = ring
    }

    private func ancestors(of link: Link) -> [Link] {
        var wanted = Set(link.parents)
        for link in links.reversed() where wanted.contains(link.name) { wanted.formUnion(link.parents) }
        return links.filter { wanted.contains($0.name) }.sorted { ($0.epoch, $0.name) < ($1.epoch, $1.name) }
    }

    // MARK: In the store

    /// For the store: all keys but the first, which seals them.
    public var stored: [UInt8] {
        let plain = encoded(Array(links.dropFirst()), parents: [], isForStore: true)
        let sealed = plain.withBytes { first.sealingKey(.local).seal($0, storeData) }
        return KeyRing.framed(sealed, epoch: first.epoch)
    }

    /// Takes in what ``stored`` gave; false where that does not open.
    public mutating func load(_ stored: [UInt8]) -> Bool {
        guard
            let plain = KeyRing.opened(stored, epoch: first.epoch, key: first.sealingKey(.local), storeData)
        else { return false }
        let base = KeyRing(first: first, vault: vault, digest: genesis)
        let ring = plain.withBytes { bytes -> KeyRing? in
            var reader = RingReader(vault: base.vault, digest: base.genesis)
            guard let ring = reader.keys(bytes, after: base), reader.names(bytes) == [], reader.isAtEnd(bytes) else {
                return nil
            }
            return ring
        }
        guard let ring else { return false }
        self = ring
        return true
    }

    private var storeData: AssociatedData {
        AssociatedData(type: KeyRing.storeType, vault: vault, epoch: first.epoch, record: (0, 0))
    }

    // MARK: Bytes

    private func encoded(_ links: [Link], parents: [KeyName], isForStore: Bool) -> PlainBuffer {
        var plain = PlainBuffer(capacity: 256 + links.count * 96)
        plain.append(UInt16(truncatingIfNeeded: links.count))
        for link in links {
            plain.append(link.epoch)
            let origin = isForStore ? link.origin : nil
            plain.append(origin?.device.0 ?? 0)
            plain.append(origin?.device.1 ?? 0)
            plain.append(origin?.sequence ?? 0)
            KeyRing.append(link.parents, to: &plain)
            link.keys.account.key.withBytes { plain.append($0) }
        }
        KeyRing.append(parents, to: &plain)
        return plain
    }

    private static func append(_ names: [KeyName], to plain: inout PlainBuffer) {
        plain.append(UInt8(truncatingIfNeeded: names.count))
        for name in names { for word in [name.low, name.high] { plain.append(word) } }
    }

    private static func framed(_ sealed: borrowing Sealed, epoch: UInt32) -> [UInt8] {
        let cipher = sealed.cipher.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
        return magic + Wrap.littleEndian(epoch) + Wrap.littleEndian(UInt32(truncatingIfNeeded: cipher.count))
            + sealed.seal.bytes + cipher
    }

    private static func opened(
        _ bytes: [UInt8], epoch: UInt32, key: SealingKey, _ data: AssociatedData
    ) -> PlainBuffer? {
        let start = headerSize + Seal.size
        guard (start...objectLimit).contains(bytes.count), Array(bytes[..<8]) == magic else { return nil }
        let head = Enrolment.word(bytes, 8)
        guard UInt32(truncatingIfNeeded: head) == epoch, bytes.count == start + Int(head >> 32) else { return nil }
        return key.open(Array(bytes[start...]), Seal(bytes, at: headerSize), data)
    }
}

/// Reads the keys of a ring; nil for whatever does not belong there.
private struct RingReader {
    let vault: (UInt64, UInt64)
    let digest: [UInt8]
    private var offset = 0

    init(vault: (UInt64, UInt64), digest: [UInt8]) { (self.vault, self.digest) = (vault, digest) }

    /// - Parameter base: what they follow; nil where the first of them is that of epoch 1.
    mutating func keys(_ bytes: RawSpan, after base: KeyRing? = nil) -> KeyRing? {
        var ring = base
        guard let count = integer(bytes, UInt16.self), count <= KeyRing.limit else { return nil }
        for _ in 0..<count {
            guard let epoch = integer(bytes, UInt32.self), let low = integer(bytes, UInt64.self),
                let high = integer(bytes, UInt64.self), let sequence = integer(bytes, UInt64.self),
                let parents = names(bytes), offset + 32 <= bytes.byteCount
            else { return nil }
            let key = AccountKey(
                copying: SecretBytes(copying: bytes.extracting(offset..<(offset + 32))), epoch: epoch)
            offset += 32
            let origin = sequence > 0 ? KeyRing.Origin(device: (low, high), sequence: sequence) : nil
            if ring == nil {
                guard epoch == 1, parents.isEmpty else { return nil }
                ring = KeyRing(first: key, vault: vault, digest: digest)
            } else if ring?.add(key, parents: parents, origin: origin) != true {
                return nil
            }
        }
        return ring
    }

    mutating func names(_ bytes: RawSpan) -> [KeyName]? {
        guard let count = integer(bytes, UInt8.self), count <= KeyRing.parentLimit,
            offset + 16 * Int(count) <= bytes.byteCount
        else { return nil }
        defer { offset += 16 * Int(count) }
        return (0..<Int(count)).map { KeyName(bytes, at: offset + 16 * $0) }
    }

    func isAtEnd(_ bytes: RawSpan) -> Bool { offset == bytes.byteCount }

    private mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ bytes: RawSpan, _ type: T.Type) -> T? {
        guard offset + MemoryLayout<T>.size <= bytes.byteCount else { return nil }
        defer { offset += MemoryLayout<T>.size }
        return T(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
