import TestSupport
import Testing

@testable import Sealing

/// The kit that carries the account key to another device.
@Suite(.trueCost) struct KitTests {
    private let kit = Kit(
        format: 1, identifier: (0x3837_3635_3433_3231, 0x403F_3E3D_3C3B_3A39), vault: Vectors.vault, epoch: 3,
        genesis: [UInt8](0x40..<0x60), wrap: Vectors.bytes(Vectors.kitWrap), remote: "https://dav.example.org/coffer/")

    @Test func goldenOfTheFirstFormat() throws {
        #expect(String(decoding: kit.text, as: UTF8.self) == Vectors.kit)
        let read = try #require(Kit(text: Array(Vectors.kit.utf8)))
        #expect(read == kit)
        #expect(read.identifier == kit.identifier && read.vault == kit.vault && read.epoch == 3)
        #expect(read.genesis == kit.genesis && read.wrap == kit.wrap && read.remote == kit.remote)
        #expect(read.format == 1 && !read.isBound)
    }

    @Test func golden() throws {
        let bound = Kit(
            identifier: kit.identifier, vault: kit.vault, epoch: 3, genesis: kit.genesis,
            wrap: Vectors.bytes(Vectors.boundKitWrap), remote: kit.remote)
        #expect(String(decoding: bound.text, as: UTF8.self) == Vectors.boundKit)
        let read = try Kit(reading: Array(Vectors.boundKit.utf8))
        #expect(read == bound && read.format == 2 && read.isBound)
        #expect(read.identifier == kit.identifier && read.vault == kit.vault && read.epoch == 3)
        #expect(read.genesis == kit.genesis && read.wrap == bound.wrap && read.remote == kit.remote)
        let password = try MasterPassword(Vectors.password)
        #expect(try read.open(password: password, email: " Ann@example.org").isSame(as: .ofVectors))
        #expect(throws: WrapError.wrongPassword) { try read.open(password: password, email: "bob@example.org") }
    }

    /// That is why joining shows where such a kit leads to.
    @Test func whatIsOnAKitOfTheFirstFormatCanBeChanged() throws {
        var changed = kit
        changed.remote = "https://dav.example.net/coffer/"
        changed.identifier.0 += 1
        let read = try Kit(reading: changed.text)
        let password = try MasterPassword(Vectors.password)
        #expect(try read.open(password: password, email: "ann@example.org").isSame(as: .ofVectors))
    }

    @Test func issueAndOpen() throws {
        let password = try MasterPassword("a password")
        let key = AccountKey(epoch: 9)
        let issued = try Kit.issue(
            accountKey: key, vault: (1, 2), genesis: [UInt8](repeating: 5, count: 32), remote: "file:///srv",
            password: password, email: "Ann@Example.org ", parameters: .floor)
        let read = try #require(Kit(text: issued.text))
        #expect(try read.open(password: password, email: " ann@example.ORG\n").isSame(as: key))
        #expect(read.epoch == 9 && read.vault == (1, 2) && read.remote == "file:///srv")
    }

    /// One error, whichever of the two secrets is wrong.
    @Test func wrongPasswordOrAddress() throws {
        let right = try MasterPassword(Vectors.password)
        let wrong = try MasterPassword("another password")
        #expect(try kit.open(password: right, email: "ann@example.org").isSame(as: .ofVectors))
        #expect(throws: WrapError.wrongPassword) { try kit.open(password: wrong, email: "ann@example.org") }
        #expect(throws: WrapError.wrongPassword) { try kit.open(password: right, email: "bob@example.org") }
        #expect(throws: WrapError.wrongPassword) { try kit.open(password: wrong, email: "bob@example.org") }
        #expect(throws: WrapError.wrongPassword) { try kit.open(password: right, email: "") }
        var moved = kit
        moved.vault = (kit.vault.0, 0)
        #expect(throws: WrapError.wrongPassword) { try moved.open(password: right, email: "ann@example.org") }
    }

