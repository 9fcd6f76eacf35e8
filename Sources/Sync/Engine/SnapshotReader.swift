internal import Format
internal import Sealing

/// A snapshot at the remote whose manifest is what a device of the vault has written.
struct FoundSnapshot: Sendable {
    let name: SnapshotName
    let manifest: SnapshotManifest
    /// In bytes.
    let size: Int
    let path: RemotePath
    /// Of the account key that it is sealed with.
    let epoch: UInt32

    var known: KnownSnapshot { KnownSnapshot(name: name, seen: manifest.seen) }
}

/// The parts of a snapshot, sealed as they are at the remote, and what they name.
struct SnapshotParts: Sendable {
    let parts: [[UInt8]]
    let chunks: [ChunkReference]
    /// About how many bytes the chunks have.
    let chunkBytes: Int
}

extension ContentChange {
    /// About how many bytes the chunks have that are objects of their own.
    var chunkBytes: Int {
        let count = chunks.reduce(0) { $0 + ($1.embedded.isEmpty ? 1 : 0) }
        return min(count * Limits.blob, Int(clamping: reference.size) + count * (Limits.blob - Limits.chunkSize))
    }
}

/// Checks what the remote gives for a snapshot.
struct SnapshotReader: Sendable {
    let keys: SyncKeys

    /// The manifest; nil where it is not what its name says, or signed by nobody that the admin key vouches for.
    func manifest(_ bytes: [UInt8], _ name: SnapshotName, _ hash: Identifier, _ state: SyncState) -> SnapshotManifest? {
        guard Identifier(hashing: bytes) == hash, let object = SignedObject(.snapshot, bytes),
            object.header.device == name.device.pair, object.header.sequence == name.sequence,
            object.header.index == 1, let opened = object.open(with: state.ring),
            let manifest = try? opened.plain.withBytes({ (bytes) throws(FormatError) in
                try SnapshotManifest(decoding: bytes)
            }),
            manifest.seen[name.device]?.sequence == name.sequence,
            Int(object.header.count) == manifest.parts.count + 1,
            LogReader.isReached(
                manifest.lamport, from: manifest.seen.positions.values.reduce(0) { max($0, $1.lamport) }),
            let signer = state.members[name.device]?.signingKey ?? enrolled(name.device, in: manifest),
            object.isSigned(by: signer)
        else { return nil }
        return manifest
    }

    /// The registers of a part: the signed manifest names its hash, so that the device's signature covers it.
    func part(_ bytes: [UInt8], _ found: FoundSnapshot, _ index: Int, _ ring: KeyRing) -> [SnapshotRegister]? {
        guard found.manifest.parts.indices.contains(index), Identifier(hashing: bytes) == found.manifest.parts[index],
            let object = SignedObject(.snapshot, bytes), object.header.device == found.name.device.pair,
            object.header.sequence == found.name.sequence, Int(object.header.index) == index + 2,
            let opened = object.open(with: ring)
        else { return nil }
        return try? opened.plain.withBytes { (bytes) throws(FormatError) in try SnapshotPart(decoding: bytes).registers
        }
    }

    /// The key of a device that this one does not know yet, vouched for by the admin key.
    private func enrolled(_ device: Identifier, in manifest: SnapshotManifest) -> [UInt8]? {
        guard let admin = Genesis.adminKey(keys.genesis),
            let member = manifest.members.first(where: { $0.device == device }),
            let enrolment = Enrolment(member.enrolment, vault: keys.vault.pair, admin: admin),
            enrolment.device == device.bytes
        else { return nil }
        return Array(enrolment.deviceKeys.prefix(32))
    }
}

extension SyncEngine {
    /// The snapshots at the remote whose manifests are right, the one that covers most first.
    func manifests(
        _ wanted: [SnapshotName]? = nil, isAnnounced: Bool = true
    ) async throws(SyncError) -> [FoundSnapshot] {
        var names = wanted ?? []
        if wanted == nil {
            for item in try await list(Layout.snapshots) where item.isFolder && names.count < Limits.devices {
                if let name = Layout.snapshotName(item.name) { names.append(name) }
            }
        }
        var found: [FoundSnapshot] = []
        for name in names {
            let candidates = try await list(Layout.snapshot(name)).compactMap { Layout.numbered($0.name) }
                .filter { $0.number == 1 }.prefix(8)
            guard !candidates.isEmpty else { continue }
            let paths = candidates.map { Layout.part(name, 1, $0.hash) }
            for (index, bytes) in try await read(paths, limit: Limits.segment).enumerated() {
                if case .missing = bytes { hasMissed = true }
                guard case .bytes(let bytes) = bytes, index < candidates.count else { continue }
                let hash = candidates[candidates.startIndex + index].hash
                guard let manifest = SnapshotReader(keys: keys).manifest(bytes, name, hash, state) else {
                    // Of an epoch that is still to come it is nothing yet.
                    let epoch = SignedObject(.snapshot, bytes)?.header.epoch ?? 0
                    if isNewer(.snapshot, bytes, hash) {
                        report.newer.append(paths[index].description)
                    } else if epoch <= state.ring.current.epoch {
                        report.damaged.append(paths[index].description)
                    }
                    continue
                }
                found.append(
                    FoundSnapshot(
                        name: name, manifest: manifest, size: bytes.count, path: paths[index],
                        epoch: SignedObject(.snapshot, bytes)?.header.epoch ?? 0))
            }
        }
        found.sort { $0.known.order > $1.known.order }
        return isAnnounced ? try await counting(found) : found.filter { isInStanding($0.name) }
    }

    /// The parts of a snapshot as they are at the remote, each of them checked; nil where one is not there as it should be.
    /// They are kept sealed: what they hold is opened one after the other.
    func readParts(_ found: FoundSnapshot) async throws(SyncError) -> SnapshotParts? {
        let hashes = found.manifest.parts
        var (parts, chunks, chunkBytes): ([[UInt8]], [ChunkReference], Int) = ([], [], 0)
        while parts.count < hashes.count {
            try checkCancellation()
            let range = parts.count..<min(parts.count + 8, hashes.count)
            let paths = range.map { Layout.part(found.name, UInt32(truncatingIfNeeded: $0 + 2), hashes[$0]) }
            let bytes = try await read(paths, limit: Limits.segment)
            for (offset, index) in range.enumerated() {
                guard offset < bytes.count, case .bytes(let part) = bytes[offset],
                    let registers = SnapshotReader(keys: keys).part(part, found, index, state.ring)
                else {
                    hasMissed = true
                    report.damaged.append(paths[offset].description)
                    return nil
                }
                parts.append(part)
                chunks += self.chunks(of: registers)
                for case .lineage(_, let content?) in registers { chunkBytes += content.chunkBytes }
            }
            environment.progress(
                SyncProgress(
                    phase: .snapshot, done: parts.count, total: hashes.count,
                    bytes: UInt64(parts.reduce(0) { $0 + $1.count })))
        }
        return SnapshotParts(parts: parts, chunks: chunks, chunkBytes: chunkBytes)
    }
}
