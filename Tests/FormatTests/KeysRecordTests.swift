import Testing

@testable import Format

/// The row of account keys: opaque here, and bounded.
@Suite struct KeysRecordTests {
    private func decoded(_ bytes: [UInt8]) throws(FormatError) -> SyncRecord {
        try unsafe SyncRecord(decoding: bytes.span.bytes)
    }

    @Test func golden() throws {
        #expect(try decoded([9, 3, 0, 0, 0, 1, 2, 3, 0, 0]) == .keys([1, 2, 3]))
    }

    /// Attack 30.
    @Test func attack30_lengthIsBounded() {
        #expect(throws: FormatError.overLimit(field: "bytes")) { _ = try decoded([9, 1, 0, 2, 0]) }
        #expect(throws: FormatError.self) { _ = try decoded([9, 9, 0, 0, 0, 1]) }
    }
}
