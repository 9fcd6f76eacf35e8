public import Format
public import Sealing

/// The keys of an open vault and what each piece is bound to.
struct Keys: Sendable {
    let vault: Identifier
    let epoch: UInt32
    let accountKey: AccountKey
    /// Rows of entries, files, versions and operations, and contents that stand in them.
    let record: SealingKey
    /// Chunks of large contents.
    let chunk: SealingKey
    /// What never leaves this device: the integrity root, the device's own keys.
    let local: SealingKey
    let multiset: MultisetKey
    /// The journal's entries.
    let journal: AuthenticationKey

    init(accountKey: AccountKey, vault: Identifier) {
        self.vault = vault
        (epoch, self.accountKey) = (accountKey.epoch, accountKey)
        record = accountKey.sealingKey(.record)
        chunk = accountKey.sealingKey(.blob)
        local = accountKey.sealingKey(.local)
        multiset = accountKey.multisetKey()
        journal = accountKey.authenticationKey(.journal)
    }

    /// What a row is bound to: its table and its slot, so that no row opens in another's place.
    func rowData(_ type: SealedType, slot: Int64) -> AssociatedData {
        AssociatedData(
            type: type.rawValue, vault: vault.pair, epoch: epoch, record: (UInt64(bitPattern: slot), 0))
    }

    /// What a record of the reserve is bound to: the reserve, and its place in it.
    func reserveData(_ reserve: Identifier, number: UInt32) -> AssociatedData {
        AssociatedData(
            type: SealedType.reserve.rawValue, vault: vault.pair, epoch: epoch, record: reserve.pair, index: number)
    }

    /// A device's secret keys as they stand in the header: seal bytes, then ciphertext.
    func sealed(_ deviceKeys: borrowing DeviceKeys, of device: Identifier) -> [UInt8] {
        deviceKeys.secret.withBytes { secret in
            let piece = local.seal(secret, deviceData(device))
            var bytes = PlainBuffer(capacity: 128)
            SealBytes(piece.seal).encode(into: &bytes)
            piece.cipher.withBytes { bytes.append($0) }
            return bytes.withBytes { $0.array }
        }
    }

    /// nil where they do not open.
    func deviceKeys(_ sealed: [UInt8], of device: Identifier) -> DeviceKeys? {
        guard let seal = Seal(stored: sealed), sealed.count == Seal.size + 64 else { return nil }
        var secret = SecretBytes(count: 64)
        let isOpen = unsafe sealed.withRawBytes { bytes in
            secret.withMutableBytes { target in
                unsafe target.withUnsafeMutableBytes { target in
                    unsafe local.open(
                        UnsafeRawBufferPointer(rebasing: bytes[Seal.size...]), seal, deviceData(device), into: target)
                }
            }
        }
        return isOpen ? DeviceKeys(secret: secret) : nil
    }

    private func deviceData(_ device: Identifier) -> AssociatedData {
        AssociatedData(type: SealedType.device.rawValue, vault: vault.pair, epoch: epoch, record: device.pair)
    }

    /// What a content column is bound to: the file that had it and the save that wrote it.
    func contentData(_ content: ContentReference) -> AssociatedData {
        AssociatedData(
            type: (content.kind == .inline ? SealedType.inlineContent : .chunkList).rawValue, vault: vault.pair,
            epoch: epoch, record: content.origin.pair, version: content.version)
    }

    /// What a chunk is bound to: its file, its place in it and its slot. A slot is never written
    /// twice, and the list of slots is sealed as a whole, so that no chunk can be reordered, dropped
    /// or put back.
    func chunkData(file: Identifier, slot: Int64, index: Int) -> AssociatedData {
        AssociatedData(
            type: SealedType.chunk.rawValue, vault: vault.pair, epoch: epoch, record: file.pair,
            version: UInt64(bitPattern: slot), index: UInt32(truncatingIfNeeded: index))
    }
}

/// Makes identifiers in the place of chance.
final class IdentifierSource: Sendable {
    let next: @Sendable () -> Identifier

    init(_ next: @escaping @Sendable () -> Identifier) { self.next = next }
}

extension Identifier {
    /// Where fresh ones come from in what is to be repeated exactly; nil: from chance. Which of two changes wins may lie in
    /// them.
    @TaskLocal static var repeatable: IdentifierSource?

    /// A fresh identifier, without a system call of its own.
    static func fresh() -> Identifier {
        if let repeatable { return repeatable.next() }
        var source = RandomSource()
        return Identifier(using: &source)
    }
}

extension PlainBuffer: ByteSink {
    public mutating func append(bytes: [UInt8]) {
        unsafe append(bytes.span.bytes)
    }
}

extension SealBytes {
    init(_ seal: Seal) {
        self.init(words: (seal.nonce.0, seal.nonce.1, seal.nonce.2, seal.tag.0, seal.tag.1))
    }

    var seal: Seal {
        Seal(nonce: (words.0, words.1, words.2), tag: (words.3, words.4))
    }
}
