import Format
import Testing

/// The bytes of snapshots, written down apart from the code, from the tables of the format document.
@Suite struct SnapshotGoldenTests {
    private func identifier(_ first: UInt8) -> Identifier {
        func word(_ start: UInt8) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(start + UInt8($1)) << UInt64(8 * $1) } }
        return Identifier(low: word(first), high: word(first + 8))
    }

    private func stamp(_ lamport: UInt64, _ device: UInt8) -> Stamp {
        Stamp(lamport: lamport, device: identifier(device))
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func manifest() throws {
        var (seen, said) = (VersionVector(), VersionVector())
        seen[identifier(1)] = LogPosition(sequence: 2, hash: identifier(0x21), lamport: 3)
        said[identifier(0x41)] = LogPosition(sequence: 4, hash: identifier(0x61), lamport: 5)
        let member = SnapshotMember(
            device: identifier(1), enrolment: [10, 11], revocation: [12], name: Array("one".utf8), seen: said,
            acknowledged: [SnapshotName(device: identifier(1), sequence: 6)])
        let manifest = SnapshotManifest(
            lamport: 5, seen: seen, members: [member], kits: [identifier(0x81)],
            notices: [Notice(kind: .adminWrap, bytes: [1, 2])], parts: [identifier(0xA1)])
        let golden =
            "050000000000000001000102030405060708090a0b0c0d0e0f1002000000000000002122232425262728292a2b2c2d2e"
            + "2f30030000000000000001000102030405060708090a0b0c0d0e0f1002000a0b01000c036f6e65010041424344454647"
            + "48494a4b4c4d4e4f5004000000000000006162636465666768696a6b6c6d6e6f70050000000000000001000102030405"
            + "060708090a0b0c0d0e0f100600000000000000010000008182838485868788898a8b8c8d8e8f90010003020000000102"
            + "01000000a1a2a3a4a5a6a7a8a9aaabacadaeafb0"
        #expect(hexadecimal(manifest.encoded) == golden)
        #expect(try SnapshotManifest(decoding: manifest.encoded) == manifest)
    }

    @Test func part() throws {
        let reference = ContentReference(
            kind: .chunks, version: 9, size: 65537,
            seal: SealBytes(words: (0x1111, 0x2222, 0x3333, 0x4444, 0x5555)), origin: identifier(0x41))
        let attributes = AttributesChange(
            lineage: identifier(1), stamp: stamp(7, 0x21), mode: 0o100600, owner: 8, group: 9, device: 10,
            accessed: Timestamp(seconds: 11, nanoseconds: 12), modified: Timestamp(seconds: 13, nanoseconds: 14),
            changed: Timestamp(seconds: 15, nanoseconds: 16))
        let content = ContentChange(
            lineage: identifier(1), stamp: stamp(17, 0x61), replaces: [stamp(18, 0x81)],
            modified: Timestamp(seconds: 19, nanoseconds: 20), reference: reference, column: [0xAA, 0xBB],
            chunks: [
                ChunkReference(slot: 21, hash: identifier(0xA1)),
                ChunkReference(slot: 22, hash: identifier(0xC1), embedded: [0xCC]),
            ])
        let lineage = LineageRegister(
            attributes: attributes, heads: [stamp(17, 0x61)], rivals: [stamp(23, 0xE1)], content: reference)
        let placement = EntryChange(
            entry: identifier(1), parent: identifier(0x21), lineage: identifier(0x41), stamp: stamp(7, 0x61),
            name: Array("gmail".utf8))
        let removal = RemovalChange(entry: identifier(1), stamp: stamp(8, 0x81), saw: [stamp(9, 0xA1)])
        let part = SnapshotPart(registers: [
            .lineage(lineage, content: content),
            .entry(EntryRegister(placement: placement, removals: [removal], isShown: false)),
        ])
        let golden =
            "02000000010102030405060708090a0b0c0d0e0f1007000000000000002122232425262728292a2b2c2d2e2f30808100"
            + "000800000009000000030a0000000b000000000000000c0000000d000000000000000e0000000f000000000000001000"
            + "000000000111000000000000006162636465666768696a6b6c6d6e6f70011700000000000000e1e2e3e4e5e6e7e8e9ea"
            + "ebecedeeeff0020900000000000000010001000000000011110000000000002222000000000000333300000000000044"
            + "4400000000000055550000000000004142434445464748494a4b4c4d4e4f50010102030405060708090a0b0c0d0e0f10"
            + "11000000000000006162636465666768696a6b6c6d6e6f700112000000000000008182838485868788898a8b8c8d8e8f"
            + "901300000000000000140000000209000000000000000100010000000000111100000000000022220000000000003333"
            + "000000000000444400000000000055550000000000004142434445464748494a4b4c4d4e4f5002000000aabb02000000"
            + "1500000000000000a1a2a3a4a5a6a7a8a9aaabacadaeafb0000000001600000000000000c1c2c3c4c5c6c7c8c9cacbcc"
            + "cdcecfd001000000cc020102030405060708090a0b0c0d0e0f102122232425262728292a2b2c2d2e2f30414243444546"
            + "4748494a4b4c4d4e4f5007000000000000006162636465666768696a6b6c6d6e6f7005676d61696c0001080000000000"
            + "00008182838485868788898a8b8c8d8e8f90010900000000000000a1a2a3a4a5a6a7a8a9aaabacadaeafb0"
        #expect(hexadecimal(part.encoded) == golden)
        #expect(try SnapshotPart(decoding: part.encoded) == part)
    }

    /// What a later version says by a kind of notice that this one does not know is read over; the rest counts.
    @Test func unknownNoticesAreReadOver() throws {
        let known = Notice(kind: .name, bytes: [0x78])
        let record = SegmentRecord(previous: identifier(1), lamport: 5, seen: VersionVector(), notices: [known])
        var bytes = record.encoded
        // Behind previous 16, clock 8, flag 1, nothing seen 2, no snapshots 2: the count of notices.
        bytes[29] = 2
        bytes.insert(contentsOf: [200, 3, 0, 0, 0, 1, 2, 3], at: 31)
        #expect(try SegmentRecord(decoding: bytes) == record)
        bytes[35] = 0xFF
        #expect(throws: FormatError.overLimit(field: "notice")) { try SegmentRecord(decoding: bytes) }
    }

    @Test func receipt() throws {
        var seen = VersionVector()
        seen[identifier(1)] = LogPosition(sequence: 2, hash: identifier(0x21), lamport: 3)
        let receipt = ReceiptRecord(seen: seen)
        let golden =
            "01000102030405060708090a0b0c0d0e0f1002000000000000002122232425262728292a2b2c2d2e2f300300000000000000"
        #expect(hexadecimal(receipt.encoded) == golden)
        #expect(try ReceiptRecord(decoding: receipt.encoded + [0, 0]) == receipt)
        #expect(throws: FormatError.self) { try ReceiptRecord(decoding: receipt.encoded + [1]) }
        #expect(throws: FormatError.self) { try ReceiptRecord(decoding: [1, 0]) }
    }

    /// Attack 30: what a count promises is not set aside before it is there, and lists have an end.
    @Test func attack30_countsPromiseNothing() {
        let many = [UInt8](repeating: 0xFF, count: 4)
        #expect(throws: FormatError.invalid(field: "register")) { try SnapshotPart(decoding: many + [9]) }
        #expect(throws: FormatError.truncated) { try SnapshotPart(decoding: many) }
        let nothing = [UInt8](repeating: 0, count: 8 + 2 + 2 + 4 + 2)
        #expect(throws: FormatError.overLimit(field: "parts")) { try SnapshotManifest(decoding: nothing + many) }
    }
}

