import Testing

@testable import Sealing

/// Sealed pieces: each opens with its own key in its own place, and nowhere else.
@Suite struct SealTests {
    private let key = AccountKey.ofVectors.sealingKey(.record)

    /// The place of the vectors.
    private static func place(
        type: UInt8 = 5, vault: (UInt64, UInt64) = Vectors.vault, epoch: UInt32 = 3,
        record: (UInt64, UInt64) = (0x1817_1615_1413_1211, 0x201F_1E1D_1C1B_1A19), version: UInt64 = 9,
        index: UInt32 = 2, count: UInt32 = 4, final: Bool = true, format: UInt8 = 1
    ) -> AssociatedData {
        AssociatedData(
            type: type, vault: vault, epoch: epoch, record: record, version: version, index: index, count: count,
            final: final, format: format)
    }

    @Test func golden() {
        let seal = Seal(Vectors.bytes(Vectors.sealNonce), Vectors.bytes(Vectors.sealedTag))
        let plain = key.opened(Vectors.bytes(Vectors.sealedCipher), seal, Self.place())
        #expect(plain == Array("A record of thirty-seven bytes, sealed".utf8))
    }

    @Test(arguments: [0, 1, 15, 16, 17, 63, 64, 65, 256, 65536]) func roundTrip(count: Int) {
        let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let (seal, cipher) = key.sealed(plain, Self.place())
        #expect(cipher.count == count)
        #expect(count < 16 || cipher != plain)
        #expect(key.opened(cipher, seal, Self.place()) == plain)
    }

