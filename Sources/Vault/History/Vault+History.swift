public import Format
internal import Glibc
public import Sealing
internal import Synchronization
public import SystemPackage

/// One earlier version of an entry.
public struct Version: Sendable, Equatable {
    /// By which ``Vault/read(version:_:)`` finds it.
    public let slot: Int64
    /// In bytes.
    public let size: UInt64
    public let modified: Timestamp
    /// When the next version took its place.
    public let superseded: Timestamp
}

extension Vault {
    /// The earlier versions of what stands at `node`, newest first: those of the file itself, then
    /// those of the file that it took the place of.
    public func history(of node: Node) throws(Errno) -> [Version] {
        let slot = try tree.withLock { (tree) throws(Errno) in try tree.inode(node).slot }
        guard slot != 0 else { return [] }
        return try withReader { (reader) throws(Errno) in
            let heads = try unsafe reader.file(slot) { (record, _) throws(Errno) in (record.history, record.predecessor)
            }
            var versions: [Version] = []
            var walk = [heads.1, heads.0].filter { $0 != 0 }
            while let slot = walk.popLast(), versions.count < Limits.versionsMost * 4 {
                try unsafe reader.version(slot) { (record, _) throws(Errno) in
                    versions.append(
                        Version(
                            slot: slot, size: record.content.size, modified: record.modified,
                            superseded: record.superseded))
                    if record.predecessor != 0 { walk.append(record.predecessor) }
                    if record.previous != 0 { walk.append(record.previous) }
                }
            }
            return versions
        }
    }

