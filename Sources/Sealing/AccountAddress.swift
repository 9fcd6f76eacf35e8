/// The e-mail address of an account, which kits are bound to unless another one is named: who has the admin key says so,
/// and so a stolen device that is unlocked cannot have kits made for somebody else's address.
///
/// Layout: "CFRO", format u8, zero u8 ×3, vault 16, clock u64, device 16, length of the address u8, address (UTF-8), the
/// admin key's signature 64 of all before it.
public struct AccountAddress: Equatable, Sendable {
    private static let magic = Array("CFRO".utf8) + [1, 0, 0, 0]
    private static let headerSize = 49
    private static let signatureSize = 64
    /// RFC 5321, 4.5.3.1.3: a path of 256 bytes with its angle brackets.
    public static let limit = 254

    public let bytes: [UInt8]
    public let text: String

    /// - Parameters:
    ///   - clock: higher than that of every address that this one replaces.
    ///   - device: the one that says so; it decides between equal clocks.
    /// - Returns: nil for what is no address: see ``isFit(_:)``.
    public init?(
        _ text: String, vault: (UInt64, UInt64), clock: UInt64, device: (UInt64, UInt64), admin: borrowing AdminKey
    ) {
        guard AccountAddress.isFit(text) else { return nil }
        var body = AccountAddress.magic + Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1)
        body += Wrap.littleEndian(clock) + Wrap.littleEndian(device.0) + Wrap.littleEndian(device.1)
        body += [UInt8(truncatingIfNeeded: text.utf8.count)] + Array(text.utf8)
        bytes = body + admin.sign(body)
        self.text = text
    }

    /// - Returns: nil unless it is one for this vault, signed by the admin key.
    public init?(_ bytes: [UInt8], vault: (UInt64, UInt64), admin: [UInt8]) {
        let (header, signature) = (AccountAddress.headerSize, AccountAddress.signatureSize)
        guard bytes.count > header + signature, Array(bytes[..<8]) == AccountAddress.magic,
            Array(bytes[8..<24]) == Wrap.littleEndian(vault.0) + Wrap.littleEndian(vault.1),
            bytes.count == header + Int(bytes[header - 1]) + signature,
            let text = String(validating: bytes[header...].dropLast(signature), as: UTF8.self),
            AccountAddress.isFit(text),
            SigningSeed.verify(Array(bytes.suffix(signature)), Array(bytes.dropLast(signature)), key: admin)
        else { return nil }
        (self.bytes, self.text) = (bytes, text)
    }

    /// Of two addresses the one with the higher clock counts, and of those the one of the higher device.
    public var clock: UInt64 { Enrolment.word(bytes, 24) }
    public var device: (UInt64, UInt64) { (Enrolment.word(bytes, 32), Enrolment.word(bytes, 40)) }

    /// 1 to 254 bytes without control characters, and not of blanks alone.
    public static func isFit(_ text: String) -> Bool {
        (1...limit).contains(text.utf8.count) && !text.allSatisfy(\.isWhitespace)
            && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}
