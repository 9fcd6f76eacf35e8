import Format
import Testing

/// Records of the reserve: what is written is read, and what is no record is refused before anything is made of it.
@Suite struct ReserveRecordTests {
    private let base = ContentReference(
        kind: .chunks, version: 7, size: 200_000, seal: SealBytes(words: (1, 2, 3, 4, 5)),
        origin: Identifier(low: 8, high: 9))

    private func encoded(_ content: ReservedContent, _ chunks: [(UInt32, [UInt8])]) -> [UInt8] {
        var sink = ArraySink()
        content.encode(chunkCount: chunks.count, into: &sink)
        for (index, bytes) in chunks {
            sink.append(index)
            sink.append(UInt32(bytes.count))
            sink.append(bytes: bytes)
        }
        return sink.bytes
    }

    private func content(size: UInt64 = 150_000, kept: UInt64 = 140_000) -> ReservedContent {
        ReservedContent(
            path: Array("mail/gmail".utf8), file: Identifier(low: 1, high: 2), base: base, kept: kept, size: size,
            modified: Timestamp(seconds: 1_700_000_000, nanoseconds: 5))
    }

    private func decode(_ bytes: [UInt8]) throws(FormatError) -> ReserveRecord {
        try ReserveRecord(decoding: bytes.raw)
    }

    @Test func contentsAreRead() throws {
        let bytes = encoded(content(), [(0, [1, 2, 3]), (2, [])])
        guard case .content(let read) = try decode(bytes + [0, 0, 0]) else { return #expect(Bool(false)) }
        #expect(read.path == Array("mail/gmail".utf8) && read.file == Identifier(low: 1, high: 2))
        #expect(read.base == base && read.kept == 140_000 && read.size == 150_000)
        #expect(read.modified == Timestamp(seconds: 1_700_000_000, nanoseconds: 5))
        #expect(read.chunks.map(\.index) == [0, 2])
        #expect(read.chunks.map { Array(bytes[$0.range]) } == [[1, 2, 3], []])
    }

    @Test func namesAreRead() throws {
        var sink = ArraySink()
        ReserveRecord.encodeLost(count: 300, paths: [[1], [2, 3]], into: &sink)
        guard case .lost(let count, let paths) = try decode(sink.bytes) else { return #expect(Bool(false)) }
        #expect(count == 300 && paths == [[1], [2, 3]])
    }

    @Test func truncationsAreRefused() {
        var names = ArraySink()
        ReserveRecord.encodeLost(count: 2, paths: [[1], [2, 3]], into: &names)
        for bytes in [encoded(content(), [(0, [1, 2, 3]), (2, [4])]), names.bytes] {
            for length in bytes.indices {
                #expect(throws: FormatError.self, "\(length) of \(bytes.count)") { try decode(Array(bytes[..<length])) }
            }
        }
    }

    /// Counts, places and sizes that no content has.
    @Test func boundsHold() {
        let wrong = [
            encoded(content(size: 1 << 41), []), encoded(content(kept: 150_001), []),
            encoded(content(size: 250_000, kept: 200_001), []), encoded(content(), [(3, [1])]),
            encoded(content(), [(1, [1]), (1, [1])]), encoded(content(), [(0, [UInt8](repeating: 1, count: 65537))]),
            [9], [],
        ]
        for (place, bytes) in wrong.enumerated() {
            #expect(throws: FormatError.self, "\(place)") { try decode(bytes) }
        }
        var many = ArraySink()
        content().encode(chunkCount: 1 << 30, into: &many)
        #expect(throws: FormatError.overLimit(field: "chunks")) { try decode(many.bytes) }
    }
}
