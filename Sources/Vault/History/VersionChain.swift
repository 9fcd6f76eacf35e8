internal import Format
internal import Sealing
internal import SystemPackage

/// One version on the way through a history.
struct VersionChainItem {
    let slot: Int64
    let record: VersionRecord
    let seal: Seal
}

/// The whole history of a file, newest first: its own versions, then those of the files that it took the place of.
///
/// Belongs to one transaction.
struct VersionChain {
    private(set) var items: [VersionChainItem] = []

    init(of record: FileRecord, _ committer: Committer) throws(Errno) {
        var walk = [record.predecessor, record.history].filter { $0 != 0 }
        while let slot = walk.popLast() {
            let (version, seal) = try committer.loadVersion(slot)
            items.append(VersionChainItem(slot: slot, record: version, seal: seal))
            walk += [version.predecessor, version.previous].filter { $0 != 0 }
        }
    }

    /// ``protected(_:present:own:now:)`` of these.
    func protected(behind record: FileRecord, own: Identifier, now: Int64) -> Set<Int> {
        VersionChain.protected(
            items.map { ($0.record.stamp, $0.record.superseded.seconds) }, present: record.heads.first ?? .zero,
            own: own, now: now)
    }

    /// Which of them another device's edit took the place of: they are what is left when that device turns out to be in
    /// the wrong hands. At most the latest ``Limits/versionsProtected`` of the last 30 days.
    ///
    /// - Parameters:
    ///   - present: the stamp of the content that came after the newest.
    ///   - now: in seconds since 1970.
    static func protected(
        _ versions: [(stamp: Stamp, superseded: Int64)], present: Stamp, own: Identifier, now: Int64
    ) -> Set<Int> {
        var result = Set<Int>()
        var next = present
        for (index, version) in versions.enumerated() {
            defer { next = version.stamp }
            guard next != .zero, next.device != own, version.stamp.device != next.device,
                version.superseded > now - Limits.protectedAge, result.count < Limits.versionsProtected
            else { continue }
            result.insert(index)
        }
        return result
    }
}

extension Vault {
    /// Drops versions of a file, inside a transaction. Chunks that another version has, or the present content, stay.
    ///
    /// One that a file which was replaced while it is open shares its chunks with stays as long as that is open.
    ///
    /// - Parameters:
    ///   - present: the chunks of the file's content.
    ///   - doomed: the rows of the versions.
    /// - Returns: how many went.
    @discardableResult
    func drop(
        _ doomed: Set<Int64>, from chain: VersionChain, of record: inout FileRecord, present: [Int64],
        in committer: Committer
    ) throws(Errno) -> Int {
        let gone = doomed.filter { committer.openVersions[$0] == nil }
        let (kept, dropped) = (
            chain.items.filter { !gone.contains($0.slot) }, chain.items.filter { gone.contains($0.slot) }
        )
        guard !dropped.isEmpty else { return 0 }
        try committer.link(kept, of: &record)
        var shared = Set(present)
        shared.insert(0)
        for item in kept {
            shared.formUnion(try chunkListInTransaction(.version, item.slot, item.record.content, committer))
        }
        for item in dropped {
            for slot in try chunkListInTransaction(.version, item.slot, item.record.content, committer)
            where shared.insert(slot).inserted {
                try committer.deleteChunk(slot)
            }
            try committer.deleteVersion(item.slot, item.seal)
        }
        return dropped.count
    }
}

extension Committer {
    /// Makes versions, newest first, the whole history of a file.
    func link(_ kept: [VersionChainItem], of record: inout FileRecord) throws(Errno) {
        (record.history, record.predecessor) = (kept.first?.slot ?? 0, 0)
        record.versions = UInt32(truncatingIfNeeded: kept.count)
        record.oldestVersion = kept.last?.record.superseded.seconds ?? 0
        for (index, item) in kept.enumerated() {
            var version = item.record
            version.previous = index + 1 < kept.count ? kept[index + 1].slot : 0
            version.predecessor = 0
            guard version != item.record else { continue }
            unsafe try putVersion(version, slot: item.slot, previous: item.seal, content: .keep)
        }
    }
}
