/// A kit: all that a new device needs beside e-mail address and master password. A secret only in so far as
/// a weak password makes it one.
///
/// Layout: "CFRK", format u8, zero u8 ×3, kit 16, vault 16, epoch u32, genesis digest 32, wrap 164, length
/// of the remote's address u16, address, checksum 4 (BLAKE2b-256 of all before it, cut). As text:
/// "COFFER1:" and base32 (RFC 4648) without padding, which QR codes hold in their alphanumeric mode.
///
/// Of format 2 the wrap opens with the password, the e-mail address and all the rest of the kit together: whoever changes
/// its identifier or the remote's address, and computes the checksum anew, has a kit that does not open. Of format 1 it
/// opens with password and e-mail address alone.
public struct Kit: Sendable, Equatable {
    /// 1 or 2.
    public let format: UInt8
    public var identifier: (UInt64, UInt64)
    public var vault: (UInt64, UInt64)
    public var epoch: UInt32
    /// BLAKE2b-256 of the genesis record.
    public var genesis: [UInt8]
    public var wrap: [UInt8]
    /// Where the remote is; never with a credential. Empty where nothing is said of it.
    public var remote: String

    /// The longest address of a remote, in bytes.
    public static let remoteLimit = 512
    /// The longest text that is read, in characters.
    public static let textLimit = 4096
    private static let prefix = Array("COFFER1:".utf8)
    private static let magic = Array("CFRK".utf8)
    /// That of new kits.
    public static let latestFormat: UInt8 = 2
    /// Where the wrap begins, and where the remote's address does.
    private static let (wrapOffset, remoteOffset) = (76, 76 + Wrap.size + 2)

    public static func == (left: Kit, right: Kit) -> Bool { left.text == right.text }

    /// Whether nothing on it can be changed without it failing to open.
    public var isBound: Bool { format > 1 }

    /// Wraps the account key anew, for a kit.
    ///
    /// - Parameter remote: left out where it is longer than ``remoteLimit``: joining asks for it then.
    public static func issue(
        accountKey: AccountKey, vault: (UInt64, UInt64), genesis: [UInt8], remote: String,
        password: borrowing MasterPassword, email: String, parameters: KDFParameters
    ) throws(WrapError) -> Kit {
        var kit = Kit(
            identifier: (.random(in: .min ... .max), .random(in: .min ... .max)), vault: vault,
            epoch: accountKey.epoch, genesis: genesis, wrap: [],
            remote: remote.utf8.count <= remoteLimit ? remote : "")
        kit.wrap = try accountKey.wrap(
            password: password, parameters: parameters, vault: vault, context: kit.context(email))
        return kit
    }

    /// The account key, by password and e-mail address together.
    public func open(password: borrowing MasterPassword, email: String) throws(WrapError) -> AccountKey {
        let key = unsafe try Wrap.open(
            wrap.span.bytes, password: password, purpose: .kit, vault: vault, context: context(email).span.bytes)
        return AccountKey(copying: key, epoch: epoch)
    }

    /// What the wrap opens with besides the password. Two kits, or one kit and two e-mail addresses, never have the same:
    /// the remote's address has its length before it, and no e-mail address has the zeroes of the kit's first bytes.
    private func context(_ email: String) -> [UInt8] {
        let address = Kit.normalized(email)
        return isBound ? head + tail + address : address
    }

    /// Addresses are compared without case and surrounding blanks, as people type them.
    private static func normalized(_ email: String) -> [UInt8] {
        let characters = Array(email.lowercased())
        guard let first = characters.firstIndex(where: { !$0.isWhitespace }),
            let last = characters.lastIndex(where: { !$0.isWhitespace })
        else { return [] }
        return Array(String(characters[first...last]).utf8)
    }

    // MARK: Text

    /// All before the wrap.
    private var head: [UInt8] {
        var bytes = Kit.magic + [format, 0, 0, 0]
        bytes += Wrap.littleEndian(identifier.0) + Wrap.littleEndian(identifier.1)
        bytes += Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1) + Wrap.littleEndian(epoch)
        return bytes + genesis
    }

    /// All between the wrap and the checksum.
    private var tail: [UInt8] { Wrap.littleEndian(UInt16(clamping: remote.utf8.count)) + Array(remote.utf8) }

    public var text: [UInt8] {
        let body = head + wrap + tail
        return Kit.prefix + Base32.encode(body + Kit.checksum(body))
    }

    private static func checksum(_ body: [UInt8]) -> [UInt8] {
        unsafe Array(Digest.blake2b256(body.span.bytes)[..<4])
    }

    /// A kit from its text; blanks, line breaks and lower case do not matter.
    ///
    /// - Throws: ``KitError``; what is whole and of a later format is told from what is damaged, since each format has the
    ///   prefix, the first five bytes and the checksum of this one.
    public init(reading text: [UInt8]) throws(KitError) {
        guard text.count <= Kit.textLimit else { throw .incomplete }
        let letters = text.filter { $0 > 0x20 }.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
        guard letters.starts(with: Kit.prefix), let bytes = Base32.decode(Array(letters.dropFirst(Kit.prefix.count))),
            bytes.count >= 9, bytes.starts(with: Kit.magic)
        else { throw .incomplete }
        let body = Array(bytes.dropLast(4))
        guard Kit.checksum(body) == Array(bytes.suffix(4)), body[4] > 0 else { throw .incomplete }
        guard body[4] <= Kit.latestFormat else { throw .newerFormat(Int(body[4])) }
        try self.init(body: body)
    }

    private init(body: [UInt8]) throws(KitError) {
        guard body.count >= Kit.remoteOffset else { throw .incomplete }
        func word(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(body[offset + $1]) << UInt64(8 * $1) } }
        let length = Int(body[Kit.remoteOffset - 2]) | Int(body[Kit.remoteOffset - 1]) << 8
        guard length <= Kit.remoteLimit, body.count == Kit.remoteOffset + length,
            let remote = String(validating: body[Kit.remoteOffset...], as: UTF8.self)
        else { throw .incomplete }
        self.init(
            format: body[4], identifier: (word(8), word(16)), vault: (word(24), word(32)),
            epoch: UInt32(truncatingIfNeeded: word(40)), genesis: Array(body[44..<Kit.wrapOffset]),
            wrap: Array(body[Kit.wrapOffset..<Kit.remoteOffset - 2]), remote: remote)
        // Bytes without a meaning have none to be changed into.
        guard !isBound || body[5..<8].allSatisfy({ $0 == 0 }) else { throw .incomplete }
    }

    /// nil for anything that is not whole, or of a later format.
    public init?(text: [UInt8]) {
        do throws(KitError) { try self.init(reading: text) } catch { return nil }
    }

    public init(
        format: UInt8 = latestFormat, identifier: (UInt64, UInt64), vault: (UInt64, UInt64), epoch: UInt32,
        genesis: [UInt8], wrap: [UInt8], remote: String
    ) {
        self.format = format
        (self.identifier, self.vault, self.epoch) = (identifier, vault, epoch)
        (self.genesis, self.wrap, self.remote) = (genesis, wrap, remote)
    }
}

/// Why a text is no kit that can be read.
public enum KitError: Error, Equatable {
    /// It is none, or not all of it is there as it was.
    case incomplete
    /// It is whole, and was made by a later program.
    case newerFormat(Int)
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
