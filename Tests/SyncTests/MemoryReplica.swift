import Format
import Sealing
import Sync
import Synchronization

/// A replica of dictionaries: what the protocol needs of a vault and nothing else. A content's column is its plaintext.
final class MemoryReplica: Replica {
    private let lock: Mutex<Store>

    /// What a transaction keeps or drops as a whole.
    struct Store: Sendable {
        var device: Identifier
        var state: [UInt8]?
        var keys: [UInt8]?
        var outbox: [UInt64: [UInt8]] = [:]
        var lamport: UInt64 = 0
        var segmented: UInt64 = 0
        var entries: [Identifier: EntryRegister] = [:]
        var lineages: [Identifier: LineageRegister] = [:]
        var contents: [Identifier: [UInt8]] = [:]
        /// What the present own content replaces, until it is in a segment.
        var replaces: [Identifier: [Stamp]] = [:]
        var history: [Identifier: [Stamp: [UInt8]]] = [:]
        var own: [OwnChange] = []
        var taken = 0
        var notices: [Notice] = []
        var setAside: [UInt64: [UInt8]] = [:]
        /// Names that a fault of this replica refuses.
        var refuses: Set<[UInt8]> = []
        var refusal: Int32 = 22
        /// When contents were saved: copies are named by the day.
        var saved = Timestamp(seconds: 0, nanoseconds: 0)
        /// The chunks of large contents; what has no use any more stays, as in a history.
        var blobs: [Int64: [UInt8]] = [:]
    }

    init(device: Identifier, top: Identifier) {
        var store = Store(device: device)
        let zero = Timestamp(seconds: 0, nanoseconds: 0)
        store.lineages[top] = LineageRegister(
            attributes: AttributesChange(
                lineage: top, stamp: Stamp(lamport: 0, device: .none), mode: 0o040700, accessed: zero, modified: zero,
                changed: zero),
            heads: [], content: .nothing(top))
        lock = Mutex(store)
    }

    private init(_ store: Store) { lock = Mutex(store) }

    /// A copy of the database: restored from a backup, or cloned with the machine.
    func copy() -> MemoryReplica { MemoryReplica(lock.withLock { $0 }) }

    var store: Store { lock.withLock { $0 } }

    func transaction<R: Sendable>(_ body: (MemoryTransaction) throws(SyncError) -> R) throws(SyncError) -> R {
        let transaction = MemoryTransaction(store)
        let result = try body(transaction)
        lock.withLock { $0 = transaction.store }
        return result
    }
}

extension ContentReference {
    static func nothing(_ origin: Identifier) -> ContentReference {
        ContentReference(kind: .none, version: 0, size: 0, seal: .zero, origin: origin)
    }

    /// A content that is its own seal: equal exactly where the bytes are.
    static func memory(_ bytes: [UInt8], _ origin: Identifier) -> ContentReference {
        let hash = unsafe Digest.blake2b256(bytes.span.bytes)
        func word(_ place: Int) -> UInt64 { (0..<8).reduce(0) { $0 << 8 | UInt64(hash[place * 8 + $1]) } }
        return ContentReference(
            kind: .inline, version: 1, size: UInt64(bytes.count),
            seal: SealBytes(words: (word(0), word(1), word(2), word(3), 0)), origin: origin)
    }
}
