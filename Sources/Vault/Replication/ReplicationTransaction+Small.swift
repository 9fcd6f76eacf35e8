public import Format
public import Sealing
internal import Synchronization
public import SystemPackage

/// Small contents that the engine looks into to settle a conflict: opened into wiped memory only.
extension ReplicationTransaction {
    /// The present content of a lineage as it is pushed; nil where there never was one, and for what is too large to be
    /// shared.
    public func content(of lineage: Identifier) throws(Errno) -> ContentChange? {
        guard let file = try file(of: lineage) else { return nil }
        return try content(of: try committer.loadFile(file.slot).0, file.slot)
    }

    func content(of record: FileRecord, _ slot: Int64) throws(Errno) -> ContentChange? {
        guard let stamp = record.heads.first else { return nil }
        var change = ContentChange(
            lineage: record.lineage, stamp: stamp, replaces: record.replaced, modified: record.saved ?? record.modified,
            reference: record.content)
        guard record.content.kind != .none else { return change }
        change.column = unsafe try committer.contentColumn(.file, slot) { unsafe [UInt8]($0) }
        let list = try vault.chunkListInTransaction(.file, slot, record.content, committer).filter { $0 != 0 }
        guard change.column.count <= Limits.sharedColumn, list.count <= Limits.sharedChunks else { return nil }
        change.chunks = try references(to: list)
        return change
    }

    /// The chunks of a content as they are pushed.
    func references(to chunks: [Int64]) throws(Errno) -> [ChunkReference] {
        var references: [ChunkReference] = []
        references.reserveCapacity(chunks.count)
        for chunk in chunks {
            let blob = try vault.blob(of: chunk, in: committer)
            let hash = unsafe Digest.blake2b128(blob.span.bytes)
            references.append(
                ChunkReference(
                    slot: chunk, hash: Identifier(low: hash.0, high: hash.1),
                    embedded: blob.count <= Limits.embeddedBlob ? blob : []))
        }
        return references
    }

    /// Opens a content of at most 64 KiB; nil for others, and where it does not open.
    public func open(_ content: ContentChange) throws(Errno) -> PlainBuffer? {
        guard content.reference.size <= UInt64(Limits.chunkSize) else { return nil }
        var blob: [UInt8] = []
        if let chunk = content.chunks.first {
            blob = chunk.embedded
            if blob.isEmpty {
                guard try committer.has(.chunk, slot: chunk.slot) else { return nil }
                blob = try vault.blob(of: chunk.slot, in: committer)
            }
        }
        return open(content.reference, content.column, content.chunks.first?.slot, blob)
    }

    /// Opens the version of a lineage that had the stamp, present or in the history; nil where it is not there any more,
    /// is larger than 64 KiB, or does not open.
    public func open(_ lineage: Identifier, as stamp: Stamp) throws(Errno) -> PlainBuffer? {
        guard let file = try file(of: lineage) else { return nil }
        let record = try committer.loadFile(file.slot).0
        if record.heads.contains(stamp) { return try open(.file, file.slot, record.content) }
        var walk = [record.predecessor, record.history].filter { $0 != 0 }
        while let slot = walk.popLast() {
            let version = try committer.loadVersion(slot).0
            if version.stamp == stamp || version.twins.contains(stamp) {
                return try open(.version, slot, version.content)
            }
            walk += [version.predecessor, version.previous].filter { $0 != 0 }
        }
        return nil
    }

    private func open(_ table: Table, _ slot: Int64, _ reference: ContentReference) throws(Errno) -> PlainBuffer? {
        guard reference.size <= UInt64(Limits.chunkSize) else { return nil }
        let column = unsafe try committer.contentColumn(table, slot) { unsafe [UInt8]($0) }
        let chunk = try vault.chunkListInTransaction(table, slot, reference, committer).first { $0 != 0 }
        var blob: [UInt8] = []
        if let chunk { blob = try vault.blob(of: chunk, in: committer) }
        return open(reference, column, chunk, blob)
    }

    private func open(
        _ reference: ContentReference, _ column: [UInt8], _ chunk: Int64?, _ blob: [UInt8]
    ) -> PlainBuffer? {
        let size = Int(reference.size)
        switch reference.kind {
        case .none: return PlainBuffer.zeroes(size)
        case .inline:
            guard var plain = vault.openColumn(column, reference), plain.count >= size else { return nil }
            plain.resize(to: size)
            return plain
        case .chunks:
            guard let chunk else { return PlainBuffer.zeroes(size) }
            guard let seal = Seal(stored: blob), blob.count <= Limits.blob else { return nil }
            var plain = PlainBuffer(capacity: blob.count)
            plain.resize(to: blob.count - Seal.size)
            let data = vault.keys.chunkData(file: reference.origin, slot: chunk, index: 0)
            let isOpen = unsafe blob.withRawBytes { sealed in
                unsafe plain.withUnsafeMutableBytes { target in
                    unsafe vault.keys.chunk.open(
                        UnsafeRawBufferPointer(rebasing: sealed[Seal.size...]), seal, data, into: target)
                }
            }
            guard isOpen else { return nil }
            plain.resize(to: size)
            return plain
        }
    }

    /// Seals bytes as a content of a lineage, under a stamp of its own. ``put(_:heads:rivals:)`` takes it.
    ///
    /// - Throws: EFBIG above 64 KiB.
    public func seal(
        _ bytes: borrowing PlainBuffer, for lineage: Identifier, replaces: [Stamp]
    ) throws(Errno) -> ContentChange {
        guard bytes.count <= Limits.chunkSize else { throw .fileTooLarge }
        guard replaces.count <= Limits.stamps else { throw .invalidArgument }
        var reference = ContentReference(
            kind: .none, version: 1, size: UInt64(bytes.count), seal: .zero, origin: .fresh())
        var change = ContentChange(
            lineage: lineage, stamp: nextStamp(), replaces: replaces, modified: .now(), reference: reference)
        guard bytes.count > 0 else { return change }
        var plain = PlainBuffer(capacity: bytes.count)
        bytes.withBytes { plain.append($0) }
        plain.resize(to: min(Limits.chunkSize, Padding.padme(plain.count, floor: Limits.recordFloor)))
        if bytes.count > Limits.inlineContent {
            let chunk = sealed(plain, as: reference.origin)
            change.chunks = [chunk]
            ContentCoding.encode(chunks: [chunk.slot], into: &plain)
        }
        reference.kind = bytes.count > Limits.inlineContent ? .chunks : .inline
        var column = PlainBuffer(capacity: plain.count)
        unsafe plain.withUnsafeBytes { unsafe committer.sealContent($0, &reference, into: &column) }
        change.reference = reference
        change.column = column.withBytes { $0.array }
        return change
    }

    private func sealed(_ plain: borrowing PlainBuffer, as file: Identifier) -> ChunkReference {
        let slot = committer.freshSlot()
        let data = vault.keys.chunkData(file: file, slot: slot, index: 0)
        let piece = plain.withBytes { vault.keys.chunk.seal($0, data) }
        var blob = PlainBuffer(capacity: Limits.blob)
        SealBytes(piece.seal).encode(into: &blob)
        piece.cipher.withBytes { blob.append($0) }
        let bytes = blob.withBytes { $0.array }
        let hash = unsafe Digest.blake2b128(bytes.span.bytes)
        return ChunkReference(slot: slot, hash: Identifier(low: hash.0, high: hash.1), embedded: bytes)
    }
}

extension PlainBuffer {
    fileprivate static func zeroes(_ count: Int) -> PlainBuffer {
        var buffer = PlainBuffer(capacity: count)
        buffer.resize(to: count)
        return buffer
    }
}
