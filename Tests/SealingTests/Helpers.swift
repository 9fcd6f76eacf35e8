@testable import Sealing

extension [UInt8] {
    /// The bytes as the sealing layer takes them.
    var raw: RawSpan {
        @_lifetime(borrow self)
        get { unsafe span.bytes }
    }
}

extension MasterPassword {
    init(_ text: String) throws(PasswordError) {
        try self.init(utf8: Array(text.utf8).raw)
    }
}

extension SecretBytes {
    init(_ bytes: [UInt8]) {
        self.init(copying: bytes.raw)
    }

    /// A copy in an ordinary array, to compare with.
    var array: [UInt8] { withBytes { $0.array } }
}

extension RawSpan {
    var array: [UInt8] { unsafe withUnsafeBytes { unsafe [UInt8]($0) } }
}

extension AccountKey {
    /// The account key of the vectors.
    static var ofVectors: AccountKey {
        AccountKey(copying: SecretBytes(Vectors.bytes(Vectors.accountKey)), epoch: 3)
    }

    /// Whether both make the same keys.
    func isSame(as other: AccountKey) -> Bool {
        epoch == other.epoch && subkey(.record).isEqual(to: other.subkey(.record))
    }
}

extension SealingKey {
    func sealed(_ plain: [UInt8], _ data: AssociatedData) -> (seal: Seal, cipher: [UInt8]) {
        let piece = seal(plain.raw, data)
        return (piece.seal, piece.cipher.withBytes { $0.array })
    }

    /// nil where it does not open; what was written then is zeroes.
    func opened(_ cipher: [UInt8], _ seal: Seal, _ data: AssociatedData) -> [UInt8]? {
        var plain = [UInt8](repeating: 0, count: cipher.count)
        let opens = unsafe plain.withUnsafeMutableBytes { target in
            unsafe cipher.withUnsafeBytes { source in unsafe open(source, seal, data, into: target) }
        }
        return opens ? plain : nil
    }
}

extension Seal {
    /// From the 24 bytes of the nonce and the 16 of the tag.
    init(_ nonce: [UInt8], _ tag: [UInt8]) {
        func word(_ bytes: [UInt8], _ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[8 * index + $1]) << UInt64(8 * $1) }
        }
        self.init(
            nonce: (word(nonce, 0), word(nonce, 1), word(nonce, 2)), tag: (word(tag, 0), word(tag, 1)))
    }
}
