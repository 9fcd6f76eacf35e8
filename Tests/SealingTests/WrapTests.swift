import TestSupport
import Testing

@testable import Sealing

/// Keys under a password: the vault's, the kit's, the admin's.
@Suite(.trueCost) struct WrapTests {
    static let cost = KDFParameters.floor
    static let vault = Vectors.vault

    private func open(
        _ wrap: [UInt8], _ password: borrowing MasterPassword, purpose: Wrap.Purpose = .unlock,
        vault: (UInt64, UInt64)? = vault, context: [UInt8] = []
    ) throws(WrapError) -> [UInt8] {
        try Wrap.open(wrap.raw, password: password, purpose: purpose, vault: vault, context: context.raw).array
    }

    @Test func roundTrip() throws {
        let password = try MasterPassword("a password")
        let key = AccountKey(epoch: 7)
        let wrap = try key.wrap(password: password, parameters: Self.cost, vault: Self.vault)
        #expect(wrap.count == Wrap.size)
        #expect(try Wrap.parameters(of: wrap.raw) == Self.cost)
        #expect(try Wrap.epoch(of: wrap.raw) == 7)
        let opened = try open(wrap, password)
        #expect(AccountKey(copying: SecretBytes(opened), epoch: 7).isSame(as: key))
    }

    /// A vault of today opens tomorrow.
    @Test func golden() throws {
        let password = try MasterPassword(Vectors.password)
        let opened = try open(Vectors.bytes(Vectors.unlockWrap), password)
        #expect(opened == Vectors.bytes(Vectors.accountKey))
        let kit = try open(
            Vectors.bytes(Vectors.kitWrap), password, purpose: .kit, context: Array("ann@example.org".utf8))
        #expect(kit == Vectors.bytes(Vectors.accountKey))
    }

    @Test func sameKeyIsWrappedAnewEachTime() throws {
        let password = try MasterPassword("a password")
        let key = AccountKey(epoch: 1)
        let first = try key.wrap(password: password, parameters: Self.cost, vault: Self.vault)
        let second = try key.wrap(password: password, parameters: Self.cost, vault: Self.vault)
        #expect(first[36..<52] != second[36..<52], "salt")
        #expect(first[60..<84] != second[60..<84], "nonce")
    }

    @Test func wrongPassword() throws {
        let wrap = Vectors.bytes(Vectors.unlockWrap)
        let password = try MasterPassword("another password")
        #expect(throws: WrapError.wrongPassword) { try open(wrap, password) }
    }

    /// What is wrapped for one purpose, vault or context opens for no other.
    @Test func boundToItsPlace() throws {
        let password = try MasterPassword(Vectors.password)
        let wrap = Vectors.bytes(Vectors.unlockWrap)
        let kit = Vectors.bytes(Vectors.kitWrap)
        let email = Array("ann@example.org".utf8)
        #expect(throws: Never.self) { try open(wrap, password, vault: nil) }
        #expect(throws: WrapError.wrongPassword) { try open(wrap, password, purpose: .kit) }
        #expect(throws: WrapError.wrongPassword) { try open(wrap, password, purpose: .admin) }
        #expect(throws: WrapError.wrongPassword) { try open(wrap, password, vault: (Self.vault.0, 0)) }
        #expect(throws: WrapError.wrongPassword) { try open(wrap, password, vault: (0, Self.vault.1)) }
        #expect(throws: WrapError.wrongPassword) { try open(wrap, password, context: [0]) }
        #expect(throws: WrapError.wrongPassword) { try open(kit, password, purpose: .kit) }
        #expect(throws: WrapError.wrongPassword) { try open(kit, password, context: email) }
    }

    /// Attack 2: bytes that open under two passwords are made for one of them, and open under that one only.
    @Test func twoKeyCiphertext() throws {
        let alice = try MasterPassword(Vectors.passwordOfAlice)
        let mallory = try MasterPassword(Vectors.passwordOfMallory)
        let first = Vectors.bytes(Vectors.twoKeyWrapOfAlice)
        let second = Vectors.bytes(Vectors.twoKeyWrapOfMallory)
        #expect(first[..<132] == second[..<132], "the ciphertext is one and the same")
        #expect(try open(first, alice) == Vectors.bytes(Vectors.payloadOfAlice))
        #expect(try open(second, mallory) == Vectors.bytes(Vectors.payloadOfMallory))
        #expect(throws: WrapError.wrongPassword) { try open(first, mallory) }
        #expect(throws: WrapError.wrongPassword) { try open(second, alice) }
    }

