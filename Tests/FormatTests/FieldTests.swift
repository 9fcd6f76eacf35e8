import Format
import Testing

/// Values that have the right length and are wrong all the same.
@Suite struct FieldTests {
    private var entry: EntryRecord {
        var generator = Randomness(seed: 1)
        return .random(using: &generator)
    }

    private var file: FileRecord {
        var generator = Randomness(seed: 2)
        return .random(using: &generator)
    }

    @Test(arguments: [UInt8(0), 0x2F]) func nameWithSeparator(byte: UInt8) {
        var record = entry
        record.name = Array("ab".utf8) + [byte] + Array("cd".utf8)
        #expect(throws: FormatError.invalid(field: "name")) { try EntryRecord(decoding: record.encoded) }
    }

    @Test func emptyName() {
        var record = entry
        record.name = []
        #expect(throws: FormatError.invalid(field: "name")) { try EntryRecord(decoding: record.encoded) }
        #expect(throws: FormatError.invalid(field: "name")) {
            _ = try EntryRecord.Fields(record.encoded.raw)
        }
    }

    @Test func longestName() throws {
        var record = entry
        record.name = [UInt8](repeating: 0xFF, count: Limits.nameLength)
        #expect(try EntryRecord(decoding: record.encoded) == record)
    }

    /// Unlocking reads the fields in place: they are those of the whole record.
    @Test func fieldsAreThoseOfTheRecord() throws {
        var generator = Randomness(seed: 3)
        for _ in 0..<10 {
            let record = EntryRecord.random(using: &generator)
            let bytes = record.encoded
            let fields = try EntryRecord.Fields(bytes.raw)
            #expect(fields.identifier == record.identifier && fields.parent == record.parent)
            #expect(fields.file == record.file && fields.stamp == record.stamp)
            #expect(fields.removed == record.removed && fields.isLocal == record.isLocal)
            #expect(Array(bytes[fields.nameOffset..<(fields.nameOffset + fields.nameLength)]) == record.name)
            for length in 0..<fields.nameOffset + fields.nameLength {
                let part = Array(bytes[..<length])
                #expect(throws: FormatError.truncated) { _ = try EntryRecord.Fields(part.raw) }
            }
        }
    }

    @Test func nanosecondsAboveASecond() {
        var record = file
        record.changed.nanoseconds = 1_000_000_000
        #expect(throws: FormatError.invalid(field: "nanoseconds")) { try FileRecord(decoding: record.encoded) }
    }

    @Test func sizeAboveTheLimit() throws {
        var record = file
        record.content.size = Limits.fileSize
        #expect(try FileRecord(decoding: record.encoded) == record)
        record.content.size += 1
        #expect(throws: FormatError.overLimit(field: "size")) { try FileRecord(decoding: record.encoded) }
    }

    @Test func unknownContentKind() {
        var bytes = file.encoded
        // identifier 16, inode 8, mode 4, owner 4, group 4, flags 1, device 4, times 36, stamp 24
        bytes[101] = 3
        #expect(throws: FormatError.invalid(field: "content kind")) { try FileRecord(decoding: bytes) }
    }

    @Test(arguments: [UInt8(0), 6, 255]) func unknownOperation(kind: UInt8) {
        let record = OperationRecord(lamport: 1, operations: [Operation(kind: .entry, subject: .none)])
        var bytes = record.encoded
        bytes[10] = kind
        #expect(throws: FormatError.invalid(field: "operation")) { try OperationRecord(decoding: bytes) }
    }

    /// Attack 35: a settlement of a placement that is still to come would win over all that anybody does.
    @Test func settlementOfALaterPlacement() {
        let stamp = Stamp(lamport: 5, device: Identifier(low: 1, high: 1))
        let placement = EntryChange(
            entry: Identifier(low: 2, high: 2), parent: .none, lineage: Identifier(low: 3, high: 3), stamp: stamp,
            name: Array("a".utf8))
        for lamport in [5, 6, UInt64.max] {
            var register = EntryRegister(placement: placement)
            register.settles = Stamp(lamport: lamport, device: stamp.device)
            let bytes = SyncRecord.register(register).encoded
            #expect(throws: FormatError.invalid(field: "settlement")) { try SyncRecord(decoding: bytes) }
        }
    }

    @Test func attributesAboveTheLimit() throws {
        var record = file
        record.attributes = [
            ExtendedAttribute(
                name: Array("user.a".utf8), value: .init(repeating: 7, count: Limits.extendedAttributes - 6))
        ]
        #expect(try FileRecord(decoding: record.encoded) == record)
        record.attributes[0].value.append(7)
        #expect(throws: FormatError.overLimit(field: "extended attributes")) {
            try FileRecord(decoding: record.encoded)
        }
    }

    /// Attack 30: a count that promises more than is there is refused before anything is set aside for it.
    @Test func attributeBomb() {
        var record = file
        (record.attributes, record.saved) = ([], nil)
        var bytes = record.encoded
        bytes.removeLast(2)
        bytes += [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(throws: FormatError.overLimit(field: "extended attributes")) { try FileRecord(decoding: bytes) }
    }

    @Test func identifierInHexadecimal() {
        #expect(
            Identifier(low: 0x0807_0605_0403_0201, high: 0x100F_0E0D_0C0B_0A09).hexadecimal
                == "0102030405060708090a0b0c0d0e0f10")
        #expect(Identifier.none.hexadecimal == String(repeating: "0", count: 32))
    }

    @Test func identifiersAreRandom() {
        #expect(Set((0..<1000).map { _ in Identifier.random() }).count == 1000)
    }

    @Test func cursorStaysInside() throws {
        let bytes: [UInt8] = [1, 2, 3]
        var cursor = Cursor()
        #expect(try cursor.integer(bytes.raw, as: UInt16.self) == 0x0201)
        #expect(throws: FormatError.truncated) { _ = try cursor.integer(bytes.raw, as: UInt16.self) }
        #expect(throws: FormatError.truncated) { _ = try cursor.array(bytes.raw, count: 2) }
        #expect(throws: FormatError.truncated) { _ = try cursor.range(bytes.raw, count: -1) }
        #expect(try cursor.array(bytes.raw, count: 1) == [3])
        #expect(cursor.offset == 3)
    }
}
