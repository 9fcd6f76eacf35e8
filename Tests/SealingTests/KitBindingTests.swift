import TestSupport
import Testing

@testable import Sealing

/// Attack 37: whoever has a kit in hands changes what stands on it, and computes the checksum anew.
@Suite struct KitBindingTests {
    private let key = AccountKey(epoch: 5)
    private let remote = "https://dav.example.org/coffer/"

    private func issue(remote: String? = nil) throws -> Kit {
        try Kit.issue(
            accountKey: key, vault: (1, 2), genesis: [UInt8](repeating: 5, count: 32), remote: remote ?? self.remote,
            password: MasterPassword("a password"), email: "ann@example.org", parameters: .floor)
    }

    private func body(_ kit: Kit) throws -> [UInt8] {
        try #require(Base32.decode(Array(kit.text.dropFirst(8)))).dropLast(4)
    }

    private func text(_ body: [UInt8]) -> [UInt8] {
        Array("COFFER1:".utf8) + Base32.encode(body + Digest.blake2b256(body.raw)[..<4])
    }

    private func opens(_ body: [UInt8]) throws -> Bool {
        guard let kit = Kit(text: text(body)) else { return false }
        let password = try MasterPassword("a password")
        do throws(WrapError) {
            _ = try kit.open(password: password, email: "ann@example.org")
            return true
        } catch {
            #expect(error != .outOfMemory)
            return false
        }
    }

    @Test func attack37EveryChangedByte() throws {
        let body = try body(issue())
        #expect(try opens(body))
        for offset in body.indices {
            for change in [UInt8(1), 0x20, 0xFF] {
                var changed = body
                changed[offset] ^= change
                #expect(try !opens(changed), "byte \(offset)")
            }
        }
    }

    @Test func attack37CutAtEveryByteOrLonger() throws {
        let body = try body(issue())
        for count in body.indices { #expect(Kit(text: text(Array(body[..<count]))) == nil, "\(count) bytes") }
        #expect(Kit(text: text(body + [0])) == nil)
    }

    /// Part of the address in the place of another field, a kit made into one of the first format, and the wrap of one kit
    /// on another.
    @Test func attack37PartsMoved() throws {
        let kit = try issue()
        for remote in ["", "https://dav.example.org/coffe", remote + "x", "https://dav.example.net/coffer/"] {
            var changed = kit
            changed.remote = remote
            #expect(try !opens(body(changed)), "\(remote)")
        }
        var first = try body(kit)
        first[4] = 1
        #expect(try !opens(first))
        var other = try issue()
        other.wrap = kit.wrap
        #expect(try !opens(body(other)))
        let swapped = Kit(
            identifier: kit.vault, vault: kit.identifier, epoch: 5, genesis: kit.genesis, wrap: kit.wrap,
            remote: kit.remote)
        #expect(try !opens(body(swapped)))
    }

    /// It could not be read back.
    @Test func overlongAddressIsLeftOut() throws {
        let long = "https://dav.example.org/" + String(repeating: "a", count: Kit.remoteLimit)
        let kit = try issue(remote: long)
        #expect(kit.remote.isEmpty)
        #expect(try opens(body(kit)))
    }

    /// Bytes that mean nothing, an address that is no text, and a length of more than there is.
    @Test func whatNoProgramWrites() throws {
        let body = try body(issue())
        for (offset, byte) in [(5, UInt8(1)), (7, 0x80), (240, 0xFF), (241, 0xFF), (242, 0xFF), (body.count - 1, 0xC3)]
        {
            var changed = body
            changed[offset] = byte
            #expect(throws: KitError.incomplete) { try Kit(reading: text(changed)) }
        }
    }
}
