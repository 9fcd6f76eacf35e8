internal import Format
internal import Sealing
internal import SystemPackage

/// Which contents open and which chunks do not, read before anything is set aside.
struct ContentSurvey {
    /// Rows of files whose content does not open as a whole.
    private(set) var files = Set<Int64>()
    /// The same of versions.
    private(set) var versions = Set<Int64>()
    /// Chunks that do not open; of those that no content names, the ones whose cell is gone.
    var chunks: Set<Int64> { Set(opens.lazy.filter { !$0.value }.map(\.key)) }

    /// By the chunk: neighbours in time share theirs, and each is read once.
    private var opens: [Int64: Bool] = [:]

    /// - Throws: what is no damage, such as ENOMEM.
    init(_ vault: Vault, _ committer: Committer) throws(Errno) {
        for (slot, _) in try committer.seals(of: .file) {
            let isWhole = try opens(vault) { (reader) throws(Errno) in
                try unsafe reader.file(slot) { (record, sealed) throws(Errno) in
                    (record.content, try unsafe Vault.verified(record.content, sealed, reader))
                }
            }
            if !isWhole { files.insert(slot) }
        }
        for (slot, _) in try committer.seals(of: .version) {
            let isWhole = try opens(vault) { (reader) throws(Errno) in
                try unsafe reader.version(slot) { (record, sealed) throws(Errno) in
                    (record.content, try unsafe Vault.verified(record.content, sealed, reader))
                }
            }
            if !isWhole { versions.insert(slot) }
        }
        for (slot, _) in try committer.seals(of: .chunk) where opens[slot] == nil {
            guard let cell = try committer.cell(ofChunk: slot) else { continue }
            opens[slot] = vault.chunks.bytes(of: cell) != nil
        }
    }

    /// Whether a content opens with all its chunks, each of which is looked at.
    private mutating func opens(
        _ vault: Vault, _ content: (Reader) throws(Errno) -> (ContentReference, [Int64])
    ) throws(Errno) -> Bool {
        let (reference, chunks): (ContentReference, [Int64])
        do throws(Errno) { (reference, chunks) = try vault.withReader(content) } catch .ioError { return false }
        var isWhole = true
        for (index, slot) in chunks.enumerated() where slot != 0 {
            if try !opens(slot, reference, index, vault) { isWhole = false }
        }
        return isWhole
    }

    private mutating func opens(
        _ slot: Int64, _ content: ContentReference, _ index: Int, _ vault: Vault
    ) throws(Errno) -> Bool {
        if let known = opens[slot] { return known }
        var isWhole = true
        do throws(Errno) {
            try vault.withReader { (reader) throws(Errno) in
                var plain = PlainBuffer(capacity: Limits.chunkSize)
                try Vault.verify(chunk: slot, at: index, of: content, reader, &plain)
            }
        } catch .ioError {
            isWhole = false
        }
        opens[slot] = isWhole
        return isWhole
    }
}
