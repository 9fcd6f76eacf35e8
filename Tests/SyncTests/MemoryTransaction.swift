import Format
import Sealing
import Sync

final class MemoryTransaction: ReplicaTransaction {
    var store: MemoryReplica.Store
    var device: Identifier { store.device }

    init(_ store: MemoryReplica.Store) { self.store = store }

    var lamport: UInt64 {
        get { store.lamport }
        set { store.lamport = newValue }
    }

    func nextStamp() -> Stamp {
        store.lamport += 1
        return Stamp(lamport: store.lamport, device: device)
    }

    func loadState() -> [UInt8]? { store.state }
    func saveState(_ bytes: [UInt8]) { store.state = bytes }
    func loadKeys() -> [UInt8]? { store.keys }
    func saveKeys(_ bytes: [UInt8]) { store.keys = bytes }
    func outbox() -> [(sequence: UInt64, bytes: [UInt8])] { store.outbox.map { ($0.key, $0.value) } }
    func addToOutbox(_ sequence: UInt64, _ bytes: [UInt8]) { store.outbox[sequence] = bytes }
    func removeFromOutbox(_ sequence: UInt64) { store.outbox[sequence] = nil }

    func setAside() -> [(number: UInt64, row: [UInt8])] { store.setAside.map { ($0.key, $0.value) } }
    func setAside(_ row: [UInt8]) { store.setAside[(store.setAside.keys.max() ?? 0) + 1] = row }
    func removeSetAside(_ number: UInt64) { store.setAside[number] = nil }

    // MARK: Own changes

    func ownChanges(atMost bytes: Int) -> [Change] {
        var changes: [Change] = []
        var seen = Set<OwnChange>()
        var size = 0
        store.taken = 0
        for own in store.own {
            guard size < bytes else { break }
            store.taken += 1
            guard seen.insert(own).inserted else { continue }
            let found = self.changes(for: own).filter { !changes.contains($0) }
            changes += found
            size += found.reduce(0) { $0 + $1.encodedSize }
        }
        return ordered(changes)
    }

    /// As a vault has them: attributes and contents, then directories before what is in them, then removals.
    private func ordered(_ changes: [Change]) -> [Change] {
        var parents: [Identifier: Identifier] = [:]
        for case .entry(let entry) in changes { parents[entry.lineage] = entry.parent }
        func rank(_ change: Change) -> (Int, UInt64, Identifier) {
            switch change {
            case .content(let content): return (0, 0, content.lineage)
            case .attributes(let attributes): return (0, 0, attributes.lineage)
            case .removal(let removal): return (.max, removal.stamp.lamport, removal.entry)
            case .entry(let entry):
                var (walk, depth) = (entry.parent, 1)
                while depth < 64, let above = parents[walk] { (walk, depth) = (above, depth + 1) }
                return (depth, 0, entry.entry)
            }
        }
        let ranks = changes.map(rank)
        let places = changes.indices.sorted { (left: Int, right: Int) -> Bool in
            ranks[left] == ranks[right] ? left < right : ranks[left] < ranks[right]
        }
        return places.map { changes[$0] }
    }

    private func changes(for own: OwnChange) -> [Change] {
        switch own {
        case .entry(let entry):
            guard let register = store.entries[entry] else { return [] }
            return lineageChanges(register.placement.lineage) + [.entry(register.placement)]
        case .removal(let entry):
            return (store.entries[entry]?.removals ?? []).filter { isOwn($0.stamp) }.map(Change.removal)
        case .lineage(let lineage), .whole(let lineage):
            return lineageChanges(lineage, isWhole: own == .whole(lineage))
                + store.entries.values.filter { entry in
                    entry.placement.lineage == lineage && entry.isShown
                        && (entry.removals.isEmpty || store.lineages[lineage]?.isDirectory == false)
                }.map { .entry($0.placement) }
        }
    }

    /// A copy that somebody has touched is told whole: another device may not have it.
    private func lineageChanges(_ lineage: Identifier, isWhole: Bool = false) -> [Change] {
        guard let known = store.lineages[lineage] else { return [] }
        var changes: [Change] = [.attributes(known.attributes)]
        let isCopy = known.attributes.stamp.device == Identifier.none
        if let content = content(of: lineage), isWhole || isCopy || isOwn(content.stamp) {
            changes.append(.content(content))
        }
        return changes
    }

    private func isOwn(_ stamp: Stamp) -> Bool { stamp.device == device && stamp.lamport > store.segmented }

    func endSegment() {
        store.own.removeFirst(store.taken)
        store.taken = 0
        if store.own.isEmpty { store.segmented = store.lamport }
    }

    // MARK: Registers

    func entry(_ entry: Identifier) -> EntryRegister? { store.entries[entry] }

    func entry(in parent: Identifier, named name: [UInt8]) -> Identifier? {
        store.entries.values.first { $0.isShown && $0.placement.parent == parent && $0.placement.name == name }?
            .placement.entry
    }

    func children(of lineage: Identifier) -> [Identifier] {
        store.entries.values.filter { $0.isShown && $0.placement.parent == lineage }.map(\.placement.entry).sorted()
    }