extension SnapshotManifest: StoredRecord {
    static func random(using generator: inout Randomness) -> SnapshotManifest {
        let members = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
            SnapshotMember(
                device: generator.identifier(), enrolment: generator.bytes(9), revocation: generator.bytes(3),
                name: generator.bytes(5), seen: generator.vector(),
                acknowledged: [SnapshotName(device: generator.identifier(), sequence: generator.next())])
        }
        return SnapshotManifest(
            lamport: generator.next(), seen: generator.vector(), members: members, kits: [generator.identifier()],
            notices: [Notice(kind: .rotation, bytes: generator.bytes(7))],
            parts: [generator.identifier(), generator.identifier()])
    }
}

extension SegmentRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> SegmentRecord {
        SegmentRecord(
            previous: generator.identifier(), lamport: generator.next(),
            isContinued: Bool.random(using: &generator), seen: generator.vector(),
            acknowledged: [SnapshotName(device: generator.identifier(), sequence: generator.next())],
            notices: [Notice(kind: .kit, bytes: generator.bytes(16))])
    }
}

extension ReceiptRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> ReceiptRecord { ReceiptRecord(seen: generator.vector()) }
}

extension SnapshotPart: StoredRecord {
    static func random(using generator: inout Randomness) -> SnapshotPart {
        SnapshotPart(
            registers: (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                Bool.random(using: &generator) ? generator.lineage() : generator.entry()
            })
    }
}

extension Randomness {
    fileprivate mutating func vector() -> VersionVector {
        var vector = VersionVector()
        for _ in 0..<Int.random(in: 0...3, using: &self) {
            vector[identifier()] = LogPosition(sequence: next(), hash: identifier(), lamport: next())
        }
        return vector
    }

    fileprivate mutating func lineage() -> SnapshotRegister {
        let attributes = AttributesChange(
            lineage: identifier(), stamp: stamp(), mode: any(), owner: any(), group: any(), device: any(),
            accessed: time(), modified: time(), changed: time())
        let content = ContentChange(
            lineage: attributes.lineage, stamp: stamp(), replaces: stamps(), modified: time(),
            reference: self.content(),
            column: bytes(20), chunks: [ChunkReference(slot: 1, hash: identifier(), embedded: bytes(3))])
        let register = LineageRegister(
            attributes: attributes, heads: stamps(), rivals: stamps(), content: self.content())
        return .lineage(register, content: Bool.random(using: &self) ? content : nil)
    }

    fileprivate mutating func entry() -> SnapshotRegister {
        let placement = EntryChange(
            entry: identifier(), parent: identifier(), lineage: identifier(), stamp: stamp(), name: Array("name".utf8))
        let removal = RemovalChange(entry: placement.entry, stamp: stamp(), saw: stamps())
        var register = EntryRegister(placement: placement, removals: [removal], isShown: .random(using: &self))
        if Bool.random(using: &self) { register.settles = placement.stamp.earlier }
        return .entry(register)
    }
}
