public import Format

/// What the engine takes from outside, so that a run can be repeated from a seed.
public struct SyncEnvironment: Sendable {
    /// Today, as `2026-11-23`: for the names of conflict copies only. Order never rests on it.
    public var date: @Sendable () -> String
    /// What people call this device; UTF-8.
    public var deviceName: [UInt8]
    /// About how many bytes of changes a segment holds.
    public var segmentBytes: Int
    /// How many segments there are at the least before a snapshot may take their place.
    public var segmentsBeforeSnapshot: UInt64
    /// After so many looks at the hints alone comes one at everything: hints may be wrong.
    public var hintsBeforeLook = 30
    /// The kit that this device joined with: a remote that does not know of it is older than the kit, and refused.
    public var joinedWithKit: Identifier?
    /// Told of a long run, from within it; it must not wait for anything.
    public var progress: @Sendable (SyncProgress) -> Void = { _ in }
    /// Given what proves an alarm: a name without a slash, and bytes as they were at the remote.
    public var keepEvidence: @Sendable (String, [UInt8]) -> Void = { _, _ in }
    public var rules = ProtocolRules()

    public init(
        date: @escaping @Sendable () -> String, deviceName: [UInt8], segmentBytes: Int,
        segmentsBeforeSnapshot: UInt64 = 16
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
    /// What a snapshot shows is compared with what is shown here.
    public var comparesSnapshots = true
    /// A change that the replica refuses waits by itself; else it stops the run.
    public var setsAside = true

    public init() {}
}
