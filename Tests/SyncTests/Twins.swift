import Format
import Sealing
import Sync
import Synchronization
import SystemPackage

@testable import Vault

/// Replicas of dictionaries beside vaults: what programs do in the vaults is told to them register by register.
struct Twins {
    let replicas: [MemoryReplica]
    let remote: SharedRemote
    let remotes: [MemoryRemote]

    init(_ devices: [VaultDevice]) {
        let shared = SharedRemote(devices: devices.count)
        remote = shared
        remotes = devices.indices.map { MemoryRemote(shared, device: $0) }
        replicas = devices.map { MemoryReplica(device: $0.keys.device, top: $0.keys.vault) }
        for replica in replicas {
            try? replica.edit { (t) throws(SyncError) in t.store.saved = .now() }
        }
    }

    enum Edit {
        /// Also moved.
        case made(String, Node)
        case written(Node)
        case removed(Identifier)
    }

    /// Tells what a program has just done. The stamps are the vault's; what a content replaces is checked.
    func take(_ device: Int, _ vault: VaultDevice, _ edit: Edit) throws {
        let (entry, node) = vault.subject(of: edit)
        let replica = replicas[device]
        try vault.replica.transaction { (transaction) throws(SyncError) in
            let register = try entry.map { (entry) throws(SyncError) in try transaction.entry(entry) } ?? nil
            let lineage = register?.placement.lineage ?? node
            try replica.edit { (memory) throws(SyncError) in
                memory.lamport = transaction.lamport
                if let lineage { try Twins.take(lineage, transaction, memory) }
                switch edit {
                case .made: if let entry { memory.noteOwn(.entry(entry)) }
                case .written: if let lineage { memory.noteOwn(.lineage(lineage)) }
                case .removed(let entry):
                    if register == nil, let lineage = memory.store.entries[entry]?.placement.lineage {
                        // Nobody has heard of it, and nobody will.
                        memory.store.own.removeAll { $0 == .lineage(lineage) || $0 == .entry(entry) }
                    }
                    memory.store.entries[entry] = register
                    return memory.noteOwn(.removal(entry))
                }
                if let register { try memory.put(register) }
            }
        }
    }

    private static func take(
        _ lineage: Identifier, _ transaction: VaultTransaction, _ memory: MemoryTransaction
    ) throws(SyncError) {
        guard var known = try transaction.lineage(lineage) else { return }
        guard let content = try transaction.content(of: lineage), let plain = try transaction.open(content) else {
            memory.store.lineages[lineage] = known
            return
        }
        let bytes = plain.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
        if memory.store.lineages[lineage]?.heads != known.heads {
            var change = content
            (change.reference, change.column) = (.memory(bytes, lineage), bytes)
            memory.put(change, heads: known.heads, rivals: known.rivals)
        }
        known.content = .memory(bytes, lineage)
        memory.store.lineages[lineage] = known
    }

    /// Where a vault and its twin are not the same.
    func difference(_ device: Int, _ vault: VaultDevice) -> String? {
        let store = replicas[device].store
        do {
            return try vault.replica.transaction { (transaction) throws(SyncError) in
                if transaction.lamport != store.lamport { return "clock \(transaction.lamport), \(store.lamport)" }
                for (entry, register) in store.entries.sorted(by: { $0.key < $1.key }) {
                    let other = try transaction.entry(entry)
                    if other != register { return "entry \(String(describing: other))\n\(register)" }
                    let lineage = register.placement.lineage
                    guard let known = store.lineages[lineage] else { continue }
                    guard let mine = try transaction.lineage(lineage) else {
                        if register.isShown { return "lineage \(lineage) is not known" }
                        continue
                    }
                    let heads = (mine.heads, mine.rivals, mine.attributes.stamp, mine.attributes.mode)
                    let others = (known.heads, known.rivals, known.attributes.stamp, known.attributes.mode)
                    if heads != others { return "lineage \(heads)\n\(others)" }
                    guard let content = try transaction.content(of: lineage) else { continue }
                    let same = try transaction.open(content)?.withBytes { bytes in
                        unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } == store.contents[lineage] ?? []
                    }
                    if same != true { return "the content of \(entry)" }
                }
                return nil
            }
        } catch {
            return "\(error)"
        }
    }
}

extension VaultDevice {
    func entry(of item: Item) -> Identifier {
        vault.tree.withLock { tree in
            let name = Array(item.name.utf8)
            return (unsafe tree.find(name.span.bytes, in: item.parent)).map { tree.dentry(at: $0).identifier } ?? .none
        }
    }

    /// The entry, or else the lineage.
    func subject(of edit: Twins.Edit) -> (entry: Identifier?, lineage: Identifier?) {
        switch edit {
        case .removed(let entry): (entry, nil)
        case .written(let node): (nil, vault.tree.withLock { $0.lineage(of: node) })
        case .made(let name, let parent):
            (
                vault.tree.withLock { tree in
                    let name = Array(name.utf8)
                    return unsafe tree.find(name.span.bytes, in: parent).map { tree.dentry(at: $0).identifier }
                }, nil
            )
        }
    }
}
