/// Nonce and tag of one sealed piece: 40 bytes that are stored beside its ciphertext.
public struct Seal: Sendable {
    /// The 24 random bytes of XChaCha20's nonce.
    public var nonce: (UInt64, UInt64, UInt64)
    /// The 16 bytes of Poly1305's tag.
    public var tag: (UInt64, UInt64)

    /// The stored size, in bytes.
    public static let size = 40

    public init(nonce: (UInt64, UInt64, UInt64), tag: (UInt64, UInt64)) {
        self.nonce = nonce
        self.tag = tag
    }
}

extension Seal {
    /// The 40 bytes that stand before a ciphertext.
    var bytes: [UInt8] {
        [nonce.0, nonce.1, nonce.2, tag.0, tag.1].flatMap { Wrap.littleEndian($0) }
    }

    /// From 40 bytes at `offset`, which are there.
    init(_ bytes: [UInt8], at offset: Int) {
        func word(_ place: Int) -> UInt64 { Enrolment.word(bytes, offset + 8 * place) }
        self.init(nonce: (word(0), word(1), word(2)), tag: (word(3), word(4)))
    }
}

extension Seal: Equatable {
    public static func == (left: Seal, right: Seal) -> Bool {
        left.nonce == right.nonce && left.tag == right.tag
    }
}

/// What a sealed piece is bound to, 80 bytes of fixed width: with it no piece opens in another's place.
public struct AssociatedData: Sendable {
    var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    /// The encoded size, in bytes.
    public static let size = 80

    public init(
        type: UInt8, vault: (UInt64, UInt64), epoch: UInt32, record: (UInt64, UInt64), version: UInt64 = 0,
        index: UInt32 = 0, count: UInt32 = 0, final: Bool = false, format: UInt8 = 1
    ) {
        let head = UInt64(format) | UInt64(type) << 8 | UInt64(final ? 1 : 0) << 16 | UInt64(epoch) << 32
        words = (
            head.littleEndian, vault.0.littleEndian, vault.1.littleEndian, record.0.littleEndian,
            record.1.littleEndian, version.littleEndian, (UInt64(index) | UInt64(count) << 32).littleEndian, 0, 0, 0
        )
    }
}
