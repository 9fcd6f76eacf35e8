public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// Contents as they come from other devices: sealed, and checked before anything of them is written.
extension ReplicationTransaction {
    /// Gives a known lineage another content. A new file takes the place of the old one at all its names, as a save by
    /// renaming does: programs that have it open keep what they had, and it goes into the history.
    ///
    /// - Parameters:
    ///   - heads: the versions that it is.
    ///   - rivals: the versions that it competes with.
    /// - Throws: EINVAL for what is no such content, EIO where a chunk is missing, EBUSY while a program has written into
    ///   the file what is not committed yet.
    public func put(_ content: ContentChange, heads: [Stamp], rivals: [Stamp]) throws(Errno) {
        guard [heads, rivals, content.replaces].allSatisfy({ $0.count <= Limits.stamps }) else {
            throw .invalidArgument
        }
        let file = try file(bringingBack: content.lineage)
        var (record, seal) = try committer.loadFile(file.slot)
        let holes = try check(content, mode: record.mode)
        noteBefore(content: record)
        let isFirst = overlay.made.contains(content.lineage) && record.heads.isEmpty
        let owned = isFirst ? [] : try ownedChunks(record, file.slot, besides: content)
        try bringIn(content.chunks, owned: owned)
        var new = record
        (new.content, new.hasHoles) = (content.reference, holes > 0)
        (new.heads, new.replaced) = (heads, content.replaces)
        new.saved = content.modified == new.modified ? nil : content.modified
        try committer.setRivals(rivals, of: content.lineage, isContested: heads.count > 1)
        guard !isFirst else {
            try write(new, content.column, slot: file.slot, previous: seal)
            var inode = Inode(new, slot: file.slot, mounter: vault.mounter)
            inode.holes = holes
            return overlay.add(.content(inode))
        }
        try refuseWhileDirty(file)
        new.identifier = .fresh()
        new.inode = committer.root.nextInode
        committer.root.nextInode += 1
        (new.history, new.predecessor, new.versions, new.oldestVersion) = (0, 0, 0, 0)
        (new.successor, new.detached) = (.none, 0)
        let slot = committer.freshSlot()
        record.successor = .none
        try write(new, content.column, slot: slot, previous: nil)
        try retire(record, file, seal, &new, slot)
        try repoint(content.lineage, to: new.identifier)
        overlay.set(ReplicationOverlay.File(slot: slot, identifier: new.identifier), of: content.lineage)
        overlay.loose.insert(content.lineage)
        var inode = Inode(new, slot: slot, mounter: vault.mounter)
        inode.holes = holes
        overlay.add(.replace(file.identifier, inode, lineage: content.lineage))
    }

    private func write(
        _ record: FileRecord, _ column: [UInt8], slot: Int64, previous: Seal?
    ) throws(Errno) {
        guard record.content.kind != .none else {
            return unsafe try committer.putFile(record, slot: slot, previous: previous, content: .none)
        }
        try unsafe column.withRawBytes { (bytes) throws(Errno) in
            try unsafe committer.putFile(record, slot: slot, previous: previous, content: .bytes(bytes))
        }
    }

    /// The old file becomes the version before the new one, or goes where it was empty. One that a removed entry has
    /// stays that entry's.
    private func retire(
        _ old: FileRecord, _ file: ReplicationOverlay.File, _ seal: Seal, _ new: inout FileRecord, _ slot: Int64
    ) throws(Errno) {
        guard !isHeld(file) else {
            var old = old
            old.lineage = .fresh()
            return unsafe try committer.putFile(old, slot: file.slot, previous: seal, content: .keep)
        }
        let isOpen = !isFree(file.identifier)
        if old.content.size > 0 || old.history != 0 || old.predecessor != 0 {
            let chunks = try vault.chunkListInTransaction(.file, slot, new.content, committer)
            try vault.supersede(
                old, slot: file.slot, seal: seal, isOpen: isOpen, by: &new, present: chunks, in: committer)
            let (_, newSeal) = try committer.loadFile(slot)
            unsafe try committer.putFile(new, slot: slot, previous: newSeal, content: .keep)
        } else if !isOpen {
            try vault.eraseFile(file.slot, in: committer)
        }
        if isOpen { overlay.add(.doom(file.identifier)) }
    }

    /// Whether a file's row may go at once: nobody has it open, and from now on nobody can.
    func isFree(_ file: Identifier) -> Bool {
        vault.tree.withLock({ $0.node(of: file) }) == nil || vault.claim(file, in: committer)
    }

