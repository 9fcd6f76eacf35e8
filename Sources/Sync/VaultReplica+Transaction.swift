public import Format
public import Sealing
internal import SystemPackage
internal import Vault

/// A transaction of an open vault, in the engine's terms.
public final class VaultTransaction: ReplicaTransaction {
    private let vault: ReplicationTransaction
    private let successor: Successor

    init(_ vault: ReplicationTransaction, _ successor: Successor) { (self.vault, self.successor) = (vault, successor) }

    /// Runs a call of the vault with its errors as ours.
    private func call<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(SyncError) -> R {
        do throws(Errno) { return try body() } catch { throw SyncError(error) }
    }

    // MARK: What the engine keeps here

    public func loadState() throws(SyncError) -> [UInt8]? { try call { () throws(Errno) in try vault.loadState() } }

    public func saveState(_ bytes: [UInt8]) throws(SyncError) {
        try call { () throws(Errno) in try vault.saveState(bytes) }
    }

    public func loadKeys() throws(SyncError) -> [UInt8]? { try call { () throws(Errno) in try vault.loadKeys() } }

    public func saveKeys(_ bytes: [UInt8]) throws(SyncError) {
        try call { () throws(Errno) in try vault.saveKeys(bytes) }
    }

    public func outbox() throws(SyncError) -> [(sequence: UInt64, bytes: [UInt8])] {
        try call { () throws(Errno) in try vault.outbox() }
    }

    public func addToOutbox(_ sequence: UInt64, _ bytes: [UInt8]) throws(SyncError) {
        try call { () throws(Errno) in try vault.addToOutbox(sequence, bytes) }
    }

    public func removeFromOutbox(_ sequence: UInt64) throws(SyncError) {
        try call { () throws(Errno) in try vault.removeFromOutbox(sequence) }
    }

    // MARK: The clock

    public var lamport: UInt64 {
        get { vault.lamport }
        set { vault.lamport = newValue }
    }

    public func nextStamp() -> Stamp { vault.nextStamp() }

    // MARK: Own changes

    public func ownChanges(atMost bytes: Int) throws(SyncError) -> [Change] {
        try call { () throws(Errno) in try vault.ownChanges(atMost: bytes) }
    }

    public func endSegment() throws(SyncError) { try call { () throws(Errno) in try vault.endSegment() } }

    public func noteOwn(_ change: OwnChange) throws(SyncError) {
        switch change {
        case .entry(let entry): vault.noteOwnEntry(entry)
        case .removal(let entry): vault.noteOwnRemoval(entry)
        case .lineage(let lineage): try call { () throws(Errno) in try vault.noteOwnLineage(lineage) }
        case .whole(let lineage): try call { () throws(Errno) in try vault.noteOwnLineage(lineage, isWhole: true) }
        }
    }

    public func takeNotices() throws(SyncError) -> [Notice] {
        let rows = try call { () throws(Errno) in try vault.takeNotices() }
        return rows.compactMap { row in Notice.Kind(rawValue: row.kind).map { Notice(kind: $0, bytes: row.bytes) } }
    }

    public func setAside() throws(SyncError) -> [(number: UInt64, row: [UInt8])] {
        try call { () throws(Errno) in try vault.setAside() }
    }

    public func setAside(_ row: [UInt8]) throws(SyncError) { try call { () throws(Errno) in try vault.setAside(row) } }

    public func removeSetAside(_ number: UInt64) throws(SyncError) {
        try call { () throws(Errno) in try vault.removeSetAside(number) }
    }

    // MARK: Registers

    public func entry(_ entry: Identifier) throws(SyncError) -> EntryRegister? {
        try call { () throws(Errno) in try vault.entry(entry) }
    }

    public func entry(in parent: Identifier, named name: [UInt8]) -> Identifier? {
        vault.entry(in: parent, named: name)
    }

    public func children(of lineage: Identifier) -> [Identifier] { vault.children(of: lineage).sorted() }

    public var hasRegisters: Bool { vault.hasRegisters }

    public func removedButShown() -> [Identifier] { vault.removedButShown() }

    public func removed() -> [Identifier] { vault.removed() }

    public func entries(of lineage: Identifier) -> [Identifier] { vault.entries(of: lineage).sorted() }

    public func lineage(_ lineage: Identifier) throws(SyncError) -> LineageRegister? {
        try call { () throws(Errno) in try vault.lineage(lineage) }
    }

    public func contested() -> [(lineage: Identifier, rivals: [Stamp])] { vault.contested() }

    public func put(_ register: EntryRegister) throws(SyncError) {
        try call { () throws(Errno) in try vault.put(register) }
    }

    public func put(_ attributes: AttributesChange) throws(SyncError) {
        try call { () throws(Errno) in try vault.put(attributes) }
    }

