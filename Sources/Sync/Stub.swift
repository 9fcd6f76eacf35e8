public import Format
public import Sealing
public import Vault
public struct VaultReplica: Replica {
    public init(_ vault: Vault) {}
    public func transaction<R: Sendable>(_ body: (T) throws(SyncError) -> R) throws(SyncError) -> R { throw .noRemote }
    public final class T: ReplicaTransaction {
    public func loadState() throws(SyncError) -> [UInt8]? { nil }
    public func saveState(_ bytes: [UInt8]) throws(SyncError) {}
    public func outbox() throws(SyncError) -> [(sequence: UInt64, bytes: [UInt8])] { [] }
    public func addToOutbox(_ sequence: UInt64, _ bytes: [UInt8]) throws(SyncError) {}
    public func removeFromOutbox(_ sequence: UInt64) throws(SyncError) {}
    public var lamport: UInt64 = 0
    public func nextStamp() -> Stamp { .zero }
    public func ownChanges(atMost bytes: Int) throws(SyncError) -> [Change] { [] }
    public func endSegment() throws(SyncError) {}
    public func entry(_ entry: Identifier) throws(SyncError) -> EntryRegister? { nil }
    public func entry(in parent: Identifier, named name: [UInt8]) throws(SyncError) -> Identifier? { nil }
    public func children(of lineage: Identifier) throws(SyncError) -> [Identifier] { [] }
    public func removedButShown() throws(SyncError) -> [Identifier] { [] }
    public func entries(of lineage: Identifier) throws(SyncError) -> [Identifier] { [] }
    public func lineage(_ lineage: Identifier) throws(SyncError) -> LineageRegister? { nil }
    public func put(_ register: EntryRegister) throws(SyncError) {}
    public func put(_ attributes: AttributesChange) throws(SyncError) {}
    public func put(_ content: ContentChange, heads: [Stamp], rivals: [Stamp]) throws(SyncError) {}
    public func setHeads(_ heads: [Stamp], rivals: [Stamp], of lineage: Identifier) throws(SyncError) {}
    public func withdraw(_ entry: Identifier) throws(SyncError) {}
    public func forgetRemovals(before stable: VersionVector) throws(SyncError) {}
    public func hasBlob(_ slot: Int64) throws(SyncError) -> Bool { false }
    public func blob(of slot: Int64) throws(SyncError) -> [UInt8]? { nil }
    public func addBlob(_ slot: Int64, _ bytes: [UInt8]) throws(SyncError) {}
    public func content(of lineage: Identifier) throws(SyncError) -> ContentChange? { nil }
    public func open(_ content: ContentChange) throws(SyncError) -> PlainBuffer? { nil }
    public func open(_ lineage: Identifier, as of: Stamp) throws(SyncError) -> PlainBuffer? { nil }
    public func seal(_ bytes: borrowing PlainBuffer, for lineage: Identifier, replaces: [Stamp])
        throws(SyncError) -> ContentChange { throw .noRemote }
    public func noteOwn(_ change: OwnChange) throws(SyncError) {}
    public func takeNotices() throws(SyncError) -> [Notice] { [] }
    public func forEachRegister(_ body: (SnapshotRegister) throws(SyncError) -> Void) throws(SyncError) {}
    public func restore(_ register: SnapshotRegister) throws(SyncError) {}
    public func becomeDevice(_ device: Identifier, reissuing unpublished: [OwnChange]) throws(SyncError) {}
    }
}
extension SyncEngine {
    public func push() async throws(SyncError) -> SyncReport { try await sync() }
    public func hasNews() async throws(SyncError) -> Bool { true }
    public func acceptRollback() async throws(SyncError) -> SyncReport { try await sync() }
    public func rebuildRemote() async throws(SyncError) -> SyncReport { try await sync() }
    public func status() throws(SyncError) -> SyncStatus { throw .noRemote }
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
        /// It could start from the latest snapshot; without that nothing is removed at the remote.
        public var hasAcknowledged: Bool
    }

    public var devices: [Device]
    /// The last own segment at the remote; 0 before the first.
    public var published: UInt64
    /// Own segments that wait to be sent.
    public var waiting: Int
    /// What was wrong at the last look; pushing has stopped.
    public var alarm: SyncAlarm?
    /// The latest snapshot that this device knows.
    public var snapshot: SnapshotName?
}
