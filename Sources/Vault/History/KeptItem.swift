internal import Format
internal import Synchronization
internal import SystemPackage

/// One thing that a vault keeps and that may give way: an earlier version, or a removed entry with its file.
struct KeptItem {
    enum Kind {
        case version(slot: Int64)
        case removed(entrySlot: Int64)
    }

    var kind: Kind
    /// The row of the file that it is of.
    var file: Int64
    /// What the disk gets back with it, about.
    var bytes: UInt64
    /// When it stopped being live, in seconds since 1970.
    var since: Int64
    /// Another device's edit took its place, not long ago.
    var isProtected = false

    var isVersion: Bool {
        if case .version = kind { true } else { false }
    }

    /// A row and its overhead, about.
    static let row: UInt64 = 1024
    /// Those below go after all others: they hardly matter to the disk.
    static let small: UInt64 = 32 << 10

    /// The largest and oldest go first, by the product of both (Smith, "Long Term File Migration", 1981): one large content
    /// that is saved again and again does not push out everything else, and of equals the oldest goes.
    func weight(now: Int64) -> Double { Double(bytes) * (max(0, Double(now) - Double(since)) + 60) }
}

/// What there is to give way, in the order in which it does.
struct KeptList {
    /// The next one last.
    private var items: [KeptItem] = []
    /// Of what does not give way, in bytes.
    private(set) var protectedBytes: UInt64 = 0

    init() {}

    /// - Parameters:
    ///   - protectable: of what another device's edits took the place of, so many bytes do not give way: the latest.
    ///   - now: in seconds since 1970.
    init(_ found: [KeptItem], protectable: UInt64, now: Int64) {
        for item in found.filter(\.isProtected).sorted(by: { $0.since > $1.since }) {
            guard protectedBytes &+ item.bytes <= protectable else {
                items.append(item)
                continue
            }
            protectedBytes &+= item.bytes
        }
        items += found.filter { !$0.isProtected }
        func rank(_ item: KeptItem) -> (Int, Double, Int) {
            // With a removed entry its history goes, too: of equals its versions go first.
            (item.bytes < KeptItem.small ? 0 : 1, item.weight(now: now), item.isVersion ? 1 : 0)
        }
        items.sort { rank($0) < rank($1) }
    }

    var isEmpty: Bool { items.isEmpty }

    /// The next one is no small one.
    var hasLarge: Bool { items.last.map { $0.bytes >= KeptItem.small } ?? false }

    /// Takes the next ones out, until they have so many bytes.
    mutating func next(atMost count: Int, bytes: UInt64) -> [KeptItem] {
        var (taken, sum) = ([KeptItem](), UInt64(0))
        while taken.count < count, sum < bytes, let item = items.popLast() {
            taken.append(item)
            sum &+= item.bytes
        }
        return taken
    }
}

extension Vault {
    /// Looks through all versions and the trash. For a vault with many this takes a while; it holds nothing meanwhile, and
    /// what changes beside it is met when an item gives way.
    func surveyKept(protectable: UInt64, now: Int64) -> KeptList {
        let removed = trash.withLock { trash in trash.waiting }
        let live = tree.withLock { tree in
            tree.inodes.indices.compactMap { index -> Int64? in
                let inode = tree.inode(at: UInt32(truncatingIfNeeded: index))
                return inode.slot != 0 && inode.links > 0 && inode.isRegular ? inode.slot : nil
            }
        }
        let own = device
        var found: [KeptItem] = []
        var sizes: [Int64: UInt64] = [:]
        for slot in Set(live + removed.map(\.fileSlot)) {
            if let size = surveyVersions(of: slot, own: own, now: now, into: &found) { sizes[slot] = size }
        }
        let held = Set(live)
        for item in removed {
            // Where another name of it is live, its content stays.
            let bytes = held.contains(item.fileSlot) ? 0 : sizes[item.fileSlot] ?? 0
            found.append(
                KeptItem(
                    kind: .removed(entrySlot: item.entrySlot), file: item.fileSlot, bytes: bytes &+ KeptItem.row,
                    since: item.removed, isProtected: item.isOthers && item.removed > now - Limits.protectedAge))
        }
        return KeptList(found, protectable: protectable, now: now)
    }

    /// - Returns: the bytes of the file's content; nil where it is gone, or does not open.
    private func surveyVersions(
        of slot: Int64, own: Identifier, now: Int64, into found: inout [KeptItem]
    ) -> UInt64? {
        do throws(Errno) {
            return try withReader { (reader) throws(Errno) in
                var (record, newer) = try unsafe reader.file(slot) { (record, sealed) throws(Errno) in
                    let hasHistory = record.history != 0 || record.predecessor != 0
                    return (record, hasHistory ? try unsafe Vault.chunks(record.content, sealed, reader) : [])
                }
                var versions: [(item: KeptItem, stamp: Stamp)] = []
                var walk = [record.predecessor, record.history].filter { $0 != 0 }
                while let version = walk.popLast(), versions.count < Limits.versionsMost * 4 {
                    let (earlier, chunks) = try unsafe reader.version(version) { (earlier, sealed) throws(Errno) in
                        (earlier, try unsafe Vault.chunks(earlier.content, sealed, reader))
                    }
                    let item = KeptItem(
                        kind: .version(slot: version), file: slot,
                        bytes: KeptItem.row &+ Vault.bytes(of: earlier.content, chunks, besides: newer),
                        since: earlier.superseded.seconds)
                    versions.append((item, earlier.stamp))
                    newer = chunks
                    walk += [earlier.predecessor, earlier.previous].filter { $0 != 0 }
                }
                let protected = VersionChain.protected(
                    versions.map { ($0.stamp, $0.item.since) }, present: record.heads.first ?? .zero, own: own,
                    now: now)
                for index in protected { versions[index].item.isProtected = true }
                found += versions.map(\.item)
                return record.content.size
            }
        } catch { return nil }
    }

    /// What a content has for itself. A chunk has its place in the content, and only there it is shared.
    private static func bytes(of content: ContentReference, _ chunks: [Int64], besides newer: [Int64]) -> UInt64 {
        guard content.kind == .chunks else { return content.size }
        let own = chunks.enumerated().count { index, slot in
            slot != 0 && !(index < newer.count && newer[index] == slot)
        }
        return min(UInt64(own) &* UInt64(Limits.chunkSize), content.size &+ KeptItem.row)
    }
}
