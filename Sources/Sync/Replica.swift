public import Format
public import Sealing

/// The vault as synchronisation sees it: registers of entries and lineages, a log of own changes, and a few bytes of
/// state, changed in transactions.
///
/// The product's replica is the open vault; the tests have one of dictionaries, so that ten thousand schedules of the
/// same engine take seconds.
public protocol Replica: Sendable {
    associatedtype Transaction: ReplicaTransaction

    /// Runs `body` as one operation: all of it is kept or nothing, and nobody else changes the replica meanwhile.
    func transaction<R: Sendable>(
        _ body: (Transaction) throws(SyncError) -> R
    ) throws(SyncError) -> R

    /// How a file is called that a change took the name of, and that a program has open and writes on.
    ///
    /// - Parameter device: this one.
    func nameCopies(_ naming: ConflictNaming, by device: Identifier)
}

extension Replica {
    /// Where no program has anything open.
    public func nameCopies(_ naming: ConflictNaming, by device: Identifier) {}
}

/// Good until the closure that it was given to returns.
public protocol ReplicaTransaction: AnyObject {
    // MARK: What the engine keeps here

    /// The engine's state as it was saved last; nil before the first time.
    func loadState() throws(SyncError) -> [UInt8]?
    /// At most 4 MiB.
    func saveState(_ bytes: [UInt8]) throws(SyncError)
    /// The account keys of later epochs, sealed under a key of the first; nil where there are none.
    func loadKeys() throws(SyncError) -> [UInt8]?
    /// At most 128 KiB.
    func saveKeys(_ bytes: [UInt8]) throws(SyncError)
    /// Own segments that are not at the remote yet, by their sequence numbers: byte-identical at each retry.
    func outbox() throws(SyncError) -> [(sequence: UInt64, bytes: [UInt8])]
    func addToOutbox(_ sequence: UInt64, _ bytes: [UInt8]) throws(SyncError)
    func removeFromOutbox(_ sequence: UInt64) throws(SyncError)

    // MARK: The clock

    /// The Lamport clock. Never set to less than it is.
    var lamport: UInt64 { get set }
    /// The stamp of what is written from here on: later than all that was seen.
    func nextStamp() -> Stamp

    // MARK: Own changes

    /// What programs changed since ``endSegment()``, each register once with its present value: attributes and contents
    /// first, then entries, directories before what is in them, then removals. `atMost` bounds the encoded size; the rest
    /// comes the next time.
    func ownChanges(atMost bytes: Int) throws(SyncError) -> [Change]
    /// What ``ownChanges(atMost:)`` gave last is in a segment now.
    func endSegment() throws(SyncError)

    // MARK: Registers

    /// nil for an entry that was never heard of, or whose removal every device knows.
    func entry(_ entry: Identifier) throws(SyncError) -> EntryRegister?
    /// The shown entry of that name.
    func entry(in parent: Identifier, named name: [UInt8]) throws(SyncError) -> Identifier?
    /// The shown entries in a directory.
    func children(of lineage: Identifier) throws(SyncError) -> [Identifier]
    /// Whether there are entries of which removals are remembered.
    var hasRegisters: Bool { get }
    /// Entries of which there are removals, and that are shown: directories with something in them, and files of which a
    /// version is live that the removal has not seen.
    func removedButShown() throws(SyncError) -> [Identifier]
    /// Entries that are not shown, as long as it is remembered that they were there.
    func removed() throws(SyncError) -> [Identifier]
    /// The entries of a lineage, shown or not.
    func entries(of lineage: Identifier) throws(SyncError) -> [Identifier]
    func lineage(_ lineage: Identifier) throws(SyncError) -> LineageRegister?
    /// Lineages with several versions that nothing has replaced, at the least, and what competes with their contents; also
    /// those that have no name any more.
    func contested() throws(SyncError) -> [(lineage: Identifier, rivals: [Stamp])]

    /// Makes an entry, moves it, points it at another lineage, or hides it. Where it is shown, its directory is shown, its
    /// lineage is known and nothing else has the name.
    func put(_ register: EntryRegister) throws(SyncError)
    /// Sets attributes; makes the lineage where it is not known.
    func put(_ attributes: AttributesChange) throws(SyncError)
    /// Gives a known lineage another content: the one before goes into the history.
    func put(_ content: ContentChange, heads: [Stamp], rivals: [Stamp]) throws(SyncError)
    /// The content stays; what it competes with changes.
    func setHeads(_ heads: [Stamp], rivals: [Stamp], of lineage: Identifier) throws(SyncError)
    /// The content stays; it was saved at another time.
    func setSaved(_ time: Timestamp, of lineage: Identifier) throws(SyncError)
    /// Forgets a copy that was shown for a rival and that nobody has touched: entry, lineage and all.
    func withdraw(_ entry: Identifier) throws(SyncError)
    /// Forgets the register of an entry that is not shown.
    func forget(_ entry: Identifier) throws(SyncError)

    // MARK: Blobs: the chunks of large contents, each with its seal before it

