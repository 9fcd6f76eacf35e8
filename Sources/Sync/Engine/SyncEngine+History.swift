public import Format

/// One thing that another device has changed here, for people.
public struct DeviceDeed: Equatable, Sendable {
    public enum Kind: String, Sendable {
        case made, moved, removed, attributes, content
        /// It stands beside what it did not know of.
        case beside
    }

    /// Where it stands in what is kept.
    public struct Place: Equatable, Sendable {
        public var row: UInt64
        public var index: Int

        public init(row: UInt64, index: Int) { (self.row, self.index) = (row, index) }
    }

    public var place: Place
    public var kind: Kind
    /// When this device learned of it, in seconds since 1970.
    public var time: Int64
    /// The number of the segment; 0 where it came with a snapshot.
    public var sequence: UInt64
    /// What it is called now, from the top of the vault; of what is removed what it was called. Empty where it is gone.
    public var path: [UInt8]
    /// Where it was before it was moved.
    public var from: [UInt8]?
}

extension SyncEngine {
    /// What a device has done here, the latest first, as far as this device has kept it.
    ///
    /// - Parameters:
    ///   - last: what was given last.
    ///   - most: so many at the most; fewer are all that there are.
    public func deeds(
        of device: Identifier, before last: DeviceDeed.Place? = nil, most: Int
    ) throws(SyncError) -> [DeviceDeed] {
        try loadState()
        let top = keys.vault
        let rows = try replica.transaction { (replica) in
            replica.traceRows.filter { row in
                let author = replica.traceAuthor(row)
                return row <= last?.row ?? .max && (author == device || author == Identifier.none)
            }
        }
        var found: [DeviceDeed] = []
        for row in rows.reversed() where found.count < most {
            try checkCancellation()
            let rest = most - found.count
            found += try replica.transaction { (replica) throws(SyncError) in
                var deeds: [DeviceDeed] = []
                let all = try replica.traces(row).flatMap { section in section.traces.map { (section, $0) } }
                for (index, (section, trace)) in all.enumerated().reversed() where deeds.count < rest {
                    if let last, row == last.row, index >= last.index { continue }
                    guard section.author == device || trace.stamp.device == device else { continue }
                    deeds.append(
                        try Paths(replica, top: top).deed(
                            trace, section, DeviceDeed.Place(row: row, index: index)))
                }
                return deeds
            }
        }
        return found
    }

    /// Since when this device keeps what others do, in seconds since 1970; nil where it has not begun.
    public func deedsBegin() throws(SyncError) -> Int64? {
        try replica.transaction { (replica) in replica.tracesBegin }
    }
}

extension Paths {
    fileprivate func deed(
        _ trace: Trace, _ section: TraceSection, _ place: DeviceDeed.Place
    ) throws(SyncError) -> DeviceDeed {
        let (kind, path, from): (DeviceDeed.Kind, [UInt8], [UInt8]?) =
            switch trace {
            case .made(let entry, _): (.made, try self.path(ofEntry: entry), nil)
            case .moved(let entry, _, let place):
                (.moved, try self.path(ofEntry: entry), try self.path(of: place))
            case .removed(_, _, _, let place): (.removed, try self.path(of: place), nil)
            case .attributes(let lineage, _, _): (.attributes, try self.path(ofLineage: lineage), nil)
            case .content(let lineage, _, _, _): (.content, try self.path(ofLineage: lineage), nil)
            case .beside(let lineage, _): (.beside, try self.path(ofLineage: lineage), nil)
            }
        return DeviceDeed(
            place: place, kind: kind, time: section.time, sequence: section.sequence, path: path, from: from)
    }
}
