/// A kit: all that a new device needs beside e-mail address and master password. A secret only in so far as
/// a weak password makes it one.
///
/// Layout: "CFRK", format u8, zero u8 ×3, kit 16, vault 16, epoch u32, genesis digest 32, wrap 164, length
/// of the remote's address u16, address, checksum 4 (BLAKE2b-256 of all before it, cut). As text:
/// "COFFER1:" and base32 (RFC 4648) without padding, which QR codes hold in their alphanumeric mode.
public struct Kit: Sendable, Equatable {
    public var identifier: (UInt64, UInt64)
    public var vault: (UInt64, UInt64)
    public var epoch: UInt32
    /// BLAKE2b-256 of the genesis record.
    public var genesis: [UInt8]
    public var wrap: [UInt8]
    /// Where the remote is; never with a credential.
    public var remote: String

    /// The longest address of a remote, in bytes.
    public static let remoteLimit = 512
    /// The longest text that is read, in characters.
    public static let textLimit = 4096
    private static let prefix = "COFFER1:"

    public static func == (left: Kit, right: Kit) -> Bool { left.text == right.text }

    /// Wraps the account key anew, for a kit.
    public static func issue(
        accountKey: AccountKey, vault: (UInt64, UInt64), genesis: [UInt8], remote: String,
        password: borrowing MasterPassword, email: String, parameters: KDFParameters
    ) throws(WrapError) -> Kit {
        let wrap = try accountKey.wrap(
            password: password, parameters: parameters, vault: vault, email: normalized(email))
        return Kit(
            identifier: (.random(in: .min ... .max), .random(in: .min ... .max)), vault: vault,
            epoch: accountKey.epoch, genesis: genesis, wrap: wrap, remote: remote)
    }

    /// The account key, by password and e-mail address together.
    public func open(password: borrowing MasterPassword, email: String) throws(WrapError) -> AccountKey {
        let key = unsafe try Wrap.open(
            wrap.span.bytes, password: password, purpose: .kit, vault: vault,
            context: Kit.normalized(email).span.bytes)
        return AccountKey(copying: key, epoch: epoch)
    }

    /// Addresses are compared without case and surrounding blanks, as people type them.
    private static func normalized(_ email: String) -> [UInt8] {
        Array(email.lowercased().drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed().map { $0 })
            .reduce(into: "") { $0.append($1) }.utf8.map { $0 }
    }

    // MARK: Text

    public var text: [UInt8] {
        var bytes = Array("CFRK".utf8) + [1, 0, 0, 0]
        bytes += Wrap.littleEndian(identifier.0) + Wrap.littleEndian(identifier.1)
        bytes += Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1) + Wrap.littleEndian(epoch)
        bytes += genesis + wrap + Wrap.littleEndian(UInt16(clamping: remote.utf8.count)) + Array(remote.utf8)
        unsafe bytes += Digest.blake2b256(bytes.span.bytes)[..<4]
        return Array(Kit.prefix.utf8) + Base32.encode(bytes)
    }

    /// A kit from its text; blanks, line breaks and lower case do not matter. nil for anything that is not
    /// whole.
    public init?(text: [UInt8]) {
        guard text.count <= Kit.textLimit else { return nil }
        let letters = text.filter { $0 > 0x20 }.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
        guard letters.starts(with: Array(Kit.prefix.utf8)),
            let bytes = Base32.decode(Array(letters.dropFirst(Kit.prefix.utf8.count)))
        else { return nil }
        let fixed = 8 + 16 + 16 + 4 + 32 + Wrap.size + 2
        guard bytes.count >= fixed + 4, Array(bytes[..<5]) == Array("CFRK".utf8) + [1] else { return nil }
        let body = Array(bytes.dropLast(4))
        guard unsafe Array(Digest.blake2b256(body.span.bytes)[..<4]) == Array(bytes.suffix(4)) else { return nil }
        func word(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(body[offset + $1]) << UInt64(8 * $1) } }
        let length = Int(body[fixed - 2]) | Int(body[fixed - 1]) << 8
        guard length <= Kit.remoteLimit, body.count == fixed + length else { return nil }
        identifier = (word(8), word(16))
        vault = (word(24), word(32))
        epoch = UInt32(truncatingIfNeeded: word(40))
        genesis = Array(body[44..<76])
        wrap = Array(body[76..<(76 + Wrap.size)])
        remote = String(decoding: body[fixed...], as: UTF8.self)
    }

    /// The format of a kit that a newer program has made; nil for what is none, or is not whole.
    public static func newerFormat(text: [UInt8]) -> Int? {
        guard text.count <= Kit.textLimit else { return nil }
        let letters = text.filter { $0 > 0x20 }.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
        // Its name has the number, too.
        guard letters.starts(with: Array("COFFER".utf8)), let colon = letters.firstIndex(of: UInt8(ascii: ":")) else {
            return nil
        }
        let digits = letters[6..<colon]
        if digits.count <= 3, let number = Int(String(decoding: digits, as: UTF8.self)), number > 1 { return number }
        guard letters.starts(with: Array(Kit.prefix.utf8)),
            let bytes = Base32.decode(Array(letters[(colon + 1)...])), bytes.count > 8
        else { return nil }
        let body = Array(bytes.dropLast(4))
        guard unsafe Array(Digest.blake2b256(body.span.bytes)[..<4]) == Array(bytes.suffix(4)) else { return nil }
        return ObjectFormat.newer(bytes, magic: Array("CFRK".utf8))
    }

    public init(
        identifier: (UInt64, UInt64), vault: (UInt64, UInt64), epoch: UInt32, genesis: [UInt8], wrap: [UInt8],
        remote: String
    ) {
        (self.identifier, self.vault, self.epoch) = (identifier, vault, epoch)
        (self.genesis, self.wrap, self.remote) = (genesis, wrap, remote)
    }
}

/// Base32 of RFC 4648, upper case, without padding.
enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                result.append(alphabet[Int(bits >> count & 31)])
            }
            bits &= (1 << count) - 1
        }
        if count > 0 { result.append(alphabet[Int(bits << (5 - count) & 31)]) }
        return result
    }

    /// nil for a letter outside of the alphabet, and for bits behind the last byte that are not zero.
    static func decode(_ letters: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for letter in letters {
            guard let value = alphabet.firstIndex(of: letter) else { return nil }
            bits = bits << 5 | UInt32(value)
            count += 5
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> count))
            }
            bits &= (1 << count) - 1
        }
        return bits == 0 && count < 5 ? result : nil
    }
}
