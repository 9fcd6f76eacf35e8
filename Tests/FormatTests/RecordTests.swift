import Format
import Testing

/// Every record of the format: what is written is read, and what is no record is refused.
@Suite struct RecordTests {
    static let records: [any StoredRecord.Type] = [
        EntryRecord.self, FileRecord.self, VersionRecord.self, OperationRecord.self, RootRecord.self,
        SyncRecord.self, SnapshotManifest.self, SnapshotPart.self, SegmentRecord.self, ReceiptRecord.self,
        SettlementsRecord.self,
    ]
    static let places = Array(records.indices)

    @Test(arguments: places) func roundTrip(_ place: Int) throws {
        func check<R: StoredRecord>(_ type: R.Type) throws {
            var generator = Randomness(seed: UInt64(place))
            for _ in 0..<200 {
                let record = R.random(using: &generator)
                #expect(try R(decoding: record.encoded) == record)
            }
        }
        try check(Self.records[place])
    }

    /// Records of different values are different bytes: no field is forgotten on both sides.
    @Test(arguments: places) func everyByteCounts(_ place: Int) throws {
        func check<R: StoredRecord>(_ type: R.Type) {
            var generator = Randomness(seed: 100 + UInt64(place))
            let record = R.random(using: &generator)
            let bytes = record.encoded
            for offset in bytes.indices {
                var changed = bytes
                changed[offset] ^= 0x01
                // Refused, or read as something else; bits that mean nothing are only in the two flag bytes.
                if let other = try? R(decoding: changed) {
                    #expect(other != record, "\(R.self): byte \(offset) says nothing")
                }
            }
        }
        check(Self.records[place])
    }

    @Test(arguments: places) func everyTruncationIsRefused(_ place: Int) {
        func check<R: StoredRecord>(_ type: R.Type) {
            var generator = Randomness(seed: 200 + UInt64(place))
            for _ in 0..<2 {
                let bytes = R.random(using: &generator).encoded
                for length in bytes.indices {
                    #expect(throws: FormatError.truncated, "\(R.self), \(length) of \(bytes.count) bytes") {
                        try R(decoding: Array(bytes[..<length]))
                    }
                }
            }
        }
        check(Self.records[place])
    }

    @Test(arguments: places) func paddingIsZeroes(_ place: Int) throws {
        func check<R: StoredRecord>(_ type: R.Type) throws {
            var generator = Randomness(seed: 300 + UInt64(place))
            let record = R.random(using: &generator)
            let padded = record.encoded + [UInt8](repeating: 0, count: 300)
            #expect(try R(decoding: padded) == record)
            for offset in record.encoded.count..<padded.count {
                var changed = padded
                changed[offset] = 1
                #expect(throws: FormatError.invalid(field: "padding")) { try R(decoding: changed) }
            }
        }
        try check(Self.records[place])
    }

    /// Attack 30: nothing that is read makes the parser crash or allocate what the bytes do not hold.
    @Test(arguments: places) func randomBytesNeverCrash(_ place: Int) {
        func check<R: StoredRecord>(_ type: R.Type) {
            var generator = Randomness(seed: 400 + UInt64(place))
            for _ in 0..<3_000 {
                let bytes = generator.bytes(.random(in: 0...400, using: &generator))
                if let record = try? R(decoding: bytes) { #expect((try? R(decoding: record.encoded)) == record) }
            }
        }
        check(Self.records[place])
    }

    /// Valid records with a few changed bytes come deeper into the parser than noise does.
    @Test(arguments: places) func damagedRecordsNeverCrash(_ place: Int) {
        func check<R: StoredRecord>(_ type: R.Type) {
            var generator = Randomness(seed: 500 + UInt64(place))
            for _ in 0..<3_000 {
                var bytes = R.random(using: &generator).encoded
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: bytes.indices, using: &generator)] = generator.any()
                }
                if let record = try? R(decoding: bytes) { #expect((try? R(decoding: record.encoded)) == record) }
            }
        }
        check(Self.records[place])
    }

    @Test func emptyBytesAreNoRecord() {
        for type in Self.records { #expect(throws: FormatError.truncated) { _ = try type.init(decoding: []) } }
    }
}
