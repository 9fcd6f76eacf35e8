public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// What synchronisation reads and changes of an open vault, as one operation: registers instead of nodes.
///
/// Rows are written as the calls come; what they do to the tree is collected (``ReplicationOverlay``) and done once the
/// store has all of it, so that nothing happened where something fails. Meanwhile nobody else changes the vault;
/// programs go on reading what was there.
///
/// Good until the closure that it was given to returns.
public final class ReplicationTransaction {
    let vault: Vault
    let committer: Committer
    var overlay = ReplicationOverlay()
    /// What ``ownChanges(atMost:)`` gave last.
    var gathered: GatheredChanges?
    /// Chunks that the segment names which was ended last.
    var ended: [Int64] = []
    /// What another device's changes take the place of; nil where nobody asks for it.
    var tracing: Tracing?

    init(_ vault: Vault, _ committer: Committer) {
        (self.vault, self.committer) = (vault, committer)
    }

    // MARK: The clock

    /// The Lamport clock of this device; it never goes back.
    public var lamport: UInt64 {
        get { committer.root.lamport }
        set { committer.root.lamport = max(committer.root.lamport, newValue) }
    }

    /// A stamp that is later than all that was seen, another one at each call.
    public func nextStamp() -> Stamp {
        committer.advanceClock()
        return committer.nextStamp()
    }

    /// The clock up to which what this device has changed is in segments.
    public var segmented: UInt64 { committer.root.segmented }

    // MARK: What the engine keeps

    /// The state that was saved last; nil before the first time.
    public func loadState() throws(Errno) -> [UInt8]? {
        guard try committer.has(.sync, slot: SyncIndex.state) else { return nil }
        guard case .state(let bytes) = try committer.loadSync(SyncIndex.state).0 else { throw .ioError }
        return bytes
    }

    /// - Throws: EFBIG above 4 MiB.
    public func saveState(_ bytes: [UInt8]) throws(Errno) {
        guard bytes.count <= Limits.syncState else { throw .fileTooLarge }
        let isThere = try committer.has(.sync, slot: SyncIndex.state)
        let previous = isThere ? try committer.seal(of: .sync, slot: SyncIndex.state) : nil
        try committer.putSync(.state(bytes), slot: SyncIndex.state, previous: previous)
    }

    /// Notes that wait for the next own segment; they are the caller's from now on.
    public func takeNotices() throws(Errno) -> [(kind: UInt8, bytes: [UInt8])] {
        var notices: [(kind: UInt8, bytes: [UInt8])] = []
        for (number, slot) in committer.sync.notices.values.sorted(by: { $0.key < $1.key }) {
            guard case .notice(_, let kind, let bytes) = try committer.loadSync(slot).0 else { throw .ioError }
            notices.append((kind, bytes))
            try committer.deleteSync(slot)
            committer.sync.notices[number] = nil
        }
        return notices
    }

    /// Changes that could not be applied, by their number.
    public func setAside() throws(Errno) -> [(number: UInt64, row: [UInt8])] {
        var rows: [(number: UInt64, row: [UInt8])] = []
        for slot in committer.sync.setAside.values.values {
            guard case .setAside(let number, let bytes) = try committer.loadSync(slot).0 else { throw .ioError }
            rows.append((number, bytes))
        }
        return rows
    }

    /// - Throws: EFBIG for a row that is too long.
    public func setAside(_ row: [UInt8]) throws(Errno) {
        let number = (committer.sync.setAside.values.keys.max() ?? 0) &+ 1
        let slot = committer.freshSlot()
        try committer.putSync(.setAside(number: number, bytes: row), slot: slot, previous: nil)
        committer.sync.setAside[number] = slot
    }

    public func removeSetAside(_ number: UInt64) throws(Errno) {
        guard let slot = committer.sync.setAside[number] else { return }
        try committer.deleteSync(slot)
        committer.sync.setAside[number] = nil
    }

    /// Notes that a register was changed by this device, so that it comes into a segment.
    public func noteOwnEntry(_ entry: Identifier) {
        committer.operations.append(Operation(kind: .entry, subject: entry))
    }

    /// The same for a removal.
    public func noteOwnRemoval(_ entry: Identifier) {
        committer.operations.append(Operation(kind: .removal, subject: entry))
    }

    /// The same for attributes and content of a lineage.
    ///
    /// - Parameter isWhole: the content comes along also where it is not new.
    public func noteOwnLineage(_ lineage: Identifier, isWhole: Bool = false) throws(Errno) {
        guard let file = try file(of: lineage) else { throw .invalidArgument }
        committer.operations.append(Operation(kind: isWhole ? .whole : .content, subject: file.identifier))
    }
}
