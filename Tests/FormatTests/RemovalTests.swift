import Format
import Testing

/// What a register keeps of removals is bounded: devices that turn can write as many as they like.
@Suite struct RemovalTests {
    private let entry = Identifier(low: 1, high: 2)

    private func stamp(_ lamport: UInt64) -> Stamp { Stamp(lamport: lamport, device: entry) }

    @Test func whatItHasSeenIsBoundedAndKeepsItsMark() {
        let full = (1..<UInt64(Limits.stamps)).map(stamp)
        var removal = RemovalChange(entry: entry, stamp: stamp(1000), saw: [.zero] + full)
        removal.add([stamp(1), stamp(500), stamp(501)])
        #expect(removal.saw.count == Limits.stamps)
        #expect(removal.isOfOneName)
        #expect(removal.saw.contains(stamp(500)) && removal.saw.contains(stamp(501)))
        #expect(!removal.saw.contains(stamp(1)))
        var last = RemovalChange(entry: entry, stamp: stamp(1000), saw: full)
        last.add([.zero])
        #expect(!last.isOfOneName)
    }

    @Test func theLatestAreKept() {
        let placement = EntryChange(entry: entry, parent: entry, lineage: entry, stamp: stamp(1), name: [0x61])
        var register = EntryRegister(placement: placement)
        for lamport in (2..<UInt64(Limits.removals) + 10).reversed() {
            register.add(RemovalChange(entry: entry, stamp: stamp(lamport), saw: []))
        }
        #expect(register.removals.count == Limits.removals)
        #expect(register.removals.map(\.stamp.lamport).min() == 10)
    }
}
