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
