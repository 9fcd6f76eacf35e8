internal import Format

/// How much of what is at the remote is of use: what it takes to tell when a snapshot is worth its bytes, without looking
/// at the whole vault each time.
struct Volume: Equatable, Sendable {
    /// The bytes of the last snapshot and of the large contents that it names; 0 before the first.
    var snapshot: UInt64 = 0
    /// The bytes that have come since: segments of all devices, and chunks; and what removals have made useless.
    var tail: UInt64 = 0
    /// The segments with changes that have come since.
    var segments: UInt64 = 0
    /// The bytes of the live data when they were last counted…
    var live: UInt64 = 0
    /// …and the registers…
    var registers: UInt64 = 0
    /// …and what the tail was then.
    var countedTail: UInt64 = 0
    var countedSegments: UInt64 = 0

    mutating func add(_ bytes: Int) { tail &+= UInt64(truncatingIfNeeded: max(0, bytes)) }

    /// Notes what the registers would take in a snapshot.
    ///
    /// - Parameter registers: nil where they were not counted; then they are taken to be of half a KiB each.
    mutating func noteLive(_ bytes: UInt64, registers: UInt64? = nil) {
        (live, self.registers, countedTail, countedSegments) = (bytes, registers ?? bytes / 512, tail, segments)
    }

    /// A snapshot covers everything up to here.
    mutating func restart(_ bytes: UInt64, registers: UInt64? = nil) {
        (snapshot, tail, segments) = (bytes, 0, 0)
        noteLive(bytes, registers: registers)
    }

    /// Whether so much has come since the last count that the registers are worth counting again: half of them anew in
    /// bytes, or one segment for each 64, so that each edit pays for a few.
    func isCountDue(floor: UInt64) -> Bool {
        guard segments >= 1, tail > countedTail else { return false }
        let bytes = tail - countedTail
        let news = segments - min(segments, countedSegments)
        return bytes > max(live / 2, floor * UInt64(Limits.segmentFloor)) || news > max(registers / 64, floor)
    }

    /// Whether a snapshot, as large as the registers, would make the remote so much smaller that it is worth writing: what
    /// is there is half as much again as what is live, and a few segments. Segments without changes do not count: an
    /// acknowledgement would be answered by a snapshot, and that by acknowledgements.
    func isSnapshotWorthIt(floor: UInt64) -> Bool {
        guard segments >= 1, segments >= floor || tail >= floor * UInt64(Limits.chunkSize) else { return false }
        let waste = (snapshot &+ tail) - min(snapshot &+ tail, live)
        return waste > max(live / 2, floor * UInt64(Limits.segmentFloor))
    }
}

extension SyncEngine {
    /// Counts a segment that was made or applied.
    nonisolated func count(
        _ record: SegmentRecord, _ replica: R.Transaction, in state: inout SyncState
    ) throws(SyncError) {
        var bytes = record.changes.reduce(0) { $0 + $1.encodedSize }
        bytes = max(bytes, Limits.segmentFloor) + 200
        for case .removal(let removal) in record.changes {
            // What was written for it, here or elsewhere, is of no use any more.
            bytes += 512
            if let lineage = try replica.entry(removal.entry)?.placement.lineage,
                let size = try replica.lineage(lineage)?.content.size
            {
                bytes += Int(clamping: min(size, Limits.fileSize))
            }
        }
        state.volume.add(bytes)
        if !record.changes.isEmpty { state.volume.segments += 1 }
    }
}
