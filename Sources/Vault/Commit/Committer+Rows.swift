internal import Format
internal import Sealing
internal import SystemPackage

/// Reading and writing the rows of each table, inside a transaction.
extension Committer {
    // MARK: Entries

    func loadEntry(_ slot: Int64) throws(Errno) -> (EntryRecord, Seal) {
        try load(.entry, .entry, slot: slot) { (bytes) throws(FormatError) in try EntryRecord(decoding: bytes) }
    }

    func putEntry(_ record: EntryRecord, slot: Int64, previous: Seal?) throws(Errno) {
        let seal = seal(.entry, slot: slot) { record.encode(into: &$0) }
        unsafe try put(.entry, slot: slot, seal, previous: previous, content: unsafe .none)
    }

    /// Marks an entry as removed; its file stays as long.
    func putInTrash(_ entry: EntryRecord, _ slot: Int64, _ seal: Seal?, now: Timestamp) throws(Errno) {
        var entry = entry
        entry.removed = max(1, now.seconds)
        entry.isRemovedElsewhere = false
        entry.stamp = nextStamp()
        try putEntry(entry, slot: slot, previous: seal)
    }

    func deleteEntry(_ slot: Int64, _ seal: Seal) throws(Errno) { try delete(.entry, slot: slot, seal: seal) }

    // MARK: Files

    func loadFile(_ slot: Int64) throws(Errno) -> (FileRecord, Seal) {
        if let known = recent.find(slot) { return known }
        return try load(.file, .file, slot: slot) { (bytes) throws(FormatError) in try FileRecord(decoding: bytes) }
    }

    func putFile(_ record: FileRecord, slot: Int64, previous: Seal?, content: ContentColumn) throws(Errno) {
        let seal = seal(.file, slot: slot) { record.encode(into: &$0) }
        unsafe try put(.file, slot: slot, seal, previous: previous, content: content)
        recent.note(slot, record, seal)
    }

    func deleteFile(_ slot: Int64, _ seal: Seal) throws(Errno) { try delete(.file, slot: slot, seal: seal) }

    // MARK: Versions

    func loadVersion(_ slot: Int64) throws(Errno) -> (VersionRecord, Seal) {
        try load(.version, .version, slot: slot) { (bytes) throws(FormatError) in
            try VersionRecord(decoding: bytes)
        }
    }

    func putVersion(_ record: VersionRecord, slot: Int64, previous: Seal?, content: ContentColumn) throws(Errno) {
        let seal = seal(.version, slot: slot) { record.encode(into: &$0) }
        unsafe try put(.version, slot: slot, seal, previous: previous, content: content)
    }

    func deleteVersion(_ slot: Int64, _ seal: Seal) throws(Errno) { try delete(.version, slot: slot, seal: seal) }

    func loadOperation(_ slot: Int64) throws(Errno) -> (OperationRecord, Seal) {
        try load(.operation, .operation, slot: slot) { (bytes) throws(FormatError) in
            try OperationRecord(decoding: bytes)
        }
    }

    // MARK: Contents

    /// Seals a content column under the file and save that `content` names.
    func sealContent(_ bytes: UnsafeRawBufferPointer, _ content: inout ContentReference, into target: inout PlainBuffer)
    {
        target.resize(to: bytes.count)
        let data = keys.contentData(content)
        let seal = unsafe target.withUnsafeMutableBytes { unsafe keys.record.seal(bytes, data, into: $0) }
        content.seal = SealBytes(seal)
    }

    /// Writes one chunk under a slot of its own and returns the slot.
    func insertChunk(_ bytes: UnsafeRawBufferPointer, file: Identifier, index: Int) throws(Errno) -> Int64 {
        let slot = freshSlot()
        cipher.resize(to: bytes.count)
        let data = keys.chunkData(file: file, slot: slot, index: index)
        let seal = unsafe cipher.withUnsafeMutableBytes { unsafe keys.chunk.seal(bytes, data, into: $0) }
        unsafe try put(.chunk, slot: slot, seal, previous: nil)
        return slot
    }

    /// A file names the chunk no more; it goes with the last.
    func deleteChunk(_ slot: Int64) throws(Errno) {
        if try unshareChunk(slot) { return }
        // A segment names it that is not at the remote yet.
        if sync.pinned[slot] != nil { return try noteWaiting(chunk: slot) }
        try noteDeletion(ofChunk: slot)
        try delete(.chunk, slot: slot, seal: try seal(of: .chunk, slot: slot))
    }
}