    /// What a program has written and nobody has committed would be lost with the old file: later.
    private func refuseWhileDirty(_ file: ReplicationOverlay.File) throws(Errno) {
        guard let node = vault.tree.withLock({ $0.node(of: file.identifier) }),
            let content = vault.knownContent(node)
        else { return }
        // Somebody is at work with what cannot be locked, and may wait for us.
        guard content.withLockIfAvailable({ !$0.isDirty }) == true else { throw .resourceBusy }
    }

    private func repoint(_ lineage: Identifier, to file: Identifier) throws(Errno) {
        for name in names(of: lineage) {
            guard let placed = placed(name), placed.slot != 0 else { continue }
            var (entry, seal) = try committer.loadEntry(placed.slot)
            entry.file = file
            try committer.putEntry(entry, slot: placed.slot, previous: seal)
        }
        overlay.lost[lineage]?.0.file = file
    }

    // MARK: Chunks

    /// Chunks that the old content and its history name already, as far as the new one names them again.
    private func ownedChunks(
        _ record: FileRecord, _ slot: Int64, besides content: ContentChange
    ) throws(Errno) -> Set<Int64> {
        guard !content.chunks.isEmpty else { return [] }
        var owned = Set(try vault.chunkListInTransaction(.file, slot, record.content, committer))
        var walk = [record.predecessor, record.history].filter { $0 != 0 }
        while let slot = walk.popLast() {
            // Most are those of the content before.
            guard try hasOther(content.chunks, than: owned) else { break }
            let version = try committer.loadVersion(slot).0
            owned.formUnion(try vault.chunkListInTransaction(.version, slot, version.content, committer))
            walk += [version.predecessor, version.previous].filter { $0 != 0 }
        }
        return owned
    }

    /// Whether there are chunks that somebody else names.
    private func hasOther(_ chunks: [ChunkReference], than owned: Set<Int64>) throws(Errno) -> Bool {
        for chunk in chunks where !owned.contains(chunk.slot) && committer.sync.waiting[chunk.slot] == nil {
            if try committer.has(.chunk, slot: chunk.slot) { return true }
        }
        return false
    }

    /// Sees to it that each chunk has a row, and that it is known how many files name it.
    private func bringIn(_ chunks: [ChunkReference], owned: Set<Int64>) throws(Errno) {
        for chunk in chunks {
            if try committer.has(.chunk, slot: chunk.slot) {
                if try committer.takeWaiting(chunk: chunk.slot) || owned.contains(chunk.slot) { continue }
                try committer.shareChunk(chunk.slot)
            } else {
                guard !chunk.embedded.isEmpty else { throw .ioError }
                let hash = unsafe Digest.blake2b128(chunk.embedded.span.bytes)
                guard Identifier(low: hash.0, high: hash.1) == chunk.hash else { throw .invalidArgument }
                try committer.put(blob: chunk.embedded, slot: chunk.slot)
            }
        }
    }

    /// Whether a content is one that this format can have, opens, and names the chunks that it comes with.
    ///
    /// - Returns: its ``Inode/holes``.
    private func check(_ content: ContentChange, mode: UInt32) throws(Errno) -> UInt32 {
        let (reference, column) = (content.reference, content.column)
        let type = mode & FileType.mask
        guard type == FileType.regular || type == FileType.symbolicLink, reference.size <= Limits.fileSize,
            column.count <= Limits.sharedColumn + 4096, content.chunks.count <= Limits.sharedChunks
        else { throw .invalidArgument }
        switch reference.kind {
        case .none:
            guard type == FileType.regular, reference.size == 0, column.isEmpty, content.chunks.isEmpty else {
                throw .invalidArgument
            }
        case .inline:
            let limit = type == FileType.regular ? Limits.inlineContent : Limits.symbolicLinkLength
            guard reference.size > 0, reference.size <= UInt64(limit), UInt64(column.count) >= reference.size,
                column.count <= 2 * Limits.symbolicLinkLength, content.chunks.isEmpty,
                vault.openColumn(column, reference) != nil
            else { throw .invalidArgument }
        case .chunks:
            guard type == FileType.regular, reference.size > UInt64(Limits.inlineContent),
                let plain = vault.openColumn(column, reference)
            else { throw .invalidArgument }
            let list = try plain.withBytes { (bytes) throws(Errno) in
                try ContentCoding.chunks(bytes, size: reference.size)
            }
            let slots = list.filter { $0 != 0 }
            guard slots == content.chunks.map(\.slot), Set(slots).count == slots.count,
                slots.allSatisfy({ $0 > 0 })
            else { throw .invalidArgument }
            return Holes.count(list, size: reference.size)
        }
        return 0
    }
}
