import Format
import Sealing
import Sync

extension MemoryTransaction {
    // MARK: Snapshots

    func forEachRegister(_ body: (SnapshotRegister) throws(SyncError) -> Void) throws(SyncError) {
        let named = Set(store.entries.values.map(\.placement.lineage))
        for (lineage, register) in store.lineages.sorted(by: { $0.key < $1.key }) where named.contains(lineage) {
            try body(.lineage(register, content: content(of: lineage)))
        }
        let directories = Dictionary(
            store.entries.values.map { ($0.placement.lineage, $0.placement.parent) },
            uniquingKeysWith: { one, _ in one })
        func depth(_ register: EntryRegister) -> Int {
            var (walk, depth) = (register.placement.parent, 0)
            while let above = directories[walk], depth < 64 { (walk, depth) = (above, depth + 1) }
            return depth
        }
        let ordered = store.entries.values.map { (depth($0), $0) }
            .sorted { ($0.0, $0.1.placement.entry) < ($1.0, $1.1.placement.entry) }
        for (_, register) in ordered { try body(.entry(register)) }
    }

    func restore(_ register: SnapshotRegister) throws(SyncError) {
        switch register {
        case .lineage(let known, let content):
            let lineage = known.attributes.lineage
            store.lineages[lineage] = known
            store.contents[lineage] = content.map { bytes(of: $0) }
            store.replaces[lineage] = content?.replaces
        case .entry(let register): try put(register)
        }
    }

    // MARK: Going on as another device

    func becomeDevice(_ device: Identifier, after heard: UInt64, reissuing unpublished: [OwnChange]) {
        let before = store.device
        store.device = device
        store.own = unpublished + store.own
        store.segmented = store.lamport
        // What others have heard of stays as it is: an entry that was removed is not put back by it.
        let isUnheard = { (stamp: Stamp) in stamp.device == before && stamp.lamport > heard }
        for change in store.own {
            switch change {
            case .entry(let entry):
                guard let placement = store.entries[entry]?.placement else { continue }
                restamp(placement.lineage, where: isUnheard)
                guard isUnheard(placement.stamp) else { continue }
                let stamp = nextStamp()
                store.entries[entry]?.placement.stamp = stamp
            case .removal(let entry):
                guard var register = store.entries[entry] else { continue }
                for index in register.removals.indices where isUnheard(register.removals[index].stamp) {
                    register.removals[index].stamp = nextStamp()
                }
                store.entries[entry] = register
            case .lineage(let lineage), .whole(let lineage): restamp(lineage, where: isUnheard)
            }
        }
    }

    private func restamp(_ lineage: Identifier, where isUnheard: (Stamp) -> Bool) {
        guard var known = store.lineages[lineage] else { return }
        if isUnheard(known.attributes.stamp) { known.attributes.stamp = nextStamp() }
        if known.heads.contains(where: isUnheard) {
            known.heads = (known.heads.filter { !isUnheard($0) } + [nextStamp()]).sorted(by: >)
        }
        store.lineages[lineage] = known
    }

    // MARK: Blobs

    /// Contents of more than 200 bytes are cut into chunks of 100, each of which is an object of its own.
    func chunks(of bytes: [UInt8]) -> [ChunkReference] {
        guard bytes.count > 200 else { return [] }
        return stride(from: 0, to: bytes.count, by: 100).map { start in
            let blob = Array(bytes[start..<min(start + 100, bytes.count)])
            let hash = unsafe Digest.blake2b128(blob.span.bytes)
            let slot = Int64(bitPattern: hash.0 & 0x7FFF_FFFF_FFFF_FFFF | 1)
            store.blobs[slot] = blob
            return ChunkReference(slot: slot, hash: Identifier(low: hash.0, high: hash.1))
        }
    }

    /// The plaintext of a content.
    func bytes(of content: ContentChange) -> [UInt8] {
        content.chunks.isEmpty ? content.column : content.chunks.flatMap { store.blobs[$0.slot] ?? [] }
    }

    func hasBlob(_ slot: Int64) -> Bool { store.blobs[slot] != nil }
    func blob(of slot: Int64) -> [UInt8]? { store.blobs[slot] }
    func addBlob(_ slot: Int64, _ bytes: [UInt8]) { store.blobs[slot] = bytes }
}