    /// Attack 6: whatever byte is changed, the answer is that of a wrong password. The format's version and the
    /// cost stand in the clear and are checked first, which tells nobody anything.
    @Test(arguments: 0..<8) func flippedByte(part: Int) throws {
        let wrap = Vectors.bytes(Vectors.unlockWrap)
        let password = try MasterPassword(Vectors.password)
        for offset in stride(from: part, to: wrap.count, by: 8) {
            var changed = wrap
            changed[offset] ^= offset < 16 ? 0x80 : UInt8(1) << UInt8(offset % 8)
            let expected: WrapError =
                switch offset {
                case 4: .unsupportedVersion(0x81)
                // 64 MiB more are within the bounds, and not what was committed to.
                case 8..<16 where offset != 12: .parametersOutOfBounds(try Wrap.parameters(of: changed.raw))
                default: .wrongPassword
                }
            #expect(throws: expected, "byte \(offset)") { try open(changed, password) }
        }
    }

    /// The cost is part of what is committed to: another one within the bounds is a wrong password.
    @Test func changedCostWithinBounds() throws {
        let password = try MasterPassword(Vectors.password)
        for (offset, value) in [(8, UInt8(4)), (12, 65)] {
            var changed = Vectors.bytes(Vectors.unlockWrap)
            changed[offset] = value
            #expect(throws: WrapError.wrongPassword) { try open(changed, password) }
        }
    }

    @Test func everyLengthButOne() throws {
        let password = try MasterPassword(Vectors.password)
        let wrap = Vectors.bytes(Vectors.unlockWrap) + [0]
        for length in 0...wrap.count where length != Wrap.size {
            let part = Array(wrap.prefix(length))
            #expect(throws: WrapError.wrongPassword) { try open(part, password) }
            #expect(throws: WrapError.wrongPassword) { try Wrap.epoch(of: part.raw) }
        }
    }

    /// Attack 4: the bounds hold in both directions before any memory is taken.
    @Test(
        arguments: [
            (0, 64), (2, 64), (11, 64), (UInt32.max, 64), (3, 0), (3, 63), (3, 4097), (3, UInt32.max),
        ] as [(UInt32, UInt32)])
    func costOutOfBounds(passes: UInt32, memory: UInt32) throws {
        let parameters = KDFParameters(passes: passes, memoryMiB: memory)
        #expect(throws: KDFError.outOfBounds(parameters)) { try parameters.validate(physicalMemoryMiB: 1 << 40) }
        var wrap = Vectors.bytes(Vectors.unlockWrap)
        wrap.replaceSubrange(8..<16, with: Wrap.littleEndian(passes) + Wrap.littleEndian(memory))
        let password = try MasterPassword(Vectors.password)
        #expect(throws: WrapError.parametersOutOfBounds(parameters)) { try open(wrap, password) }
    }

    @Test func costWithinBounds() {
        for parameters in [KDFParameters.floor, .cap, .unlockDefault, .kitDefault] {
            #expect(throws: Never.self) { try parameters.validate(physicalMemoryMiB: 8192) }
        }
        // No more than half of the machine's memory, and the floor on the smallest machine.
        let half = KDFParameters(passes: 3, memoryMiB: 513)
        #expect(throws: KDFError.outOfBounds(half)) { try half.validate(physicalMemoryMiB: 1024) }
        #expect(throws: Never.self) { try KDFParameters.floor.validate(physicalMemoryMiB: 16) }
        #expect(throws: Never.self) { try KDFParameters(passes: 3, memoryMiB: 512).validate(physicalMemoryMiB: 1024) }
    }

    /// The admin key needs the password and the account key together.
    @Test func adminKey() throws {
        let password = try MasterPassword("a password")
        let other = try MasterPassword("another password")
        let account = AccountKey(epoch: 1)
        let admin = AdminKey()
        let wrap = try admin.wrap(
            password: password, parameters: Self.cost, vault: Self.vault, accountKey: account)
        let opened = try AdminKey(wrap: wrap.raw, password: password, vault: Self.vault, accountKey: account)
        #expect(opened.publicKey == admin.publicKey)
        #expect(opened.sign([1, 2]) == admin.sign([1, 2]))
        #expect(throws: WrapError.wrongPassword) {
            _ = try AdminKey(wrap: wrap.raw, password: other, vault: Self.vault, accountKey: account).publicKey
        }
        #expect(throws: WrapError.wrongPassword) {
            _ = try AdminKey(
                wrap: wrap.raw, password: password, vault: Self.vault, accountKey: AccountKey(epoch: 1)
            ).publicKey
        }
    }
}