    /// It may be typed: blanks, line breaks and case are people's.
    @Test func textAsPeopleTypeIt() {
        let lower = Vectors.kit.lowercased()
        var lines = "\n  "
        for (index, letter) in lower.enumerated() { lines += "\(letter)" + (index % 40 == 39 ? "\r\n" : "") }
        #expect(Kit(text: Array(lines.utf8)) == kit)
    }

    @Test(arguments: [Vectors.kit, Vectors.boundKit]) func everyFlippedLetterIsRefused(_ kit: String) {
        let text = Array(kit.utf8)
        for offset in text.indices {
            for other in [UInt8(ascii: "A"), UInt8(ascii: "7"), UInt8(ascii: "1"), UInt8(ascii: "-")]
            where other != text[offset] {
                var changed = text
                changed[offset] = other
                #expect(Kit(text: changed) == nil, "letter \(offset)")
            }
        }
    }

    @Test(arguments: [Vectors.kit, Vectors.boundKit]) func everyTruncationIsRefused(_ kit: String) {
        let text = Array(kit.utf8)
        for length in text.indices { #expect(Kit(text: Array(text[..<length])) == nil) }
        #expect(Kit(text: text + [UInt8(ascii: "A")]) == nil)
        #expect(Kit(text: text + text) == nil)
    }

    @Test func swappedLettersAreRefused() {
        let text = Array(Vectors.kit.utf8)
        for offset in text.indices.dropLast() where text[offset] != text[offset + 1] {
            var changed = text
            changed.swapAt(offset, offset + 1)
            #expect(Kit(text: changed) == nil, "letters \(offset) and \(offset + 1)")
        }
    }

    /// Attack 30.
    @Test func longTextIsNotRead() {
        let text = Array(Vectors.kit.utf8)
        let blanks = [UInt8](repeating: 0x20, count: Kit.textLimit - text.count)
        #expect(Kit(text: blanks + text) == kit)
        #expect(Kit(text: blanks + [0x20] + text) == nil)
    }

    @Test func longAddressOfTheRemote() {
        var long = kit
        long.remote = String(repeating: "a", count: Kit.remoteLimit)
        #expect(Kit(text: long.text) == long)
        long.remote += "a"
        #expect(Kit(text: long.text) == nil)
    }

    @Test func unknownVersion() {
        var bytes = Base32.decode(Array(Vectors.kit.utf8.dropFirst(8))) ?? []
        /// With a format, and as much behind it as a later one may have; whole, or not.
        func text(_ format: UInt8, _ more: [UInt8] = [], isWhole: Bool = true) -> [UInt8] {
            bytes[4] = format
            let body = bytes.dropLast(4) + more
            let checksum = Digest.blake2b256(Array(body).raw)[..<4].map { isWhole ? $0 : ~$0 }
            return Array("COFFER1:".utf8) + Base32.encode(body + checksum)
        }
        for format in [UInt8(3), 4, 255] {
            for more in [[], [UInt8](repeating: 7, count: 100)] {
                #expect(throws: KitError.newerFormat(Int(format))) { try Kit(reading: text(format, more)) }
                #expect(throws: KitError.incomplete) { try Kit(reading: text(format, more, isWhole: false)) }
            }
            #expect(Kit(text: text(format)) == nil)
        }
        #expect(throws: KitError.incomplete) { try Kit(reading: text(0)) }
        #expect(Kit(text: text(1)) == kit)
    }

    /// RFC 4648, section 10, without padding.
    @Test(arguments: [
        ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ])
    func base32(plain: String, letters: String) {
        #expect(Base32.encode(Array(plain.utf8)) == Array(letters.utf8))
        #expect(Base32.decode(Array(letters.utf8)) == Array(plain.utf8))
    }

    @Test(arguments: ["M", "MZ", "MZXW6Y", "MY======", "m1", "AAA"]) func noBase32(letters: String) {
        #expect(Base32.decode(Array(letters.utf8)) == nil)
    }
}