    func removedButShown() -> [Identifier] {
        store.entries.values.filter { $0.isShown && !$0.removals.isEmpty }.map(\.placement.entry).sorted()
    }

    func removed() -> [Identifier] {
        store.entries.values.filter { !$0.isShown }.map(\.placement.entry).sorted()
    }

    func entries(of lineage: Identifier) -> [Identifier] {
        store.entries.values.filter { $0.placement.lineage == lineage }.map(\.placement.entry).sorted()
    }

    func lineage(_ lineage: Identifier) -> LineageRegister? { store.lineages[lineage] }

    func contested() -> [(lineage: Identifier, rivals: [Stamp])] {
        store.lineages.filter { $0.value.heads.count + $0.value.rivals.count > 1 }.map { ($0.key, $0.value.rivals) }
    }

    func put(_ register: EntryRegister) throws(SyncError) {
        if store.refuses.contains(register.placement.name) { throw .store(store.refusal) }
        if register.isShown {
            let other = entry(in: register.placement.parent, named: register.placement.name)
            let isFree = other == nil || other == register.placement.entry
            guard isFree, store.lineages[register.placement.lineage] != nil, isShown(register.placement.parent) else {
                throw .store(22)
            }
        }
        store.entries[register.placement.entry] = register
    }

    private func isShown(_ directory: Identifier) -> Bool {
        guard store.lineages[directory]?.isDirectory == true else { return false }
        let names = store.entries.values.filter { $0.placement.lineage == directory }
        return names.isEmpty
            ? store.lineages[directory]?.attributes.stamp.device == Identifier.none : names.contains { $0.isShown }
    }

    func put(_ attributes: AttributesChange) {
        let known = store.lineages[attributes.lineage]
        store.lineages[attributes.lineage] = LineageRegister(
            attributes: attributes, heads: known?.heads ?? [], rivals: known?.rivals ?? [],
            content: known?.content ?? .nothing(attributes.lineage))
    }

    func put(_ content: ContentChange, heads: [Stamp], rivals: [Stamp]) {
        keepHistory(content.lineage)
        store.lineages[content.lineage]?.heads = heads
        store.lineages[content.lineage]?.rivals = rivals
        store.lineages[content.lineage]?.content = content.reference
        store.contents[content.lineage] = bytes(of: content)
        store.replaces[content.lineage] = content.replaces
    }

    private func keepHistory(_ lineage: Identifier) {
        guard let bytes = store.contents[lineage], let heads = store.lineages[lineage]?.heads else { return }
        for head in heads { store.history[lineage, default: [:]][head] = bytes }
    }

    func setSaved(_ time: Timestamp, of lineage: Identifier) {}

    func setHeads(_ heads: [Stamp], rivals: [Stamp], of lineage: Identifier) {
        store.lineages[lineage]?.heads = heads
        store.lineages[lineage]?.rivals = rivals
    }

    func withdraw(_ entry: Identifier) {
        guard let lineage = store.entries.removeValue(forKey: entry)?.placement.lineage else { return }
        (store.lineages[lineage], store.contents[lineage]) = (nil, nil)
    }

    var hasRegisters: Bool { store.entries.values.contains { !$0.removals.isEmpty } }

    func forget(_ entry: Identifier) {
        if store.entries[entry]?.isShown == false { store.entries[entry] = nil }
    }

    // MARK: Contents

    func content(of lineage: Identifier) -> ContentChange? {
        guard let known = store.lineages[lineage], let stamp = known.heads.first, let bytes = store.contents[lineage]
        else { return nil }
        let chunks = chunks(of: bytes)
        return ContentChange(
            lineage: lineage, stamp: stamp, replaces: store.replaces[lineage] ?? [],
            modified: store.saved, reference: known.content, column: chunks.isEmpty ? bytes : [], chunks: chunks)
    }

    func open(_ content: ContentChange) -> PlainBuffer? { plain(bytes(of: content)) }

    func open(_ lineage: Identifier, as of: Stamp) -> PlainBuffer? {
        if let bytes = store.history[lineage]?[of] { return plain(bytes) }
        guard store.lineages[lineage]?.heads.contains(of) == true, let bytes = store.contents[lineage] else {
            return nil
        }
        return plain(bytes)
    }

    private func plain(_ bytes: [UInt8]) -> PlainBuffer {
        var buffer = PlainBuffer(capacity: bytes.count)
        unsafe buffer.append(bytes.span.bytes)
        return buffer
    }

    func seal(_ bytes: borrowing PlainBuffer, for lineage: Identifier, replaces: [Stamp]) -> ContentChange {
        let array = bytes.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
        return ContentChange(
            lineage: lineage, stamp: nextStamp(), replaces: replaces,
            modified: Timestamp(seconds: 0, nanoseconds: 0), reference: .memory(array, lineage), column: array)
    }

    func noteOwn(_ change: OwnChange) { store.own.append(change) }

    func takeNotices() -> [Notice] {
        defer { store.notices = [] }
        return store.notices
    }
}
