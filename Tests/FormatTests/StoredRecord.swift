import Format

/// What all records of the format have in common, so that one test serves each.
protocol StoredRecord: Equatable, SendableMetatype {
    func encode(into sink: inout some ByteSink & ~Copyable)
    init(decoding bytes: RawSpan) throws(FormatError)
    static func random(using generator: inout Randomness) -> Self
}

extension StoredRecord {
    var encoded: [UInt8] {
        var sink = ArraySink()
        encode(into: &sink)
        return sink.bytes
    }

    init(decoding bytes: [UInt8]) throws(FormatError) {
        try self.init(decoding: bytes.raw)
    }
}

extension [UInt8] {
    /// The bytes as the parsers take them.
    var raw: RawSpan {
        @_lifetime(borrow self)
        get { unsafe span.bytes }
    }
}

/// Records in an ordinary array.
struct ArraySink: ByteSink {
    var bytes: [UInt8] = []

    mutating func append<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: 0, to: T.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }

    mutating func append(_ span: RawSpan) {
        for index in 0..<span.byteCount { bytes.append(unsafe span.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
    }

    mutating func append(bytes: [UInt8]) { self.bytes += bytes }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers in every run.
struct Randomness: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func any<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type = T.self) -> T {
        T(truncatingIfNeeded: next())
    }

    mutating func signed() -> Int64 { Int64(bitPattern: next()) }

    mutating func identifier() -> Identifier { Identifier(using: &self) }

    mutating func stamp() -> Stamp { Stamp(lamport: next(), device: identifier()) }

    mutating func stamps() -> [Stamp] { (0..<Int.random(in: 0...3, using: &self)).map { _ in stamp() } }

    mutating func time() -> Timestamp {
        Timestamp(seconds: signed(), nanoseconds: .random(in: 0...999_999_999, using: &self))
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in any() } }

    mutating func content() -> ContentReference {
        ContentReference(
            kind: [.none, .inline, .chunks][Int.random(in: 0...2, using: &self)], version: next(),
            size: .random(in: 0...Limits.fileSize, using: &self),
            seal: SealBytes(words: (next(), next(), next(), next(), next())), origin: identifier())
    }
}

extension EntryRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> EntryRecord {
        let length = Int.random(in: 1...255, using: &generator)
        let name = generator.bytes(length).map { $0 == 0 || $0 == 0x2F ? UInt8(0x61) : $0 }
        var record = EntryRecord(
            identifier: generator.identifier(), parent: generator.identifier(), file: generator.identifier(),
            stamp: generator.stamp(), made: generator.next(), removed: generator.signed(),
            isLocal: .random(using: &generator), name: name)
        if Bool.random(using: &generator) {
            record.settlement = EntryRecord.Settlement(stamp: generator.stamp(), replaced: generator.stamp())
        }
        return record
    }
}

extension FileRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> FileRecord {
        var record = FileRecord(
            identifier: generator.identifier(), inode: generator.next(), mode: generator.any(),
            stamp: generator.stamp(), time: generator.time())
        (record.owner, record.group, record.device) = (generator.any(), generator.any(), generator.any())
        record.ownedByMounter = .random(using: &generator)
        record.groupOfMounter = .random(using: &generator)
        record.hasHoles = .random(using: &generator)
        (record.modified, record.changed) = (generator.time(), generator.time())
        record.content = generator.content()
        (record.history, record.predecessor) = (generator.signed(), generator.signed())
        (record.versions, record.oldestVersion) = (generator.any(), generator.signed())
        (record.successor, record.detached) = (generator.identifier(), generator.signed())
        record.lineage = generator.identifier()
        record.heads = generator.stamps()
        record.replaced = generator.stamps()
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let name = generator.bytes(.random(in: 0...255, using: &generator))
            let value = generator.bytes(.random(in: 0...600, using: &generator))
            record.attributes.append(ExtendedAttribute(name: name, value: value))
        }
        if Bool.random(using: &generator) { record.saved = generator.time() }
        return record
    }
}

extension VersionRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> VersionRecord {
        VersionRecord(
            file: generator.identifier(), previous: generator.signed(), predecessor: generator.signed(),
            modified: generator.time(), superseded: generator.time(), mode: generator.any(),
            content: generator.content(), stamp: generator.stamp(), twins: generator.stamps())
    }
}

extension OperationRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> OperationRecord {
        let kinds: [Operation.Kind] = [.entry, .removal, .attributes, .content, .whole]
        let operations = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
            Operation(
                kind: kinds[Int.random(in: 0...4, using: &generator)], subject: generator.identifier(),
                parent: generator.identifier(), version: generator.next())
        }
        return OperationRecord(lamport: generator.next(), operations: operations)
    }
}

extension RootRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> RootRecord {
        var record = RootRecord(device: generator.identifier(), header: generator.bytes(32))
        (record.counter, record.rows, record.nextInode) = (generator.next(), generator.next(), generator.next())
        record.sum = generator.bytes(64)
        (record.lamport, record.lastOperation) = (generator.next(), generator.signed())
        record.droppedOperations = generator.signed()
        (record.segmented, record.heard) = (generator.next(), generator.next())
        (record.isReplicated, record.isIncomplete) = (.random(using: &generator), .random(using: &generator))
        return record
    }
}

extension SyncRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> SyncRecord {
        switch Int.random(in: 0...7, using: &generator) {
        case 0: return .state(generator.bytes(.random(in: 0...600, using: &generator)))
        case 1: return .waiting(chunk: generator.signed())
        case 2: return .shared(chunk: generator.signed(), count: generator.any())
        case 3:
            return .rivals(
                lineage: Identifier(low: generator.next(), high: generator.next()), stamps: generator.stamps())
        case 4:
            return .notice(
                number: generator.next(), kind: generator.any(),
                bytes: generator.bytes(.random(in: 0...600, using: &generator)))
        case 5: return .settings(generator.bytes(.random(in: 0...600, using: &generator)))
        case 6:
            return .pinned(
                sequence: generator.next(),
                chunks: (0..<Int.random(in: 0...40, using: &generator)).map { _ in generator.signed() })
        default:
            let entry = EntryRecord.random(using: &generator)
            let placement = EntryChange(
                entry: entry.identifier, parent: entry.parent, lineage: entry.file, stamp: entry.stamp, name: entry.name
            )
            let removals = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                RemovalChange(entry: entry.identifier, stamp: generator.stamp(), saw: generator.stamps())
            }
            var register = EntryRegister(
                placement: placement, removals: removals, isShown: .random(using: &generator))
            if Bool.random(using: &generator) { register.settles = entry.stamp.earlier }
            return .register(register)
        }
    }
}

extension SettlementsRecord: StoredRecord {
    static func random(using generator: inout Randomness) -> SettlementsRecord {
        var record = SettlementsRecord()
        for _ in 0..<Int.random(in: 0...9, using: &generator) {
            var stamps = [generator.stamp(), generator.stamp()].sorted()
            stamps[1].lamport |= 1 << 63
            stamps[0].lamport &= 1 << 63 - 1
            record.settlements[generator.identifier()] = EntryRecord.Settlement(stamp: stamps[1], replaced: stamps[0])
        }
        return record
    }
}

extension Stamp {
    /// One that is before this one.
    var earlier: Stamp { Stamp(lamport: lamport / 2, device: device) }
}
