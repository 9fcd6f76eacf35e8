import Format
import Testing

@testable import Vault

@Suite struct TrashTests {
    /// Adding, taking out, putting back and expiring, in any order, against a plain list of what is in it.
    @Test(arguments: 1...8) func itIsLikeAList(_ seed: UInt64) {
        var random = Randomness(seed: seed)
        var trash = Trash()
        var list: [Trash.Item] = []
        for number in 1...5000 {
            switch random.next() % 8 {
            case 0..<4:
                let item = Self.item(Int64(number))
                trash.add(item)
                list.append(item)
            case 4, 5:
                guard let place = list.indices.randomElement(using: &random) else { continue }
                let slot = list[place].entrySlot
                let found = trash.take(entrySlot: slot)
                #expect(found?.entrySlot == slot)
                if random.next() % 4 == 0, let found { trash.putBack(found) } else { list.remove(at: place) }
            case 6:
                let (age, most) = (Int64(number) - 800, 5)
                let expired = trash.takeExpired(now: age + Limits.trashAge, most: most)
                let old = list.prefix { $0.removed < age }.prefix(most)
                #expect(expired.map(\.entrySlot) == old.map(\.entrySlot))
                list.removeFirst(old.count)
            default:
                guard let item = list.randomElement(using: &random) else { continue }
                #expect(trash.item(nameHash: item.nameHash)?.entrySlot == item.entrySlot)
                #expect(trash.item(entry: item.entry)?.entrySlot == item.entrySlot)
                #expect(trash.item(lineage: item.lineage)?.entrySlot == item.entrySlot)
                #expect(trash.item(file: item.file)?.entrySlot == item.entrySlot)
            }
            #expect(trash.count == list.count)
        }
    }

    /// As with an editor's backups: behind one that stays, the others are taken out as soon as they came.
    @Test func whatIsTakenOutTakesNoRoom() {
        var trash = Trash()
        trash.add(Self.item(1))
        for number in 2...50_000 {
            trash.add(Self.item(Int64(number)))
            trash.take(entrySlot: Int64(number))
        }
        #expect(trash.count == 1)
        #expect(trash.items.count < 2048)
        #expect(trash.item(nameHash: 1)?.entrySlot == 1)
    }

    /// Maintenance looks for what has expired while an operation has taken something out that it then puts back.
    @Test func whatIsPutBackBehindTheExpiredIsFound() throws {
        var trash = Trash()
        for number in 1...4 { trash.add(Self.item(Int64(number))) }
        let found = trash.take(entrySlot: 2)
        let taken = try #require(found)
        #expect(trash.takeExpired(now: Limits.trashAge + 4, most: 8).map(\.entrySlot) == [1, 3])
        trash.putBack(taken)
        for number in 5...5000 { trash.add(Self.item(Int64(number))) }
        for number in 5...4900 { trash.take(entrySlot: Int64(number)) }
        for number in 5001...9000 { trash.add(Self.item(Int64(number))) }
        #expect(trash.item(nameHash: 2)?.entrySlot == 2)
        #expect(trash.item(nameHash: 9000)?.entrySlot == 9000)
        #expect(trash.take(entrySlot: 2)?.entrySlot == 2)
    }

    @Test func theOldestGoesWhereThereAreTooMany() {
        var trash = Trash()
        for number in 1...Limits.trashCount + 3 { trash.add(Self.item(Int64(number))) }
        #expect(trash.takeExpired(now: 0, most: 2).map(\.entrySlot) == [1, 2])
        #expect(trash.takeExpired(now: 0, most: 2).map(\.entrySlot) == [3])
        #expect(trash.takeExpired(now: 0, most: 2).isEmpty)
    }

    /// The item of a row, removed at the second of the row's number.
    private static func item(_ slot: Int64) -> Trash.Item {
        let bits = UInt64(bitPattern: slot)
        return Trash.Item(
            entry: Identifier(low: bits, high: 1), entrySlot: slot, file: Identifier(low: bits, high: 2),
            lineage: Identifier(low: bits, high: 3), fileSlot: slot, removed: slot, nameHash: bits)
    }
}
