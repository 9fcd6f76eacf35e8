internal import Format
internal import Sealing
internal import SystemPackage

/// The rows of the tables `sync` and `outbox`, inside a transaction.
extension Committer {
    func loadSync(_ slot: Int64) throws(Errno) -> (SyncRecord, Seal) {
        try load(.sync, .sync, slot: slot) { (bytes) throws(FormatError) in try SyncRecord(decoding: bytes) }
    }

    /// Writes a row; `previous` is its seal where it is there already.
    func putSync(_ record: SyncRecord, slot: Int64, previous: Seal?) throws(Errno) {
        let seal = seal(.sync, slot: slot) { record.encode(into: &$0) }
        let isState = if case .state = record { true } else { false }
        guard cipher.count <= (isState ? Limits.syncStateRecord : Limits.syncRecord) else { throw .fileTooLarge }
        unsafe try put(.sync, slot: slot, seal, previous: previous, content: unsafe .none)
    }

    func deleteSync(_ slot: Int64) throws(Errno) {
        try delete(.sync, slot: slot, seal: try seal(of: .sync, slot: slot))
    }

    // MARK: Registers

    /// The register of an entry that is not just one of the tree.
    func keptRegister(of entry: Identifier) throws(Errno) -> EntryRegister? {
        guard let place = sync.registers[entry] else { return nil }
        guard case .register(let register) = try loadSync(place.slot).0 else { throw .ioError }
        return register
    }

    func keepRegister(_ register: EntryRegister) throws(Errno) {
        let entry = register.placement.entry
        let place = sync.registers[entry]
        let slot = place?.slot ?? freshSlot()
        let previous = place == nil ? nil : try seal(of: .sync, slot: slot)
        try putSync(.register(register), slot: slot, previous: previous)
        sync.setRegister(entry, SyncIndex.Place(register, slot: slot))
    }

    /// The entry is one of the tree again, or every device knows that it is gone.
    func dropRegister(of entry: Identifier) throws(Errno) {
        guard let place = sync.registers[entry] else { return }
        try deleteSync(place.slot)
        sync.setRegister(entry, nil)
    }

    /// An entry is being removed by a program: other devices hear of it, unless they have never heard of the entry.
    ///
    /// - Parameters:
    ///   - entry: as it was.
    ///   - isLast: the file has no other name that other devices know.
    func noteRemoval(of entry: EntryRecord, _ file: FileRecord, isLast: Bool = true) throws(Errno) {
        guard !entry.isLocal else { return }
        operations.append(Operation(kind: .removal, subject: entry.identifier, parent: entry.parent))
        guard root.isReplicated else { return }
        let isDirectory = file.mode & FileType.mask == FileType.directory
        let versions = file.heads + (sync.rivals[file.lineage]?.stamps ?? [])
        let saw = isDirectory ? [] : Array(((isLast ? [] : [.zero]) + versions).prefix(Limits.stamps))
        let kept = try keptRegister(of: entry.identifier)?.removals ?? []
        // Of a new directory others have to know where it was, if something that they know was removed in it: they may have
        // edited that.
        let isNeeded = isDirectory && sync.children[entry.file] != nil
        guard entry.made <= root.heard || !kept.isEmpty || isNeeded else {
            if isLast { try giveUp(file.lineage, saw) }
            return
        }
        let removal = RemovalChange(entry: entry.identifier, stamp: nextStamp(), saw: saw)
        let placement = EntryChange(
            entry: entry.identifier, parent: entry.parent, lineage: file.lineage, stamp: entry.stamp, name: entry.name)
        var register = EntryRegister(
            placement: placement, removals: EntryRegister.bounded(kept + [removal]), isShown: false)
        register.settles = entry.settles
        try keepRegister(register)
    }

