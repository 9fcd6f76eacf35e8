public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// What stood where a running transaction changes something on behalf of another device.
struct Tracing {
    /// The content of a lineage, and what competed with it.
    struct Content {
        var heads: [Stamp]
        var rivals: [Stamp]
        var isEmpty: Bool
    }

    var author: Identifier
    var sequence: UInt64
    /// By the entry; nil where there was nothing.
    private(set) var entries: [Identifier: EntryRegister?] = [:]
    /// By the lineage.
    private(set) var contents: [Identifier: Content] = [:]
    /// By the lineage.
    private(set) var attributes: [Identifier: AttributesChange] = [:]

    init(author: Identifier, sequence: UInt64) { (self.author, self.sequence) = (author, sequence) }

    func has(_ entry: Identifier) -> Bool { entries.keys.contains(entry) }

    /// The first state of each counts: what follows is of the same segment.
    mutating func note(_ entry: Identifier, _ register: EntryRegister?) { entries.updateValue(register, forKey: entry) }

    mutating func note(_ record: FileRecord, rivals: [Stamp]) {
        guard contents[record.lineage] == nil else { return }
        contents[record.lineage] = Content(heads: record.heads, rivals: rivals, isEmpty: record.content.size == 0)
    }

    mutating func note(_ before: AttributesChange) {
        if attributes[before.lineage] == nil { attributes[before.lineage] = before }
    }
}

/// What other devices have done here: kept for a time, so that it can be told and undone.
extension ReplicationTransaction {
    /// What follows in this transaction is what a segment says. Without a call nothing is noted: who joins takes what there
    /// is for given.
    public func attribute(to author: Identifier, segment: UInt64) {
        tracing = Tracing(author: author, sequence: segment)
    }

    /// From here on it is known what others do.
    public func beginTraces() throws(Errno) {
        guard committer.sync.traces[0] == nil else { return }
        try committer.setTraces(begin: Timestamp.now().seconds)
    }

    /// Since when it is known what others do, in seconds since 1970; nil before ``beginTraces()``.
    public var tracesBegin: Int64? { committer.sync.traces[0]?.time }

    /// The numbers of the rows, in the order in which they came.
    public var traceRows: [UInt64] { committer.sync.traces.values.keys.filter { $0 > 0 }.sorted() }

    /// The author of a row; nil where it is gone.
    public func traceAuthor(_ number: UInt64) -> Identifier? { committer.sync.traces[number]?.author }

    /// What is in a row; nothing where it is gone.
    public func traces(_ number: UInt64) throws(Errno) -> [TraceSection] {
        guard let place = committer.sync.traces[number] else { return [] }
        guard case .trace(_, let author, _, let bytes) = try committer.loadSync(place.slot).0 else { throw .ioError }
        do throws(FormatError) { return try unsafe TraceSection.decode(bytes.span.bytes, author: author) } catch {
            throw .ioError
        }
    }

    // MARK: What is brought back

    /// A version that another one took the place of.
    public struct Earlier: Sendable {
        /// As it was; without a stamp of its own.
        public var content: ContentChange
        public var mode: UInt32
        public var modified: Timestamp
    }

    /// The latest earlier version of a lineage for which that holds; nil where this device has none.
    ///
    /// - Parameter isWanted: is given its stamp.
    /// - Throws: EFBIG for what is too large to be shared.
    public func earlier(
        of lineage: Identifier, where isWanted: (Stamp) -> Bool
    ) throws(Errno) -> Earlier? {
        guard let file = try file(of: lineage) else { return nil }
        let record = try committer.loadFile(file.slot).0
        for item in try VersionChain(of: record, committer).items where isWanted(item.record.stamp) {
            return Earlier(
                content: try content(of: item, lineage), mode: item.record.mode, modified: item.record.modified)
        }
        return nil
    }

    private func content(of item: VersionChainItem, _ lineage: Identifier) throws(Errno) -> ContentChange {
        let reference = item.record.content
        var change = ContentChange(
            lineage: lineage, stamp: item.record.stamp, replaces: [], modified: item.record.modified,
            reference: reference)
        guard reference.kind != .none else { return change }
        change.column = unsafe try committer.contentColumn(.version, item.slot) { unsafe [UInt8]($0) }
        let list = try vault.chunkListInTransaction(.version, item.slot, reference, committer).filter { $0 != 0 }
        guard change.column.count <= Limits.sharedColumn, list.count <= Limits.sharedChunks else {
            throw .fileTooLarge
        }
        change.chunks = try references(to: list)
        return change
    }

    /// An entry that waits in the trash, where its register is forgotten.
    public func trashed(_ entry: Identifier) throws(Errno) -> EntryChange? {
        guard let item = vault.trash.withLock({ $0.item(entry: entry) }),
            try committer.has(.entry, slot: item.entrySlot)
        else { return nil }
        let record = try committer.loadEntry(item.entrySlot).0
        return EntryChange(
            entry: entry, parent: record.parent, lineage: item.lineage, stamp: record.stamp, name: record.name)
    }

    // MARK: Noting

    func noteBefore(entry: Identifier) throws(Errno) {
        guard tracing?.has(entry) == false else { return }
        tracing?.note(entry, try self.entry(entry))
    }

    func noteBefore(content record: FileRecord) {
        tracing?.note(record, rivals: committer.sync.rivals[record.lineage]?.stamps ?? [])
    }

