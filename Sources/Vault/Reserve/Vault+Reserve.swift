internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// What could not be saved goes into the reserve when the vault has to be locked at once.
extension Vault {
    /// Sets room aside beside the vault, until it is closed: see ``Reserve``.
    public func keepReserve() { reserve.keep() }

    /// Puts what is not saved into the reserve, or gives that back.
    func closeReserve(_ unsaved: Unsaved, discarding: Bool) {
        if unsaved.isEmpty {
            settleReserve()
        } else if !discarding, unsaved.count > 0 {
            let lost = reserveUnsaved()
            troubles.withLock { $0 }.call?(.locked(kept: max(0, unsaved.count - lost), lost: lost))
        }
        if reserve.isFilled, !discarding { reserve.close() } else { reserve.remove() }
    }

    /// A content that could not be saved.
    private struct Candidate {
        let content: OpenContent
        let path: [UInt8]
        /// What its record takes of the reserve, in bytes.
        let cost: Int
    }

    /// Writes what could not be saved into the reserve, the smallest first, and the names of what has no room.
    ///
    /// - Returns: how many contents had none.
    private func reserveUnsaved() -> Int {
        let candidates = candidates().sorted { ($0.cost, $0.path.count) < ($1.cost, $1.path.count) }
        guard !candidates.isEmpty || reserve.isFilled else { return 0 }
        var rest = candidates[...]
        var lost: [[UInt8]] = []
        while let next = rest.popFirst() {
            // The names of the others have to find room, too.
            let names = rest.isEmpty && lost.isEmpty ? 0 : Vault.lostCost(lost + rest.map(\.path))
            guard next.cost + names <= reserve.room, write(next) else {
                lost.append(next.path)
                continue
            }
        }
        if !lost.isEmpty {
            var record = PlainBuffer(capacity: 4096)
            ReserveRecord.encodeLost(
                count: UInt32(truncatingIfNeeded: lost.count), paths: Vault.listed(lost), into: &record)
            _ = reserve.add(record)
        }
        reserve.synchronize()
        return lost.count
    }

    private func candidates() -> [Candidate] {
        contents.withLock { Array($0.values) }.compactMap { content in
            content.withLock { state -> Candidate? in
                guard state.isDirty, state.slot != 0, let path = path(of: state.node) else { return nil }
                // What the reserve gave back and nobody has changed since, it has still.
                if state.reserved == state.changes { return nil }
                let path8 = Array(path.utf8.prefix(Limits.reservedPath))
                let bytes = state.dirty.values.reduce(0) { $0 + $1.bytes.count + 8 }
                return Candidate(content: content, path: path8, cost: Reserve.cost(bytes + path8.count + 192))
            }
        }
    }

    /// How many bytes of names are written.
    private static let namesLimit = 16 << 10

    private static func listed(_ paths: [[UInt8]]) -> [[UInt8]] {
        var bytes = 0
        return Array(
            paths.prefix(Limits.reservedNames).prefix { path in
                bytes += path.count
                return bytes <= namesLimit
            })
    }

    private static func lostCost(_ paths: [[UInt8]]) -> Int {
        Reserve.cost(listed(paths).reduce(16) { $0 + $1.count + 2 })
    }

    private func write(_ candidate: Candidate) -> Bool {
        candidate.content.withLock { state in
            let slot = state.slot
            let reference = try? withReader { (reader) throws(Errno) in
                try unsafe reader.file(slot) { (record, _) throws(Errno) in record.content }
            }
            guard let reference else { return false }
            let kept = state.storedIsGone ? 0 : state.stored?.valid ?? min(state.keptSize, reference.size)
            let count = ContentCoding.chunkCount(state.size)
            let chunks = state.dirty.filter { $0.key < count }.sorted { $0.key < $1.key }
            let record = ReservedContent(
                path: candidate.path, file: state.file, base: reference, kept: min(kept, state.size, reference.size),
                size: state.size, modified: tree.withLock { (try? $0.inode(state.node).modified) ?? .now() })
            var plain = PlainBuffer(capacity: candidate.cost)
            record.encode(chunkCount: chunks.count, into: &plain)
            for (index, chunk) in chunks {
                plain.append(UInt32(truncatingIfNeeded: index))
                plain.append(UInt32(truncatingIfNeeded: chunk.bytes.count))
                chunk.bytes.withBytes { plain.append($0) }
            }
            return reserve.add(plain)
        }
    }
}
