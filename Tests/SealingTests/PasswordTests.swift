import Testing

@testable import Sealing

/// The master password: what is the same password, and what is none.
@Suite struct PasswordTests {
    /// Pairs that people cannot tell apart on two keyboards.
    @Test(arguments: [
        ("caf\u{E9} 1234", "cafe\u{301} 1234"), ("\u{FB01}sh and chips", "fish and chips"),
        ("\u{FF21}\u{FF22}\u{FF23}", "ABC"), ("\u{212B}ngstr\u{F6}m", "\u{C5}ngstro\u{308}m"),
        ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}"), ("x\u{B2}", "x2"), ("a\u{A0}b", "a b"),
        ("q\u{307}\u{323}", "q\u{323}\u{307}"),
    ])
    func normalized(left: String, right: String) throws {
        let first = try MasterPassword(left)
        let second = try MasterPassword(right)
        #expect(first.bytes.isEqual(to: second.bytes) == true)
        #expect(Array(left.utf8) != Array(right.utf8))
    }

    @Test(arguments: [
        ("password", "Password"), ("a b", "ab"), ("cafe", "caf\u{E9}"), (" a", "a"), ("a\n", "a"), ("\u{430}", "a"),
    ])
    func different(left: String, right: String) throws {
        let first = try MasterPassword(left)
        let second = try MasterPassword(right)
        #expect(first.bytes.isEqual(to: second.bytes) == false)
    }

    @Test func normalFormIsNFKC() throws {
        #expect(try MasterPassword("Gru\u{308}\u{DF}e \u{FB01}").bytes.array == Array("Gr\u{FC}\u{DF}e fi".utf8))
        #expect(try MasterPassword("plain ASCII ~").bytes.array == Array("plain ASCII ~".utf8))
    }

    /// Bytes that are no UTF-8 are a password, too.
    @Test func anyBytes() throws {
        let bytes: [UInt8] = [0xFF, 0xFE, 0x00, 0x80, 0x41]
        #expect(try MasterPassword(utf8: bytes.raw).bytes.array == bytes)
    }

    /// The longest decomposition: 18 code points of one.
    @Test func longDecomposition() throws {
        let text = String(repeating: "\u{FDFA}", count: MasterPassword.limit / 3)
        #expect(try MasterPassword(text).bytes.count > MasterPassword.limit)
    }

    @Test func emptyAndTooLong() throws {
        #expect(throws: PasswordError.empty) { _ = try MasterPassword("").bytes.count }
        let longest = String(repeating: "a", count: MasterPassword.limit)
        #expect(try MasterPassword(longest).bytes.count == MasterPassword.limit)
        #expect(throws: PasswordError.tooLong) { _ = try MasterPassword(longest + "a").bytes.count }
    }

    @Test(arguments: [
        ("short1!", "shorter"), ("abcdefghijkl", "row"), ("12345678", "tried first"),
        ("qwer1234", "tried first"), ("Password", "tried first"), ("password1!", "tried first"),
        ("Summer2024!", "tried first"), ("iloveyou", "tried first"), ("LETMEIN1", "tried first"),
        ("11.12.1987", "date"),
    ])
    func weak(text: String, reason: String) throws {
        let password = try MasterPassword(text)
        do throws(PasswordError) {
            try password.checkStrength()
            Issue.record("\(text) was taken")
        } catch {
            if case .tooWeak(let why) = error { #expect(why.contains(reason)) } else { Issue.record("\(error)") }
        }
    }

    @Test(arguments: ["correct horse battery stapler", "Gr\u{FC}\u{DF}e aus K\u{F6}ln", "x7#kQ!9v"])
    func strong(text: String) throws {
        let password = try MasterPassword(text)
        #expect(throws: Never.self) { try password.checkStrength() }
    }
}

/// Sizes that tell little.
@Suite struct PaddingTests {
    @Test func properties() {
        var before = 0
        for size in 0..<200_000 {
            let padded = Padding.padme(size, floor: 256)
            #expect(padded >= size && padded >= 256 && padded >= before)
            // At most 12 % above the floor, and padding what is padded changes nothing.
            #expect(size <= 256 || padded * 100 <= size * 112)
            if padded != before {
                #expect(Padding.padme(padded, floor: 256) == padded)
                before = padded
            }
        }
    }

    /// Few sizes come out of many: that is what it is for.
    @Test func fewSizes() {
        #expect(Set((0...65536).map { Padding.padme($0, floor: 256) }).count < 150)
    }

    /// By hand from the paper's definition: E = floor(log2 L), S = floor(log2 E) + 1, the lowest E - S bits zero.
    @Test(arguments: [
        (0, 256), (1, 256), (256, 256), (257, 272), (272, 272), (273, 288), (1023, 1024), (1024, 1024), (1025, 1088),
        (65535, 65536), (65536, 65536), (65537, 67584), (1 << 30, 1 << 30), ((1 << 30) + 1, (1 << 30) + (1 << 25)),
    ])
    func values(size: Int, padded: Int) {
        #expect(Padding.padme(size, floor: 256) == padded)
    }
}