    /// At the end of the transaction.
    func writeTraces() throws(Errno) {
        guard let tracing else { return }
        self.tracing = nil
        var traces: [Trace] = []
        for (entry, before) in tracing.entries {
            if let trace = try trace(of: entry, before) { traces.append(trace) }
        }
        for (lineage, before) in tracing.contents { traces += try self.traces(of: lineage, before) }
        for (lineage, before) in tracing.attributes {
            guard let file = try file(of: lineage) else { continue }
            let stamp = try committer.loadFile(file.slot).0.stamp
            if stamp != before.stamp, before.stamp.device != Identifier.none {
                traces.append(.attributes(lineage: lineage, stamp: stamp, before: Trace.Attributes(before)))
            }
        }
        traces.sort { $0.stamp.lamport < $1.stamp.lamport }
        try committer.add(traces, of: tracing.author, tracing.sequence)
    }

    private func trace(of entry: Identifier, _ before: EntryRegister?) throws(Errno) -> Trace? {
        let after = try self.entry(entry)
        let (old, new) = (before?.placement, after?.placement)
        let (wasShown, isShown) = (before?.isShown ?? false, after?.isShown ?? false)
        if let new, !wasShown, isShown {
            // Copies follow from versions; those are noted.
            return new.stamp.device == Identifier.none ? nil : .made(entry: entry, stamp: new.stamp)
        }
        guard let old, wasShown else { return nil }
        let place = Trace.Place(parent: old.parent, stamp: old.stamp, name: old.name)
        guard isShown, let new else {
            // A copy that was withdrawn has no removal.
            let known = Set(before?.removals.map(\.stamp) ?? [])
            guard let removal = after?.removals.filter({ !known.contains($0.stamp) }).max(by: { $0.stamp < $1.stamp })
            else { return nil }
            return .removed(entry: entry, lineage: old.lineage, stamp: removal.stamp, from: place)
        }
        guard (old.parent, old.name) != (new.parent, new.name), new.stamp.device != Identifier.none else { return nil }
        return .moved(entry: entry, stamp: new.stamp, from: place)
    }

    private func traces(of lineage: Identifier, _ before: Tracing.Content) throws(Errno) -> [Trace] {
        guard let file = try file(of: lineage) else { return [] }
        let record = try committer.loadFile(file.slot).0
        // Copies follow from versions.
        guard !record.isCopy else { return [] }
        let heads = record.heads
        let known = Set(before.heads + before.rivals)
        var traces: [Trace] = []
        if let head = heads.first, !known.contains(head) {
            traces.append(
                .content(
                    lineage: lineage, stamp: head, before: before.heads.first ?? .zero, wasEmpty: before.isEmpty))
        }
        let rivals = committer.sync.rivals[lineage]?.stamps ?? []
        return traces + rivals.filter { !known.contains($0) }.map { .beside(lineage: lineage, stamp: $0) }
    }
}

extension Committer {
    /// Keeps what a segment has changed: behind what the device had changed before, where that row is short.
    func add(_ traces: [Trace], of author: Identifier, _ sequence: UInt64) throws(Errno) {
        guard !traces.isEmpty else { return }
        let now = Timestamp.now().seconds
        var rest = traces[...]
        while !rest.isEmpty {
            var (bytes, number) = ([UInt8](), (sync.traces.values.keys.max() ?? 0) &+ 1)
            if let last = sync.traces[number &- 1], number > 1, last.author == author, last.size < Limits.traceRowShort,
                case .trace(_, _, _, let known) = try loadSync(last.slot).0
            {
                (bytes, number) = (known, number &- 1)
            }
            // A trace has 370 bytes at the most, and about 80.
            let part = rest.prefix(Limits.traceRow / 370)
            rest = rest.dropFirst(part.count)
            var sink = PlainBuffer(capacity: 4096)
            TraceSection(author: author, sequence: sequence, time: now, traces: Array(part)).encode(into: &sink)
            bytes += sink.withBytes { $0.array }
            try putTraces(number, author, now, bytes)
        }
        try trimTraces(now: now)
    }

    func setTraces(begin: Int64) throws(Errno) { try putTraces(0, .none, begin, []) }

    private func putTraces(_ number: UInt64, _ author: Identifier, _ time: Int64, _ bytes: [UInt8]) throws(Errno) {
        let known = sync.traces[number]
        let slot = known?.slot ?? freshSlot()
        let previous = known == nil ? nil : try seal(of: .sync, slot: slot)
        try putSync(.trace(number: number, author: author, time: time, bytes: bytes), slot: slot, previous: previous)
        sync.traces[number] = SyncIndex.Traces(slot: slot, author: author, time: time, size: bytes.count)
    }

    /// Drops what is too old; where all rows together are too large, the oldest of the device with most of them: whoever
    /// writes without an end pushes out nothing of others.
    private func trimTraces(now: Int64) throws(Errno) {
        let rows = sync.traces.values.filter { $0.key > 0 }
        var doomed = rows.filter { $0.value.time < now - Limits.traceAge }.map(\.key)
        var sizes: [Identifier: Int] = [:]
        for row in rows.values { sizes[row.author, default: 0] += row.size }
        var excess = sizes.values.reduce(0, +) - Limits.traces
        if excess > 0, let most = sizes.max(by: { ($0.value, $0.key) < ($1.value, $1.key) })?.key {
            for (number, row) in rows.sorted(by: { $0.key < $1.key }) where row.author == most && excess > 0 {
                doomed.append(number)
                excess -= row.size
            }
        }
        var begin = sync.traces[0]?.time ?? now
        for number in Set(doomed) {
            guard let row = sync.traces[number] else { continue }
            begin = max(begin, row.time)
            try deleteSync(row.slot)
            sync.traces[number] = nil
        }
        if !doomed.isEmpty { try setTraces(begin: begin) }
    }
}