    func hasBlob(_ slot: Int64) throws(SyncError) -> Bool
    /// nil where the chunk is not there any more.
    func blob(of slot: Int64) throws(SyncError) -> [UInt8]?
    /// Keeps a chunk for a content that is put later, in this transaction or in another one.
    func addBlob(_ slot: Int64, _ bytes: [UInt8]) throws(SyncError)

    // MARK: Own changes that the engine makes to settle conflicts

    /// The present content of a lineage as a change, as it would be pushed.
    func content(of lineage: Identifier) throws(SyncError) -> ContentChange?
    /// Opens a small content (64 KiB at most); nil for others and where it does not open.
    func open(_ content: ContentChange) throws(SyncError) -> PlainBuffer?
    /// Opens the version of a lineage that had the stamp, present or in the history; nil where it is not there any more.
    func open(_ lineage: Identifier, as of: Stamp) throws(SyncError) -> PlainBuffer?
    /// Seals bytes as the content of a lineage.
    func seal(_ bytes: borrowing PlainBuffer, for lineage: Identifier, replaces: [Stamp])
        throws(SyncError) -> ContentChange
    /// Notes that a register was changed by this device, so that it is pushed.
    func noteOwn(_ change: OwnChange) throws(SyncError)

    // MARK: What the vault has to say besides changes

    /// Notices that wait for the next own segment (kits that were issued, revocations, rotations); they are the
    /// engine's from now on.
    func takeNotices() throws(SyncError) -> [Notice]

    // MARK: Changes that wait

    /// What was set aside, by its number; in no order.
    func setAside() throws(SyncError) -> [(number: UInt64, row: [UInt8])]
    /// Keeps a row of changes that cannot be applied, under a number of its own.
    func setAside(_ row: [UInt8]) throws(SyncError)
    func removeSetAside(_ number: UInt64) throws(SyncError)

    // MARK: What other devices have done

    /// What follows in this transaction is what a segment says: it is noted what that changes. Of a snapshot: no author, 0.
    func attribute(to author: Identifier, segment: UInt64)
    /// From here on it is known what others do.
    func beginTraces() throws(SyncError)
    /// Since when it is, in seconds since 1970.
    var tracesBegin: Int64? { get }
    /// The rows of what is noted, by their numbers, in the order in which they came.
    var traceRows: [UInt64] { get }
    /// Whose row it is; nil where it is gone.
    func traceAuthor(_ number: UInt64) -> Identifier?
    /// What is in a row; nothing where it is gone.
    func traces(_ number: UInt64) throws(SyncError) -> [TraceSection]
    /// The latest earlier version of a lineage for which that holds: see `ReplicationTransaction`. Nil where there is none.
    func earlier(of lineage: Identifier, where isWanted: (Stamp) -> Bool) throws(SyncError) -> EarlierVersion?
    /// An entry that waits in the trash, where its register is forgotten.
    func trashed(_ entry: Identifier) throws(SyncError) -> EntryChange?

    // MARK: Snapshots

    /// Calls `body` with every register of the vault, in the order of ``SnapshotRegister``: those of the top directory and
    /// of names that never leave the device are left out.
    func forEachRegister(_ body: (SnapshotRegister) throws(SyncError) -> Void) throws(SyncError)
    /// Puts a register of a snapshot into a replica that has none yet, without merging. Chunks were given to
    /// ``addBlob(_:_:)`` before, or are embedded.
    func restore(_ register: SnapshotRegister) throws(SyncError)

    // MARK: Going on as another device

    /// This database goes on under another device's name, because another one goes on under its own: what it has
    /// changed and nobody has heard of becomes the new device's, with new stamps.
    ///
    /// - Parameters:
    ///   - heard: the clock of the old device up to which others have heard of it: these changes stay as they are.
    ///   - unpublished: registers that are in own segments which never got to the remote.
    func becomeDevice(
        _ device: Identifier, after heard: UInt64, reissuing unpublished: [OwnChange]
    ) throws(SyncError)
}

/// A content that another one has taken the place of.
public struct EarlierVersion: Sendable {
    /// As it was; its stamp is the one from then.
    public var content: ContentChange
    public var mode: UInt32
    public var modified: Timestamp

    public init(content: ContentChange, mode: UInt32, modified: Timestamp) {
        (self.content, self.mode, self.modified) = (content, mode, modified)
    }
}

/// Of a replica that keeps neither history nor what others have done.
extension ReplicaTransaction {
    public func attribute(to author: Identifier, segment: UInt64) {}
    public func beginTraces() throws(SyncError) {}
    public var tracesBegin: Int64? { nil }
    public var traceRows: [UInt64] { [] }
    public func traceAuthor(_ number: UInt64) -> Identifier? { nil }
    public func traces(_ number: UInt64) throws(SyncError) -> [TraceSection] { [] }
    public func earlier(
        of lineage: Identifier, where isWanted: (Stamp) -> Bool
    ) throws(SyncError) -> EarlierVersion? { nil }
    public func trashed(_ entry: Identifier) throws(SyncError) -> EntryChange? { nil }
}

/// A register that this device has changed itself.
public enum OwnChange: Hashable, Sendable {
    case entry(Identifier)
    case removal(Identifier)
    case lineage(Identifier)
    /// A lineage that others may have lost: with its content, though that is not new.
    case whole(Identifier)
}
