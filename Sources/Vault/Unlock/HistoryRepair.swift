internal import Format
internal import SystemPackage

/// Contents that do not open are set aside, and histories are put together again from the versions that are intact: a
/// file whose content is lost goes back to the latest of them. Within ``Committer/transactionNow(_:)``, after all rows
/// whose records do not open are gone.
struct HistoryRepair {
    /// How many rows were set aside.
    private(set) var rows = 0
    /// What became of files that are still there.
    private(set) var outcomes: [Identifier: String] = [:]

    private let committer: Committer
    private let chunks: ChunkFile
    private let survey: ContentSurvey
    private var versions: [Int64: VersionChainItem] = [:]
    /// Intact versions that no file leads to.
    private var unreached = Set<Int64>()
    /// By the file's row: those whose content or history is not as it was, with the versions that they keep.
    private var broken: [Int64: [VersionChainItem]] = [:]

    init(_ committer: Committer, _ chunks: ChunkFile, _ survey: ContentSurvey) throws(Errno) {
        (self.committer, self.chunks, self.survey) = (committer, chunks, survey)
        for (slot, _) in try committer.seals(of: .version) {
            let (record, seal) = try committer.loadVersion(slot)
            versions[slot] = VersionChainItem(slot: slot, record: record, seal: seal)
        }
        unreached = Set(versions.keys).subtracting(survey.versions)
    }

    mutating func run() throws(Errno) {
        try findBroken()
        var lost = Dictionary(grouping: unreached.compactMap { versions[$0] }, by: \.record.file)
            .mapValues { $0.sorted { $1.record.superseded < $0.record.superseded } }
        if !lost.isEmpty { try giveBack(&lost) }
        for slot in survey.versions where versions[slot] != nil { try setAside(.version, slot) }
        for (slot, kept) in broken { try mend(slot, kept) }
        for kept in lost.values { try remake(kept) }
        for slot in survey.chunks where try committer.has(.chunk, slot: slot) {
            try committer.setAside(chunk: slot, in: chunks)
            rows += 1
        }
    }

    private mutating func setAside(_ table: Table, _ slot: Int64) throws(Errno) {
        try committer.setAside(table, slot)
        rows += 1
    }

    // MARK: What is broken

    private mutating func findBroken() throws(Errno) {
        for (slot, _) in try committer.seals(of: .file) {
            let record = try committer.loadFile(slot).0
            let chain = chain(of: record)
            if !chain.isWhole || survey.files.contains(slot) || hasLostItsVersion(record) { broken[slot] = chain.kept }
            unreached.subtract(chain.kept.map(\.slot))
        }
    }

    /// The intact versions of a file, newest first, and whether these are all.
    private func chain(of record: FileRecord) -> (kept: [VersionChainItem], isWhole: Bool) {
        var (kept, isWhole) = ([VersionChainItem](), true)
        var seen = Set<Int64>()
        var walk = [record.predecessor, record.history].filter { $0 != 0 }
        while let slot = walk.popLast() {
            guard let item = versions[slot], seen.insert(slot).inserted else {
                isWhole = false
                continue
            }
            if survey.versions.contains(slot) { isWhole = false } else { kept.append(item) }
            walk += [item.record.predecessor, item.record.previous].filter { $0 != 0 }
        }
        return (kept, isWhole)
    }

    /// A file that was replaced while programs had it open, and the version that it became does not open.
    private func hasLostItsVersion(_ record: FileRecord) -> Bool {
        record.detached != 0 && (versions[record.detached] == nil || survey.versions.contains(record.detached))
    }

    /// Versions behind a gap in a chain go back to the file that had them, or that took its place.
    private mutating func giveBack(_ lost: inout [Identifier: [VersionChainItem]]) throws(Errno) {
        for (slot, _) in try committer.seals(of: .file) {
            let record = try committer.loadFile(slot).0
            guard record.detached == 0 else { continue }
            let found =
                (lost.removeValue(forKey: record.identifier) ?? []) + (lost.removeValue(forKey: record.lineage) ?? [])
            if !found.isEmpty { broken[slot] = chain(of: record).kept + found }
        }
    }

    // MARK: Mending

    private mutating func mend(_ slot: Int64, _ kept: [VersionChainItem]) throws(Errno) {
        var (record, seal) = try committer.loadFile(slot)
        guard survey.files.contains(slot) else {
            if hasLostItsVersion(record) { record.detached = 0 }
            try committer.link(kept, of: &record)
            unsafe try committer.putFile(record, slot: slot, previous: seal, content: .keep)
            outcomes[record.identifier] = "an earlier version was set aside"
            return
        }
        try setAside(.file, slot)
        guard let latest = kept.first else { return }
        record.detached = 0
        try restore(&record, slot: slot, latest, before: Array(kept.dropFirst()))
        outcomes[record.identifier] = "its content was set aside; the version before it is back"
    }

    /// A file whose own row is lost, from its versions.
    private mutating func remake(_ kept: [VersionChainItem]) throws(Errno) {
        guard let latest = kept.first else { return }
        var record = FileRecord(
            identifier: latest.record.file, inode: committer.root.nextInode, mode: latest.record.mode,
            stamp: committer.nextStamp(), time: latest.record.modified)
        committer.root.nextInode &+= 1
        try restore(&record, slot: committer.freshSlot(), latest, before: Array(kept.dropFirst()))
        outcomes[record.identifier] = "it was set aside; the version before it is back"
    }

    /// Makes a version the content of a file, under a row that is free. Its chunks are the file's from now on.
    ///
    /// For other devices the file is at that version again: what they have is not replaced by it.
    private func restore(
        _ record: inout FileRecord, slot: Int64, _ latest: VersionChainItem, before: [VersionChainItem]
    ) throws(Errno) {
        let version = latest.record
        (record.content, record.modified) = (version.content, version.modified)
        record.heads = ([version.stamp] + version.twins).filter { $0 != .zero }
        record.replaced = []
        record.hasHoles = version.content.kind == .chunks
        try committer.link(before, of: &record)
        let column = unsafe try committer.contentColumn(.version, latest.slot) { (bytes) throws(Errno) in
            unsafe [UInt8](bytes)
        }
        try unsafe column.withRawBytes { (bytes) throws(Errno) in
            let content = unsafe version.content.kind == .none ? ContentColumn.none : .bytes(bytes)
            unsafe try committer.putFile(record, slot: slot, previous: nil, content: content)
        }
        try committer.deleteVersion(latest.slot, latest.seal)
    }
}