    /// The content of an earlier version.
    public func read(version: Version) throws(Errno) -> PlainBuffer {
        var target = PlainBuffer(capacity: 0)
        try withReader { (reader) throws(Errno) in
            let (content, chunks) = try unsafe reader.version(version.slot) { (record, sealed) throws(Errno) in
                if record.content.kind == .inline {
                    try unsafe reader.openContent(sealed, record.content, into: &target)
                }
                return (record.content, try unsafe Vault.chunks(record.content, sealed, reader))
            }
            target.resize(to: Int(content.size))
            for (index, slot) in chunks.enumerated() where slot != 0 {
                let start = index * Limits.chunkSize
                let end = min(target.count, start + Limits.chunkSize)
                try unsafe target.withUnsafeMutableBytes { (bytes) throws(Errno) in
                    try unsafe reader.chunk(
                        slot, file: content.origin, index: index, skip: 0,
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end]))
                }
            }
        }
        return target
    }

    // MARK: Inside a transaction

    /// Keeps the present content of a file as a version, before another takes its place.
    func saveVersion(of record: inout FileRecord, slot: Int64, in committer: Committer) throws(Errno) {
        let version = VersionRecord(
            file: record.identifier, previous: record.history, predecessor: 0, modified: record.modified,
            superseded: .now(), mode: record.mode, content: record.content, stamp: record.heads.first ?? .zero,
            twins: Array(record.heads.dropFirst()))
        record.history = try insert(version, contentOf: slot, in: committer)
        record.countVersion(version)
        try trimHistory(of: &record, in: committer)
    }

    /// Makes `old`, whose last name went to `new`, the version before everything that `new` has. Its
    /// row goes, unless programs have it open: then it goes when they close it.
    ///
    /// - Parameter present: the chunks of the new file's content where the tree does not have that yet.
    func supersede(
        _ old: FileRecord, slot: Int64, seal: Seal, isOpen: Bool, by new: inout FileRecord, present: [Int64]? = nil,
        in committer: Committer
    ) throws(Errno) {
        let version = VersionRecord(
            file: old.identifier, previous: old.history, predecessor: old.predecessor, modified: old.modified,
            superseded: .now(), mode: old.mode, content: old.content, stamp: old.heads.first ?? .zero,
            twins: Array(old.heads.dropFirst()))
        let versionSlot = try insert(version, contentOf: slot, in: committer)
        try append(version: versionSlot, to: &new, in: committer)
        new.versions &+= old.versions
        new.countVersion(version)
        if isOpen {
            var old = old
            old.detached = versionSlot
            committer.openVersions[versionSlot] = slot
            (old.history, old.predecessor, old.versions, old.oldestVersion) = (0, 0, 0, 0)
            unsafe try committer.putFile(old, slot: slot, previous: seal, content: .keep)
        } else {
            try committer.deleteFile(slot, seal)
        }
        try trimHistory(of: &new, present: present, in: committer)
    }

    /// Puts a version, with what it has behind it, behind all others.
    private func append(version: Int64, to record: inout FileRecord, in committer: Committer) throws(Errno) {
        guard record.predecessor != 0 else { return record.predecessor = version }
        var last = record.predecessor
        var (found, seal) = try committer.loadVersion(last)
        while found.predecessor != 0 {
            last = found.predecessor
            (found, seal) = try committer.loadVersion(last)
        }
        found.predecessor = version
        unsafe try committer.putVersion(found, slot: last, previous: seal, content: .keep)
    }

    private func insert(_ version: VersionRecord, contentOf file: Int64, in committer: Committer) throws(Errno) -> Int64
    {
        let slot = committer.freshSlot()
        unsafe try committer.putVersion(version, slot: slot, previous: nil, content: .none)
        if version.content.kind != .none { try committer.copyContent(ofFile: file, toVersion: slot) }
        return slot
    }

    /// Drops versions when there are too many, thinned by age, and those that are too old. Rare, so that its cost is
    /// spread over many saves.
    private func trimHistory(
        of record: inout FileRecord, present: [Int64]? = nil, in committer: Committer
    ) throws(Errno) {
        let now = Timestamp.now().seconds
        let tooOld = now - Int64(keeping.versionDays) * 86400
        guard Int(record.versions) > Limits.versionsMost || record.oldestVersion < tooOld else { return }
        let chain = try VersionChain(of: record, committer)
        let protected = chain.protected(behind: record, own: committer.root.device, now: now)
        let times = chain.items.map(\.record.superseded.seconds)
        var doomed = Set(times.indices.filter { times[$0] < tooOld && !protected.contains($0) })
        if times.count - doomed.count > Limits.versionsMost {
            doomed.formUnion(
                Thinning.excess(times, now: now, keeping: Limits.versionsKept) { !protected.contains($0) })
        }
        let chunks: [Int64]
        if let present { chunks = present } else { chunks = try presentChunks(of: record, committer) }
        let slots = Set(doomed.map { chain.items[$0].slot })
        try drop(slots, from: chain, of: &record, present: chunks, in: committer)
    }

    private func presentChunks(of record: FileRecord, _ committer: Committer) throws(Errno) -> [Int64] {
        guard record.content.kind == .chunks,
            let node = tree.withLock({ $0.node(of: record.identifier) })
        else { return [] }
        let slot = tree.withLock { tree in tree.inode(at: UInt32(truncatingIfNeeded: node.index)).slot }
        return try chunkListInTransaction(.file, slot, record.content, committer)
    }

    /// Reads a chunk list through the writer's connection: what this transaction wrote is seen.
    func chunkListInTransaction(
        _ table: Table, _ slot: Int64, _ content: ContentReference, _ committer: Committer
    ) throws(Errno) -> [Int64] {
        guard content.kind == .chunks else { return [] }
        return unsafe try committer.contentColumn(table, slot) { (sealed) throws(Errno) in
            var plain = PlainBuffer(capacity: sealed.count)
            plain.resize(to: sealed.count)
            let data = keys.contentData(content)
            let opened = unsafe plain.withUnsafeMutableBytes {
                unsafe keys.record.open(sealed, content.seal.seal, data, into: $0)
            }
            guard opened else { throw .ioError }
            return try plain.withBytes { (bytes) throws(Errno) in
                try ContentCoding.chunks(bytes, size: content.size)
            }
        }
    }

    /// Deletes a file's row with its chunks and all its versions: nothing points at it any more.
    func eraseFile(_ slot: Int64, in committer: Committer) throws(Errno) {
        let (record, seal) = try committer.loadFile(slot)
        var chunks = Set(try chunkListInTransaction(.file, slot, record.content, committer))
        // A file that was replaced while programs have it open still reads what it shares with one of the versions.
        var read = Set<Int64>()
        for item in try VersionChain(of: record, committer).items {
            chunks.formUnion(try chunkListInTransaction(.version, item.slot, item.record.content, committer))
            if let reading = committer.openVersions[item.slot], try committer.has(.file, slot: reading) {
                let other = try committer.loadFile(reading).0
                read.formUnion(try chunkListInTransaction(.file, reading, other.content, committer))
            }
            try committer.deleteVersion(item.slot, item.seal)
        }
        chunks.subtract(read)
        // The version that this file became has its chunks from then, unless it was dropped, and they with it.
        let isReplaced = record.detached != 0
        if isReplaced {
            chunks.subtract(try self.chunks(ofVersion: record.detached, committer))
            committer.openVersions[record.detached] = nil
        }
        for slot in chunks where slot != 0 {
            if isReplaced, try !committer.has(.chunk, slot: slot) { continue }
            try committer.deleteChunk(slot)
        }
        try committer.deleteFile(slot, seal)
    }
}

extension FileRecord {
    /// Notes one more version in the history.
    mutating func countVersion(_ version: VersionRecord) {
        versions &+= 1
        if oldestVersion == 0 { oldestVersion = version.superseded.seconds }
    }
}
