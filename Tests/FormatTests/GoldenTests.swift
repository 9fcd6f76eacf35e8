import Format
import Testing

/// The bytes of each record, written down apart from the code (from the tables of the format document): a vault
/// of today opens tomorrow.
@Suite struct GoldenTests {
    private func identifier(_ first: UInt8) -> Identifier {
        func word(_ start: UInt8) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(start + UInt8($1)) << UInt64(8 * $1) } }
        return Identifier(low: word(first), high: word(first + 8))
    }

    private func content(_ kind: ContentKind, version: UInt64, size: UInt64, origin: UInt8) -> ContentReference {
        ContentReference(
            kind: kind, version: version, size: size,
            seal: SealBytes(words: (0x1111, 0x2222, 0x3333, 0x4444, 0x5555)), origin: identifier(origin))
    }

    private func check<R: StoredRecord>(_ record: R, _ golden: String) throws {
        let bytes = record.encoded
        #expect(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == golden)
        #expect(try R(decoding: bytes) == record)
    }

    @Test func entry() throws {
        let record = EntryRecord(
            identifier: identifier(1), parent: identifier(0x21), file: identifier(0x41),
            stamp: Stamp(lamport: 7, device: identifier(0x61)), made: 6, removed: -2, isLocal: true,
            name: Array("gmail".utf8))
        let golden =
            "0102030405060708090a0b0c0d0e0f102122232425262728292a2b2c2d2e2f304142434445464748494a4b4c4d4e4f50"
            + "07000000000000006162636465666768696a6b6c6d6e6f700600000000000000feffffffffffffff0105676d61696c"
        try check(record, golden)
    }

    @Test func file() throws {
        var record = FileRecord(
            identifier: identifier(1), inode: 2, mode: 0o100600, stamp: Stamp(lamport: 8, device: identifier(0x21)),
            time: Timestamp(seconds: 3, nanoseconds: 4))
        (record.owner, record.group, record.device) = (1000, 1001, 0x0801)
        (record.ownedByMounter, record.groupOfMounter) = (false, true)
        record.modified = Timestamp(seconds: -5, nanoseconds: 6)
        record.changed = Timestamp(seconds: 7, nanoseconds: 999_999_999)
        record.content = content(.chunks, version: 9, size: 65537, origin: 0x41)
        (record.history, record.predecessor, record.versions, record.oldestVersion) = (10, 11, 12, 13)
        (record.successor, record.detached) = (identifier(0x61), 14)
        record.lineage = identifier(0x81)
        record.heads = [Stamp(lamport: 15, device: identifier(0xA1))]
        record.replaced = [Stamp(lamport: 16, device: identifier(0xC1)), Stamp(lamport: 17, device: identifier(0xE1))]
        record.attributes = [ExtendedAttribute(name: Array("user.a".utf8), value: [0, 0xFF, 0x7A])]
        let golden =
            "0102030405060708090a0b0c0d0e0f10020000000000000080810000e8030000e9030000020108000003000000000000"
            + "0004000000fbffffffffffffff060000000700000000000000ffc99a3b08000000000000002122232425262728292a2b"
            + "2c2d2e2f3002090000000000000001000100000000001111000000000000222200000000000033330000000000004444"
            + "00000000000055550000000000004142434445464748494a4b4c4d4e4f500a000000000000000b000000000000000c00"
            + "00000d000000000000006162636465666768696a6b6c6d6e6f700e00000000000000"
            + "8182838485868788898a8b8c8d8e8f90010f00000000000000a1a2a3a4a5a6a7a8a9aaabacadaeafb0"
            + "021000000000000000c1c2c3c4c5c6c7c8c9cacbcccdcecfd0"
            + "1100000000000000e1e2e3e4e5e6e7e8e9eaebecedeeeff0"
            + "01000603000000757365722e6100ff7a"
        try check(record, golden)
    }

    @Test func version() throws {
        let record = VersionRecord(
            file: identifier(1), previous: 2, predecessor: 3, modified: Timestamp(seconds: 4, nanoseconds: 5),
            superseded: Timestamp(seconds: 6, nanoseconds: 7), mode: 0o100644,
            content: content(.inline, version: 8, size: 9, origin: 0x21),
            stamp: Stamp(lamport: 10, device: identifier(0x41)),
            twins: [Stamp(lamport: 11, device: identifier(0x61))])
        let golden =
            "0102030405060708090a0b0c0d0e0f100200000000000000030000000000000004000000000000000500000006000000"
            + "0000000007000000a4810000010800000000000000090000000000000011110000000000002222000000000000333300"
            + "0000000000444400000000000055550000000000002122232425262728292a2b2c2d2e2f30"
            + "0a000000000000004142434445464748494a4b4c4d4e4f50"
            + "010b000000000000006162636465666768696a6b6c6d6e6f70"
        try check(record, golden)
    }

    @Test func operation() throws {
        let record = OperationRecord(
            lamport: 5,
            operations: [
                Operation(kind: .entry, subject: identifier(1), parent: identifier(0x21)),
                Operation(kind: .content, subject: identifier(0x41), version: 6),
            ])
        let golden =
            "05000000000000000200010102030405060708090a0b0c0d0e0f102122232425262728292a2b2c2d2e2f300000000000"
            + "000000044142434445464748494a4b4c4d4e4f50000000000000000000000000000000000600000000000000"
        try check(record, golden)
    }

    @Test func root() throws {
        var record = RootRecord(device: identifier(0x81), header: Array(0xA0..<0xC0))
        record.counter = 1
        record.sum = Array(0..<64)
        (record.rows, record.nextInode, record.lamport) = (2, 3, 4)
        (record.lastOperation, record.droppedOperations) = (5, 6)
        (record.segmented, record.heard, record.isReplicated, record.isIncomplete) = (7, 8, false, true)
        let golden =
            "0100000000000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
            + "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f020000000000000003000000000000000400000000000000"
            + "050000000000000006000000000000008182838485868788898a8b8c8d8e8f90a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
            + "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf0700000000000000080000000000000002"
        try check(record, golden)
    }

    @Test func traces() throws {
        try check(
            SyncRecord.trace(number: 5, author: identifier(0xA1), time: 12345, bytes: [1, 2, 3]),
            "0b0500000000000000a1a2a3a4a5a6a7a8a9aaabacadaeafb0393000000000000003000000010203")
        let (entry, lineage) = (identifier(1), identifier(0x21))
        let stamp = Stamp(lamport: 7, device: identifier(0x41))
        let earlier = Stamp(lamport: 6, device: identifier(0x81))
        let place = Trace.Place(parent: identifier(0x61), stamp: earlier, name: Array("gmail".utf8))
        let time = Timestamp(seconds: 3, nanoseconds: 4)
        let attributes = AttributesChange(
            lineage: lineage, stamp: earlier, mode: 0o100600, owner: 1000, group: 1001, ownedByMounter: false,
            groupOfMounter: true, accessed: time, modified: time, changed: time)
        let section = TraceSection(
            author: identifier(0xA1), sequence: 9, time: 12345,
            traces: [
                .made(entry: entry, stamp: stamp), .moved(entry: entry, stamp: stamp, from: place),
                .removed(entry: entry, lineage: lineage, stamp: stamp, from: place),
                .attributes(lineage: lineage, stamp: stamp, before: Trace.Attributes(attributes)),
                .content(lineage: lineage, stamp: stamp, before: earlier, wasEmpty: true),
                .beside(lineage: lineage, stamp: stamp),
            ])
        let golden =
            "0900000000000000393000000000000006000000010102030405060708090a0b0c0d0e0f100700000000000000414243"
            + "4445464748494a4b4c4d4e4f50020102030405060708090a0b0c0d0e0f1007000000000000004142434445464748494a"
            + "4b4c4d4e4f506162636465666768696a6b6c6d6e6f7006000000000000008182838485868788898a8b8c8d8e8f900567"
            + "6d61696c030102030405060708090a0b0c0d0e0f1007000000000000004142434445464748494a4b4c4d4e4f50212223"
            + "2425262728292a2b2c2d2e2f306162636465666768696a6b6c6d6e6f7006000000000000008182838485868788898a8b"
            + "8c8d8e8f9005676d61696c042122232425262728292a2b2c2d2e2f3007000000000000004142434445464748494a4b4c"
            + "4d4e4f5006000000000000008182838485868788898a8b8c8d8e8f9080810000e8030000e90300000203000000000000"
            + "0004000000052122232425262728292a2b2c2d2e2f3007000000000000004142434445464748494a4b4c4d4e4f500600"
            + "0000000000008182838485868788898a8b8c8d8e8f9001062122232425262728292a2b2c2d2e2f300700000000000000"
            + "4142434445464748494a4b4c4d4e4f50"
        var sink = ArraySink()
        section.encode(into: &sink)
        #expect(sink.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == golden)
        let twice = sink.bytes + sink.bytes
        #expect(try TraceSection.decode(twice.raw, author: identifier(0xA1)) == [section, section])
        // Whatever is cut off, or of no kind, is refused.
        for count in 1..<sink.bytes.count {
            let part = Array(sink.bytes.prefix(count))
            #expect(throws: FormatError.self) { try TraceSection.decode(part.raw, author: identifier(0xA1)) }
        }
    }

    @Test func sync() throws {
        try check(SyncRecord.state([1, 2, 3]), "0103000000010203")
        try check(SyncRecord.waiting(chunk: 5), "030500000000000000")
        try check(SyncRecord.shared(chunk: 5, count: 6), "04050000000000000006000000")
        try check(
            SyncRecord.rivals(lineage: identifier(1), stamps: [Stamp(lamport: 7, device: identifier(0x21))]),
            "050102030405060708090a0b0c0d0e0f10010700000000000000" + "2122232425262728292a2b2c2d2e2f30")
        try check(SyncRecord.notice(number: 5, kind: 4, bytes: [1, 2]), "06050000000000000004020000000102")
        try check(SyncRecord.settings([1, 2, 3]), "0703000000010203")
        try check(SyncRecord.setAside(number: 5, bytes: [1, 2, 3]), "0a050000000000000003000000010203")
        try check(
            SyncRecord.pinned(sequence: 5, chunks: [6, 7]),
            "0805000000000000000200000006000000000000000700000000000000")
        let placement = EntryChange(
            entry: identifier(1), parent: identifier(0x21), lineage: identifier(0x41),
            stamp: Stamp(lamport: 7, device: identifier(0x61)), name: Array("gmail".utf8))
        let removal = RemovalChange(
            entry: identifier(1), stamp: Stamp(lamport: 8, device: identifier(0x81)),
            saw: [Stamp(lamport: 9, device: identifier(0xA1))])
        let golden =
            "020102030405060708090a0b0c0d0e0f102122232425262728292a2b2c2d2e2f304142434445464748494a4b4c4d4e4f50"
            + "07000000000000006162636465666768696a6b6c6d6e6f7005676d61696c0001"
            + "08000000000000008182838485868788898a8b8c8d8e8f90010900000000000000a1a2a3a4a5a6a7a8a9aaabacadaeafb0"
        try check(
            SyncRecord.register(EntryRegister(placement: placement, removals: [removal], isShown: false)), golden)
    }

    /// Numbers that stand in files; a change of one makes every vault unreadable.
    @Test func numbers() {
        #expect(Limits.formatVersion == 1)
        #expect(Table.allCases.map(\.rawValue) == [1, 2, 3, 4, 5, 6, 7])
        #expect(
            [SealedType.entry, .file, .chunk, .version, .operation, .inlineContent, .chunkList, .root, .device, .sync]
                .map(\.rawValue) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        #expect([ContentKind.none, .inline, .chunks].map(\.rawValue) == [0, 1, 2])
        #expect((Limits.inlineContent, Limits.chunkSize, Limits.recordFloor) == (1024, 65536, 256))
    }
}
