public import Format
public import Sealing

/// What a run moved, and what it noticed.
public struct SyncReport: Equatable, Sendable {
    public var pushedSegments = 0
    public var pulledSegments = 0
    public var pushedChanges = 0
    public var pulledChanges = 0
    public var conflicts: [Conflict] = []
    /// Segments that wait for others that are not there yet.
    public var waiting = 0
    /// Segments that are not there though something speaks of them: the next one of each log, as it was looked at last.
    public var awaited: [AwaitedSegment] = []
    /// Objects that are not what their names say: half arrived, or changed by somebody.
    public var damaged: [String] = []
    /// Objects of a format that only newer programs know.
    public var newer: [String] = []
    /// Segments of devices that had been shut out.
    public var refused = 0
    /// What was taken back that devices had written after they were shut out.
    public var takenBack: [Identifier: UndoReport] = [:]
    /// Segments that others speak of and that have not been there for several looks: somebody may be keeping them back.
    public var withheld: [Alarm] = []
    /// The snapshot that this device began with, or caught up by.
    public var startedFrom: SnapshotName?
    /// Changes that this replica could not take in: they wait, and are tried again at each run.
    public var refusedChanges: [RefusedChange] = []
    /// A snapshot was written.
    public var hasCompacted = false
    /// Objects that were removed at the remote because a snapshot that every device can read covers them.
    public var removedObjects = 0

    public init() {}
}

/// The next segment of a device's log, which is not at the remote yet though something there speaks of it.
public struct AwaitedSegment: Equatable, Sendable {
    /// Whose log it belongs to.
    public var device: Identifier
    /// Its number.
    public var sequence: UInt64
    /// The last segment of the log that anything speaks of.
    public var last: UInt64
    /// A later segment is at the remote.
    public var isFollowed: Bool

    public init(device: Identifier, sequence: UInt64, last: UInt64, isFollowed: Bool) {
        (self.device, self.sequence, self.last, self.isFollowed) = (device, sequence, last, isFollowed)
    }
}

/// How far a long run has got.
public struct SyncProgress: Equatable, Sendable {
    public enum Phase: Sendable {
        case pushing, pulling, snapshot
    }

    public var phase: Phase
    /// Segments or parts that are through…
    public var done: Int
    /// …of so many.
    public var total: Int
    /// Their bytes.
    public var bytes: UInt64

    public init(phase: Phase, done: Int, total: Int, bytes: UInt64) {
        (self.phase, self.done, self.total, self.bytes) = (phase, done, total, bytes)
    }
}

/// An alarm with what it is.
public struct SyncAlarm: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        case rolledBack = 1
        case forked, cloned, revoked
    }

    public var kind: Kind
    public var alarm: Alarm

    public init(kind: Kind, alarm: Alarm) { (self.kind, self.alarm) = (kind, alarm) }
}

/// What is known without asking the remote: for `devices` and `status`.
public struct SyncStatus: Equatable, Sendable {
    public struct Device: Equatable, Sendable {
        public var identifier: Identifier
        /// What people call it; UTF-8.
        public var name: [UInt8]
        public var isOwn: Bool
        /// The last segment of it that was applied here; of the own log, the last one that was made.
        public var sequence: UInt64
        /// Its Lamport clock there.
        public var lamport: UInt64
        /// It was shut out.
        public var isRevoked: Bool
        /// It has not said yet that it has seen everything that this device has.
        public var isBehind: Bool
        /// How many segments its receipts tell of: more with each receipt that says something new.
        public var acknowledged: UInt64
        /// It could start from the latest snapshot; without that nothing is removed at the remote.
        public var hasAcknowledged: Bool
    }

    public var devices: [Device]
    /// The last own segment at the remote; 0 before the first.
    public var published: UInt64
    /// Own segments that wait to be sent.
    public var waiting: Int
    /// What was wrong at the last look; pushing has stopped, but for a fork of another device's log, which is set aside.
    public var alarm: SyncAlarm?
    /// The latest snapshot that this device knows.
    public var snapshot: SnapshotName?
    /// The account's e-mail address, where a log tells of one.
    public var address: AccountAddress?
}
