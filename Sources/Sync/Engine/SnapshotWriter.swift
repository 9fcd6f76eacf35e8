internal import Format
internal import Sealing

/// Cuts registers into parts and seals them.
struct SnapshotWriter {
    let keys: SyncKeys
    let name: SnapshotName
    let link: KeyRing.Link
    private(set) var parts: [[UInt8]] = []
    /// The chunks that the registers name.
    private(set) var chunks: [ChunkReference] = []
    /// About how many bytes these are.
    private(set) var chunkBytes = 0
    private(set) var registers: UInt64 = 0
    private var waiting: [SnapshotRegister] = []
    private var size = 0

    /// - Parameter link: the account key of which it is sealed.
    init(keys: SyncKeys, name: SnapshotName, link: KeyRing.Link) {
        (self.keys, self.name, self.link) = (keys, name, link)
    }

    mutating func add(_ register: SnapshotRegister) {
        registers += 1
        waiting.append(register)
        size += register.encodedSize
        if case .lineage(_, let content?) = register {
            chunks += content.chunks.filter { $0.embedded.isEmpty }
            chunkBytes += content.chunkBytes
        }
        if size >= Limits.snapshotTarget { cut() }
    }

    private mutating func cut() {
        var plain = PlainBuffer(capacity: size + 64)
        SnapshotPart(registers: waiting).encode(into: &plain)
        parts.append(seal(plain, index: UInt32(truncatingIfNeeded: parts.count + 2), count: 0))
        (waiting, size) = ([], 0)
    }

    /// The manifest, which names all parts.
    mutating func finish(_ manifest: SnapshotManifest) -> [UInt8] {
        if !waiting.isEmpty { cut() }
        var manifest = manifest
        manifest.parts = parts.map { Identifier(hashing: $0) }
        var plain = PlainBuffer(capacity: 4096)
        manifest.encode(into: &plain)
        return seal(plain, index: 1, count: UInt32(truncatingIfNeeded: parts.count + 1))
    }

    private func seal(_ plain: consuming PlainBuffer, index: UInt32, count: UInt32) -> [UInt8] {
        var plain = plain
        plain.resize(to: Padding.padme(plain.count, floor: Limits.segmentFloor))
        let header = SignedObject.Header(
            epoch: link.epoch, device: name.device.pair, sequence: name.sequence, index: index, count: count)
        return plain.withBytes { plain in
            SignedObject.make(
                .snapshot, header, plain, key: link.keys.snapshot, vault: keys.vault.pair, signer: keys.signer)
        }
    }
}

/// Writing snapshots.
extension SyncEngine {
    /// A snapshot that has been made and is not at the remote yet. It is kept in memory only: after a crash another one is
    /// made, whose parts have other names; what is left of the first has no manifest and is no snapshot.
    struct MadeSnapshot: Sendable {
        let known: KnownSnapshot
        let manifest: [UInt8]
        let parts: [[UInt8]]
        let chunks: [ChunkReference]
        let chunkBytes: Int
        let registers: UInt64

        var bytes: UInt64 { UInt64((parts + [manifest]).reduce(chunkBytes) { $0 + $1.count }) }
    }

    /// Writes a snapshot of everything that this replica has, and says so in the own log.
    func writeSnapshot() async throws(SyncError) {
        let made = try makeSnapshot()
        // What it covers of the own log is there before it.
        try await sendOutbox()
        try await pushBlobs(made.chunks, state.ring.current.keys)
        let name = made.known.name
        var rest = Array(made.parts.enumerated())[...]
        while !rest.isEmpty {
            try checkCancellation()
            let part = rest.prefix(8)
            rest = rest.dropFirst(part.count)
            try await create(
                part.map { index, bytes in
                    RemoteObject(
                        path: Layout.part(name, UInt32(truncatingIfNeeded: index + 2), Identifier(hashing: bytes)),
                        bytes: bytes)
                })
            environment.progress(
                SyncProgress(
                    phase: .snapshot, done: made.parts.count - rest.count, total: made.parts.count, bytes: made.bytes))
        }
        try await create([
            RemoteObject(path: Layout.part(name, 1, Identifier(hashing: made.manifest)), bytes: made.manifest)
        ])
        try changeState {
            $0.add(made.known)
            $0.owesSnapshot = false
            $0.volume.restart(made.bytes, registers: made.registers)
        }
        report.hasCompacted = true
        try await publish()
    }

    private func makeSnapshot() throws(SyncError) -> MadeSnapshot {
        let before = state
        let (made, after) = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            // Every register is then of a segment, own or read.
            try build(replica, &next)
            if next.seen[own] == nil {
                next.pending.append(Notice(kind: .name, bytes: environment.deviceName))
                try build(replica, &next)
            }
            try forgetRemovals(replica, &next)
            let name = SnapshotName(device: own, sequence: next.seen[own]?.sequence ?? 0)
            var writer = SnapshotWriter(keys: keys, name: name, link: next.ring.current)
            try replica.forEachRegister { (register) throws(SyncError) in writer.add(register) }
            let manifest = writer.finish(next.manifest(lamport: replica.lamport))
            try save(next, after: before, in: replica)
            let made = MadeSnapshot(
                known: KnownSnapshot(name: name, seen: next.seen), manifest: manifest, parts: writer.parts,
                chunks: writer.chunks, chunkBytes: writer.chunkBytes, registers: writer.registers)
            return (made, next)
        }
        state = after
        return made
    }
}

extension SyncState {
    /// What a newcomer has to know besides the registers.
    func manifest(lamport: UInt64) -> SnapshotManifest {
        let isLarge = active.count > SyncState.vectorsInManifest
        let members = members.sorted { $0.key < $1.key }.map { device, member in
            SnapshotMember(
                device: device, enrolment: member.enrolment, revocation: member.revocation, name: member.name,
                seen: member.revokedAfter == nil && !isLarge ? seenBy[device] ?? VersionVector() : VersionVector(),
                acknowledged: acknowledged[device] ?? [])
        }
        return SnapshotManifest(lamport: lamport, seen: seen, members: members, kits: kits, notices: standing)
    }
}