    public func put(_ content: ContentChange, heads: [Stamp], rivals: [Stamp]) throws(SyncError) {
        try call { () throws(Errno) in try vault.put(content, heads: heads, rivals: rivals) }
    }

    public func setSaved(_ time: Timestamp, of lineage: Identifier) throws(SyncError) {
        try call { () throws(Errno) in try vault.setSaved(time, of: lineage) }
    }

    public func setHeads(_ heads: [Stamp], rivals: [Stamp], of lineage: Identifier) throws(SyncError) {
        try call { () throws(Errno) in try vault.setHeads(heads, rivals: rivals, of: lineage) }
    }

    public func withdraw(_ entry: Identifier) throws(SyncError) {
        try call { () throws(Errno) in try vault.withdraw(entry) }
    }

    public func forget(_ entry: Identifier) throws(SyncError) {
        try call { () throws(Errno) in try vault.forget(entry) }
    }

    // MARK: Blobs

    public func hasBlob(_ slot: Int64) throws(SyncError) -> Bool {
        try call { () throws(Errno) in try vault.hasBlob(slot) }
    }

    public func blob(of slot: Int64) throws(SyncError) -> [UInt8]? {
        try call { () throws(Errno) in try vault.hasBlob(slot) ? try vault.blob(of: slot) : nil }
    }

    public func addBlob(_ slot: Int64, _ bytes: [UInt8]) throws(SyncError) {
        try call { () throws(Errno) in try vault.addBlob(slot, bytes) }
    }

    // MARK: Small contents

    public func content(of lineage: Identifier) throws(SyncError) -> ContentChange? {
        try call { () throws(Errno) in try vault.content(of: lineage) }
    }

    public func open(_ content: ContentChange) throws(SyncError) -> PlainBuffer? {
        try call { () throws(Errno) in try vault.open(content) }
    }

    public func open(_ lineage: Identifier, as of: Stamp) throws(SyncError) -> PlainBuffer? {
        try call { () throws(Errno) in try vault.open(lineage, as: of) }
    }

    public func seal(
        _ bytes: borrowing PlainBuffer, for lineage: Identifier, replaces: [Stamp]
    ) throws(SyncError) -> ContentChange {
        do throws(Errno) { return try vault.seal(bytes, for: lineage, replaces: replaces) } catch {
            throw SyncError(error)
        }
    }

    // MARK: What other devices have done

    public func attribute(to author: Identifier, segment: UInt64) { vault.attribute(to: author, segment: segment) }

    public func beginTraces() throws(SyncError) { try call { () throws(Errno) in try vault.beginTraces() } }

    public var tracesBegin: Int64? { vault.tracesBegin }

    public var traceRows: [UInt64] { vault.traceRows }

    public func traceAuthor(_ number: UInt64) -> Identifier? { vault.traceAuthor(number) }

    public func traces(_ number: UInt64) throws(SyncError) -> [TraceSection] {
        try call { () throws(Errno) in try vault.traces(number) }
    }

    public func earlier(
        of lineage: Identifier, where isWanted: (Stamp) -> Bool
    ) throws(SyncError) -> EarlierVersion? {
        let found = try call { () throws(Errno) in try vault.earlier(of: lineage, where: isWanted) }
        return found.map { EarlierVersion(content: $0.content, mode: $0.mode, modified: $0.modified) }
    }

    public func trashed(_ entry: Identifier) throws(SyncError) -> EntryChange? {
        try call { () throws(Errno) in try vault.trashed(entry) }
    }

    // MARK: Snapshots

    public func forEachRegister(_ body: (SnapshotRegister) throws(SyncError) -> Void) throws(SyncError) {
        try vault.forEachRegister(translating: SyncError.init, body)
    }

    public func restore(_ register: SnapshotRegister) throws(SyncError) {
        try call { () throws(Errno) in try vault.restore(register) }
    }

    // MARK: Going on as another device

    /// - Throws: ``SyncError/cloned`` where ``VaultReplica/prepare(successor:keys:)`` has not given this device's keys.
    public func becomeDevice(
        _ device: Identifier, after heard: UInt64, reissuing unpublished: [OwnChange]
    ) throws(SyncError) {
        var registers = UnheardRegisters()
        registers.heard = heard
        for change in unpublished {
            switch change {
            case .entry(let entry): registers.entries.append(entry)
            case .removal(let entry): registers.removals.append(entry)
            case .lineage(let lineage), .whole(let lineage): registers.lineages.append(lineage)
            }
        }
        let given = registers
        let isDone: Void? = try call { () throws(Errno) in
            try successor.withKeys(of: device) { (keys) throws(Errno) in
                try vault.becomeDevice(device, keys: keys, reissuing: given)
            }
        }
        if isDone == nil { throw .cloned }
    }
}
