/// What the engine takes from outside, so that a run can be repeated from a seed.
public struct SyncEnvironment: Sendable {
    /// Today, as `2026-11-23`: for the names of conflict copies only. Order never rests on it.
    public var date: @Sendable () -> String
    /// What people call this device; UTF-8.
    public var deviceName: [UInt8]
    /// About how many bytes of changes a segment holds.
    public var segmentBytes: Int
    /// How many own segments there may be before a snapshot takes their place.
    public var segmentsBeforeSnapshot: UInt64
    public var rules = ProtocolRules()

    public init(
        date: @escaping @Sendable () -> String, deviceName: [UInt8], segmentBytes: Int,
        segmentsBeforeSnapshot: UInt64 = 64
    ) {
        (self.date, self.deviceName) = (date, deviceName)
        (self.segmentBytes, self.segmentsBeforeSnapshot) = (segmentBytes, segmentsBeforeSnapshot)
    }
}

/// The rules that keep the invariants. All of them hold in the product; the simulation takes one away at a time and must
/// find what then goes wrong.
public struct ProtocolRules: Sendable {
    /// Own changes are put into a segment before anything of others is applied: what they had seen is then exact.
    public var buildsBeforeApplying = true
    /// No segment is applied before all that its writer had seen.
    public var waitsForCauses = true
    /// An own log at the remote that goes further than this database stops it.
    public var checksOwnLog = true
    /// Each segment names the hash of the one before.
    public var checksChain = true
    /// A log that ends before what was read of it is an alarm.
    public var checksRollback = true
    /// What another device says that it read is compared with what was read here.
    public var comparesSeen = true
    /// A segment is kept until it is at the remote, and goes there byte for byte.
    public var keepsOutbox = true
    /// Signatures and seals decide, not names.
    public var checksSignature = true
    /// Own segments are removed only once every device can start from a snapshot that covers them.
    public var waitsForAcknowledgement = true

    public init() {}
}

/// What a run moved.
public struct SyncReport: Equatable, Sendable {
    public var pushedSegments = 0
    public var pulledSegments = 0
    public var pushedChanges = 0
    public var pulledChanges = 0
    public var conflicts: [Conflict] = []
    /// Segments that wait for others that are not there yet.
    public var waiting = 0
    /// Objects that are not what their names say: half arrived, or changed by somebody.
    public var damaged: [String] = []
    /// Segments of devices that had been shut out.
    public var refused = 0

    public init() {}
}
