internal import Format
internal import Sealing

/// The chunks of large contents that are objects of their own.
extension SyncEngine {
    /// How many blobs are moved at once, 64 KiB each.
    private static var batch: Int { 16 }

    /// The chunks that changes name and that are not in them.
    nonisolated func chunks(of changes: [Change]) -> [ChunkReference] {
        var chunks: [ChunkReference] = []
        for case .content(let content) in changes { chunks += content.chunks.filter { $0.embedded.isEmpty } }
        return chunks
    }

    nonisolated func chunks(of registers: [SnapshotRegister]) -> [ChunkReference] {
        var chunks: [ChunkReference] = []
        for case .lineage(_, let content?) in registers { chunks += content.chunks.filter { $0.embedded.isEmpty } }
        return chunks
    }

    nonisolated func path(_ chunk: ChunkReference) -> RemotePath { Layout.blob(keys.blobName(chunk.slot), chunk.hash) }

    /// Where a program from before has put it.
    nonisolated func oldPath(_ chunk: ChunkReference) -> RemotePath {
        Layout.oldBlob(keys.oldBlobName(chunk.slot), chunk.hash)
    }

    /// Whether the remote has blobs under the names of before: one listing, instead of one for each of 256 folders.
    func hasOldBlobs() async throws(SyncError) -> Bool { try await !list(Layout.oldBlobs).isEmpty }

    /// Uploads the chunks that are not at the remote yet, sealed for the epoch of what names them.
    func pushBlobs(_ chunks: [ChunkReference], _ epochKeys: EpochKeys) async throws(SyncError) {
        var wanted: [ChunkReference] = []
        var names = Set<Identifier>()
        for chunk in chunks where !knownBlobs.contains(chunk.hash) && names.insert(chunk.hash).inserted {
            wanted.append(chunk)
        }
        // An edit of a large file names all its chunks, most of which are there.
        if wanted.count > 4 {
            try await listBlobs(wanted.map(path))
            wanted.removeAll { knownBlobs.contains($0.hash) }
            // What is there under its old name stays there: sending it again would only take time and room.
            if !wanted.isEmpty, try await hasOldBlobs() {
                try await listBlobs(wanted.map(oldPath))
                wanted.removeAll { knownBlobs.contains($0.hash) }
            }
        }
        while !wanted.isEmpty {
            try checkCancellation()
            let part = Array(wanted.prefix(SyncEngine.batch))
            wanted.removeFirst(part.count)
            let blobs = try replica.transaction { (replica) throws(SyncError) in
                var blobs: [(ChunkReference, [UInt8])] = []
                for chunk in part { if let bytes = try replica.blob(of: chunk.slot) { blobs.append((chunk, bytes)) } }
                return blobs
            }
            let sealed = blobs.map { chunk, bytes in
                SealedBlob.seal(
                    bytes, slot: chunk.slot, hash: chunk.hash.pair, keys: epochKeys, vault: keys.vault.pair)
            }
            try await create(zip(blobs, sealed).map { RemoteObject(path: path($0.0), bytes: $1) })
            knownBlobs.formUnion(blobs.map { $0.0.hash })
            let total = blobs.reduce(0) { $0 + $1.1.count }
            try changeState { $0.volume.add(total) }
        }
    }

    /// Which blobs the remote has, in the folders of those that are asked for. One of another size than a whole chunk is
    /// left to be written again: it may be the rest of a torn upload.
    private func listBlobs(_ wanted: [RemotePath]) async throws(SyncError) {
        let folders = Set(wanted.map { RemotePath(Array($0.components.dropLast())) ?? .top })
        for folder in folders.sorted() {
            for item in try await list(folder) where item.size == UInt64(Limits.blob + SealedBlob.overhead) {
                if let hash = Identifier(hexadecimal: item.name.suffix(32)) { knownBlobs.insert(hash) }
            }
        }
    }

    /// Fetches chunks that are not in the replica; how many bytes came, or nil where one is not there.
    func fetchBlobs(of chunks: [ChunkReference]) async throws(SyncError) -> Int? {
        guard !chunks.isEmpty else { return 0 }
        var missing = try replica.transaction { (replica) throws(SyncError) in
            var missing: [ChunkReference] = []
            for chunk in chunks where try !replica.hasBlob(chunk.slot) { missing.append(chunk) }
            return missing
        }
        var total = 0
        while !missing.isEmpty {
            try checkCancellation()
            let part = Array(missing.prefix(SyncEngine.batch))
            missing.removeFirst(part.count)
            let found = try await readBlobs(part)
            var blobs: [(Int64, [UInt8])] = []
            for (index, chunk) in part.enumerated() {
                guard index < found.count, case .bytes(let object) = found[index].bytes,
                    let bytes = SealedBlob.open(object, slot: chunk.slot, ring: state.ring),
                    Identifier(hashing: bytes) == chunk.hash
                else {
                    hasMissed = true
                    report.damaged.append((index < found.count ? found[index].path : path(chunk)).description)
                    return nil
                }
                blobs.append((chunk.slot, bytes))
                total += bytes.count
            }
            let arrived = blobs
            try replica.transaction { (replica) throws(SyncError) in
                for (slot, bytes) in arrived { try replica.addBlob(slot, bytes) }
            }
        }
        return total
    }

    /// Blobs where they are: under their names, or under those of before. The places that had the last ones are asked first, so
    /// that a device that joins at an old remote does not ask twice for each.
    private func readBlobs(
        _ chunks: [ChunkReference]
    ) async throws(SyncError) -> [(path: RemotePath, bytes: RemoteBytes)] {
        let limit = Limits.blob + SealedBlob.overhead
        let now = chunks.map(path)
        let before = chunks.map(oldPath)
        let (likelier, other) = isOldBlobLikelier ? (before, now) : (now, before)
        let first = try await read(likelier, limit: limit)
        var found = zip(likelier, first).map { (path: $0, bytes: $1) }
        let missing = found.indices.filter { found[$0].bytes == .missing }
        guard !missing.isEmpty else { return found }
        let others = try await read(missing.map { other[$0] }, limit: limit)
        for (index, bytes) in zip(missing, others) where bytes != .missing { found[index] = (other[index], bytes) }
        if missing.count == chunks.count, others.contains(where: { $0 != .missing }) { isOldBlobLikelier.toggle() }
        return found
    }
}
