import Testing

@testable import Sealing

/// The account's e-mail address, signed by the admin key.
@Suite struct AddressTests {
    private let vault: (UInt64, UInt64) = (0x0807_0605_0403_0201, 0x100F_0E0D_0C0B_0A09)

    @Test func layout() throws {
        let admin = AdminKey()
        let made = AccountAddress("ann@example.org", vault: vault, clock: 0x21, device: (0x22, 0x23), admin: admin)
        let address = try #require(made)
        let (key, other) = (admin.publicKey, AdminKey().publicKey)
        let head =
            Array("CFRO".utf8) + [1, 0, 0, 0] + [UInt8](1...16) + [0x21, 0, 0, 0, 0, 0, 0, 0]
            + [0x22, 0, 0, 0, 0, 0, 0, 0] + [0x23, 0, 0, 0, 0, 0, 0, 0] + [15] + Array("ann@example.org".utf8)
        #expect(Array(address.bytes.dropLast(64)) == head && address.bytes.count == head.count + 64)
        let read = try #require(AccountAddress(address.bytes, vault: vault, admin: key))
        #expect(read == address && read.text == "ann@example.org" && read.clock == 0x21 && read.device == (0x22, 0x23))
        #expect(AccountAddress(address.bytes, vault: (1, 2), admin: key) == nil)
        #expect(AccountAddress(address.bytes, vault: vault, admin: other) == nil)
    }

    /// Attack 37: any byte changed, and any length.
    @Test func attack37_anyByteCounts() throws {
        let admin = AdminKey()
        let made = AccountAddress("a", vault: vault, clock: 1, device: (2, 3), admin: admin)
        let (bytes, key) = (try #require(made).bytes, admin.publicKey)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(AccountAddress(changed, vault: vault, admin: key) == nil, "\(index)")
            #expect(AccountAddress(Array(bytes[..<index]), vault: vault, admin: key) == nil, "\(index)")
        }
        #expect(AccountAddress(bytes + [0], vault: vault, admin: key) == nil)
    }

    @Test(arguments: ["", " ", "a\nb", "a\u{7F}", String(repeating: "a", count: 255)]) func noAddress(_ text: String) {
        let made = AccountAddress(text, vault: vault, clock: 1, device: (2, 3), admin: AdminKey())
        #expect(made == nil)
    }
}