    /// The last name of a file goes, and nobody has heard of that name: whoever knows another one, which was removed while
    /// this one was there, has to hear that the file is given up.
    private func giveUp(_ lineage: Identifier, _ saw: [Stamp]) throws(Errno) {
        let hidden = sync.entries[lineage]?.filter { sync.registers[$0]?.isShown == false }
        guard !saw.isEmpty, let known = hidden?.max(), var register = try keptRegister(of: known) else { return }
        register.add(RemovalChange(entry: known, stamp: nextStamp(), saw: saw))
        try keepRegister(register)
        operations.append(Operation(kind: .removal, subject: known, parent: register.placement.parent))
    }

    // MARK: Rivals

    /// - Parameter isContested: the content itself is what several versions have come to; the row then stays without rivals.
    func setRivals(_ stamps: [Stamp], of lineage: Identifier, isContested: Bool = false) throws(Errno) {
        let known = sync.rivals[lineage]
        let isKept = isContested || !stamps.isEmpty
        guard (known?.stamps ?? []) != stamps || (known != nil) != isKept else { return }
        guard isKept else {
            if let known { try deleteSync(known.slot) }
            return sync.rivals[lineage] = nil
        }
        let slot = known?.slot ?? freshSlot()
        let previous = known == nil ? nil : try seal(of: .sync, slot: slot)
        try putSync(.rivals(lineage: lineage, stamps: stamps), slot: slot, previous: previous)
        sync.rivals[lineage] = SyncIndex.Rivals(slot: slot, stamps: stamps)
    }

    // MARK: Chunks

    /// Keeps chunks, whatever becomes of their files, until ``unpin(_:)``.
    func pin(_ chunks: [Int64], for sequence: UInt64) throws(Errno) {
        var rest = chunks[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Limits.pinnedChunks))
            rest = rest.dropFirst(part.count)
            let slot = freshSlot()
            try putSync(.pinned(sequence: sequence, chunks: part), slot: slot, previous: nil)
            sync.pin(part, for: sequence, row: slot)
        }
    }

    /// The segment is at the remote: chunks that no file names any more go.
    func unpin(_ sequence: UInt64) throws(Errno) {
        for slot in sync.pins[sequence] ?? [] {
            guard case .pinned(_, let chunks) = try loadSync(slot).0 else { throw .ioError }
            try deleteSync(slot)
            for chunk in sync.unpin(chunks) where try takeWaiting(chunk: chunk) { try deleteChunk(chunk) }
        }
        sync.removePins(of: sequence)
    }

    /// Notes that one more file names a chunk.
    func shareChunk(_ chunk: Int64) throws(Errno) {
        let known = sync.shared[chunk]
        let count = (known?.count ?? 0) &+ 1
        let slot = known?.slot ?? freshSlot()
        let previous = known == nil ? nil : try seal(of: .sync, slot: slot)
        try putSync(.shared(chunk: chunk, count: count), slot: slot, previous: previous)
        sync.shared[chunk] = SyncIndex.Shared(slot: slot, count: count)
    }

    /// One file less names a chunk.
    ///
    /// - Returns: whether others still do.
    func unshareChunk(_ chunk: Int64) throws(Errno) -> Bool {
        guard let known = sync.shared[chunk] else { return false }
        guard known.count > 1 else {
            try deleteSync(known.slot)
            sync.shared[chunk] = nil
            return true
        }
        try putSync(
            .shared(chunk: chunk, count: known.count - 1), slot: known.slot,
            previous: try seal(of: .sync, slot: known.slot))
        sync.shared[chunk] = SyncIndex.Shared(slot: known.slot, count: known.count - 1)
        return true
    }

    /// Notes that a chunk has come and no content names it yet.
    func noteWaiting(chunk: Int64) throws(Errno) {
        let slot = freshSlot()
        try putSync(.waiting(chunk: chunk), slot: slot, previous: nil)
        sync.waiting[chunk] = slot
    }

    /// A content names the chunk from now on.
    ///
    /// - Returns: whether it was waiting.
    func takeWaiting(chunk: Int64) throws(Errno) -> Bool {
        guard let slot = sync.waiting[chunk] else { return false }
        try deleteSync(slot)
        sync.waiting[chunk] = nil
        return true
    }
}