    /// Attacks 8 and 9: no field of the place can be another.
    @Test func everyFieldIsBound() {
        let (low, high) = Vectors.vault
        let others: [(String, AssociatedData)] = [
            ("format", Self.place(format: 2)), ("type", Self.place(type: 6)), ("final", Self.place(final: false)),
            ("epoch", Self.place(epoch: 4)), ("vault, first half", Self.place(vault: (low ^ 1, high))),
            ("vault, second half", Self.place(vault: (low, high ^ 1))),
            ("record, first half", Self.place(record: (0x1817_1615_1413_1210, 0x201F_1E1D_1C1B_1A19))),
            ("record, second half", Self.place(record: (0x1817_1615_1413_1211, 0x201F_1E1D_1C1B_1A18))),
            ("version", Self.place(version: 8)), ("index", Self.place(index: 3)), ("count", Self.place(count: 5)),
        ]
        let plain = [UInt8](repeating: 3, count: 100)
        let (seal, cipher) = key.sealed(plain, Self.place())
        #expect(key.opened(cipher, seal, Self.place()) == plain)
        for (field, other) in others { #expect(key.opened(cipher, seal, other) == nil, "\(field)") }
    }

    /// Index and count stand side by side: neither runs into the other.
    @Test func fieldsDoNotOverlap() {
        let fields: [AssociatedData] = [
            Self.place(index: 1, count: 0), Self.place(index: 0, count: 1), Self.place(version: 1, index: 0, count: 0),
            Self.place(epoch: 0x1_00, index: 0, count: 0), Self.place(type: 0, epoch: 1), Self.place(type: 1, epoch: 0),
        ]
        for (number, data) in fields.enumerated() {
            let (seal, cipher) = key.sealed([1, 2, 3], data)
            for (other, place) in fields.enumerated() where other != number {
                #expect(key.opened(cipher, seal, place) == nil)
            }
        }
    }

    @Test func everyByteIsAuthenticated() {
        let (seal, cipher) = key.sealed([UInt8](0..<100), Self.place())
        for offset in cipher.indices {
            var changed = cipher
            changed[offset] ^= 0x20
            #expect(key.opened(changed, seal, Self.place()) == nil)
            #expect(key.opened(Array(cipher[..<offset]), seal, Self.place()) == nil, "cut to \(offset) bytes")
        }
        #expect(key.opened(cipher + [0], seal, Self.place()) == nil)
        for bit in 0..<64 {
            for word in 0..<5 {
                var changed = seal
                switch word {
                case 0: changed.nonce.0 ^= 1 << UInt64(bit)
                case 1: changed.nonce.1 ^= 1 << UInt64(bit)
                case 2: changed.nonce.2 ^= 1 << UInt64(bit)
                case 3: changed.tag.0 ^= 1 << UInt64(bit)
                default: changed.tag.1 ^= 1 << UInt64(bit)
                }
                #expect(key.opened(cipher, changed, Self.place()) == nil)
            }
        }
    }

    @Test func otherKeysDoNotOpen() {
        let (seal, cipher) = key.sealed([1, 2, 3], Self.place())
        for label in SubkeyLabel.allCases where label != .record {
            #expect(AccountKey.ofVectors.sealingKey(label).opened(cipher, seal, Self.place()) == nil)
        }
        #expect(AccountKey(epoch: 3).sealingKey(.record).opened(cipher, seal, Self.place()) == nil)
    }

    @Test func tooSmallATarget() {
        let (seal, cipher) = key.sealed([1, 2, 3], Self.place())
        var target = [UInt8](repeating: 9, count: 2)
        let opened = unsafe target.withUnsafeMutableBytes { target in
            unsafe cipher.withUnsafeBytes { source in unsafe key.open(source, seal, Self.place(), into: target) }
        }
        #expect(!opened && target == [9, 9])
    }

    /// Attack 18.
    @Test func noncesDoNotRepeat() {
        var seen = Set<[UInt64]>()
        var words = [Set<UInt64>](repeating: [], count: 3)
        for _ in 0..<100_000 {
            let nonce = key.sealed([], Self.place()).seal.nonce
            seen.insert([nonce.0, nonce.1, nonce.2])
            words[0].insert(nonce.0)
            words[1].insert(nonce.1)
            words[2].insert(nonce.2)
        }
        #expect(seen.count == 100_000)
        // None of the three parts stands still or counts: 64 random bits meet once in 10^9 such runs.
        #expect(words.allSatisfy { $0.count == 100_000 })
    }

    // MARK: The integrity sum

    private func row(_ number: Int) -> (table: UInt8, slot: Int64, seal: Seal) {
        let word = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
        return (UInt8(number % 5 + 1), Int64(number) << 20, Seal(nonce: (0, 0, 0), tag: (word, ~word)))
    }

    @Test func sumGolden() {
        let key = AccountKey.ofVectors.multisetKey()
        var sum = MultisetSum()
        let none: [UInt8] = .init(repeating: 0, count: 24)
        sum.add(key, table: 1, slot: 5, seal: Seal(none, [UInt8](0..<16)))
        sum.add(key, table: 2, slot: -7, seal: Seal(none, [UInt8](16..<32)))
        #expect(sum.bytes == Vectors.bytes(Vectors.multisetSum))
        #expect(MultisetSum(bytes: sum.bytes.raw) == sum)
    }

    @Test func sumIsFreeOfOrder() {
        let key = AccountKey(epoch: 1).multisetKey()
        var (forwards, backwards, left, right) = (MultisetSum(), MultisetSum(), MultisetSum(), MultisetSum())
        for number in 0..<1000 {
            let (row, last) = (row(number), row(999 - number))
            forwards.add(key, table: row.table, slot: row.slot, seal: row.seal)
            backwards.add(key, table: last.table, slot: last.slot, seal: last.seal)
            if number % 3 == 0 {
                left.add(key, table: row.table, slot: row.slot, seal: row.seal)
            } else {
                right.add(key, table: row.table, slot: row.slot, seal: row.seal)
            }
        }
        #expect(forwards == backwards)
        left.combine(right)
        #expect(left == forwards)
    }

    @Test func sumAfterRemoval() {
        let key = AccountKey(epoch: 1).multisetKey()
        var sum = MultisetSum()
        var states: [MultisetSum] = []
        for number in 0..<200 {
            states.append(sum)
            sum.add(key, table: row(number).table, slot: row(number).slot, seal: row(number).seal)
        }
        for number in (0..<200).reversed() {
            sum.remove(key, table: row(number).table, slot: row(number).slot, seal: row(number).seal)
            #expect(sum == states[number])
        }
        #expect(sum == MultisetSum())
    }

    /// Attack 10: another table, slot, tag or key, and a row that is there twice, are another sum.
    @Test func sumTellsEverything() {
        func sum(
            _ rows: [(UInt8, Int64, UInt64, UInt64)], _ key: MultisetKey = AccountKey.ofVectors.multisetKey()
        ) -> [UInt8] {
            var sum = MultisetSum()
            for (table, slot, low, high) in rows {
                sum.add(key, table: table, slot: slot, seal: Seal(nonce: (0, 0, 0), tag: (low, high)))
            }
            return sum.bytes
        }
        let sums = [
            sum([]), sum([(1, 2, 3, 4)]), sum([(2, 2, 3, 4)]), sum([(1, 3, 3, 4)]), sum([(1, 2, 4, 4)]),
            sum([(1, 2, 3, 5)]), sum([(1, 2, 4, 3)]), sum([(1, 2, 3, 4), (1, 2, 3, 4)]),
            sum([(1, 2, 3, 4)], AccountKey(epoch: 1).multisetKey()),
        ]
        #expect(Set(sums).count == sums.count)
    }
}
