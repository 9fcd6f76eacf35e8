internal import CLinux
internal import Format
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// What is kept gives way: to its bounds, and to a disk that gets full.
///
/// **Measured, not booked.** What is kept is what the vault's files take beyond the live contents. That sees everything,
/// such as chunks that versions share, and needs no figure in any record.
extension Vault {
    /// Where what is kept stands, in bytes.
    public struct KeptBytes: Sendable, Equatable {
        /// What the live contents take, about: with names, attributes and padding.
        public var live: UInt64 = 0
        /// What the vault's files take beyond that.
        public var kept: UInt64 = 0
        /// How much may be kept.
        public var budget: UInt64 = 0
        /// Of what is kept, what would not give way to a full disk.
        public var protected: UInt64 = 0
        /// Of the file system, and of it free.
        public var disk: UInt64 = 0
        public var free: UInt64 = 0

        /// What a full disk would get back.
        public var yielding: UInt64 { kept > protected ? kept - protected : 0 }
    }

    /// How much is kept of what is not live any more. Before it is set nothing goes by itself: whoever opens the vault may
    /// want to keep more.
    public var keeping: Keeping {
        get { kept.withLock { $0.keeping } }
        set { kept.withLock { $0 = KeptState(keeping: newValue, isSet: true) } }
    }

    public func keptBytes() -> KeptBytes {
        var result = KeptBytes()
        var space = statvfs()
        if unsafe path.withPlatformString({ unsafe statvfs($0, &space) }) == 0 {
            result.disk = UInt64(space.f_blocks) &* UInt64(space.f_frsize)
            result.free = UInt64(space.f_bavail) &* UInt64(space.f_frsize)
        }
        let (contents, files) = liveBytes()
        // A row of an entry and one of a file, with what a page of the store has to spare; Padmé adds an eighth at most.
        result.live = contents &+ contents / 8 &+ UInt64(files) &* 2048
        let used = storedBytes.load(ordering: .relaxed) &+ chunks.size
        result.kept = used > result.live ? used - result.live : 0
        let (keeping, protected) = kept.withLock { ($0.keeping, $0.list.protectedBytes) }
        result.budget = keeping.budget(live: result.live, disk: result.disk)
        result.protected = min(protected, result.kept)
        return result
    }

    /// The contents of all files that have a name, without holes, and how many files there are. In parts, so that nobody
    /// waits long for the tree.
    private func liveBytes() -> (contents: UInt64, files: Int) {
        var (contents, files, start) = (UInt64(0), 0, 1)
        while true {
            let isDone = tree.withLock { tree in
                let end = min(tree.inodes.count, start + 16_384)
                for index in start..<max(start, end) {
                    let inode = tree.inode(at: UInt32(truncatingIfNeeded: index))
                    guard inode.slot != 0, inode.links > 0 else { continue }
                    files += 1
                    let holes = UInt64(inode.holes) &* 4096
                    if inode.isRegular, inode.size > holes { contents &+= inode.size - holes }
                }
                start = end
                return end == tree.inodes.count
            }
            if isDone { return (contents, files) }
        }
    }

    /// Counts the pages of the store that are in use.
    func countStoredBytes() {
        checkpointer.withLock { connection in
            guard let connection, let pages = try? connection.integer("PRAGMA page_count"),
                let free = try? connection.integer("PRAGMA freelist_count"),
                let size = try? connection.integer("PRAGMA page_size")
            else { return }
            storedBytes.store(UInt64(clamping: max(0, pages - free)) &* UInt64(clamping: size), ordering: .relaxed)
        }
    }

    // MARK: Giving way

    /// One round of ``maintain()``: what is too old goes; where more is kept than may be, or the disk is nearly full, the
    /// next items go; and the store shrinks.
    ///
    /// - Parameter waits: for somebody who makes room already, and looks in any case; else that is left to him.
    func keepBounds(waits: Bool = false) {
        guard kept.withLock({ $0.isSet }), !isReadOnly else { return }
        purgeTrash()
        guard !isHeldForBackup else { return }
        let counter = committer.withLock { $0.root.counter }
        guard kept.withLock({ $0.isDue(counter) }) || waits else { return }
        let start = ContinuousClock.now
        countStoredBytes()
        let state = keptBytes()
        kept.withLock { $0.next = .now + start.duration(to: .now) * 50 }
        // A little below, so that not each save begins anew.
        let target = state.budget / 8 * 7
        let excess = state.kept > state.budget ? state.kept - target : 0
        let scarce = state.free < Vault.scarce(state.disk) ? 2 * Vault.scarce(state.disk) - state.free : 0
        let wanted = max(excess, scarce)
        if wanted > 0, state.yielding > 0 {
            func give() { giveUp(wanted, state, most: 256) }
            if waits { giving.withLock { _ in give() } } else { _ = giving.withLockIfAvailable { _ in give() } }
        }
        shrinkInBackground()
    }

    /// Below this, history gives way before anybody has to wait for it.
    private static func scarce(_ disk: UInt64) -> UInt64 { min(8 << 20, disk / 16) }

    /// A disk is full: the next items go, enough for what was being written.
    ///
    /// - Parameter bytes: what was being written.
    /// - Returns: whether anything went, so that it is worth another try.
    public func giveWay(to bytes: UInt64 = 0) -> Bool {
        guard !isReadOnly, !isHeldForBackup else { return false }
        willWait()
        return giving.withLock { _ in
            countStoredBytes()
            let state = keptBytes()
            // With more room than that it was no full disk: a limit of something else.
            guard state.free < Vault.scarce(state.disk) &+ bytes &+ bytes / 8 else { return false }
            let missing = bytes > state.free ? bytes - state.free : 0
            let went = giveUp(missing &+ 2 * Vault.scarce(state.disk), state, most: .max)
            // What stood in pages goes back to the disk only with the end of the file.
            if went { shrink(pages: 1 << 20) }
            return went
        }
    }

    /// As ``giveWay(to:)`` where an operation has found the disk full; for another ENOSPC nothing goes.
    public func giveWayIfFull() -> Bool { applier.isShortOfSpace && giveWay() }

    /// - Parameters:
    ///   - bytes: about so many are to go.
    ///   - most: the most items.
    /// - Returns: whether anything went.
    @discardableResult
    func giveUp(_ bytes: UInt64, _ state: KeptBytes, most: Int) -> Bool {
        var (left, count, hasGone, hasLooked) = (bytes, 0, false, false)
        while left > 0, count < most {
            // What is small goes only where all that is large has gone, also what came since the last look.
            if !hasLooked, kept.withLock({ !$0.list.hasLarge && $0.isWorthLooking(state.kept) }) {
                hasLooked = true
                let list = surveyKept(protectable: state.budget / 4, now: Timestamp.now().seconds)
                kept.withLock { $0.list = list }
            }
            let batch = kept.withLock { $0.list.next(atMost: 16, bytes: left) }
            guard !batch.isEmpty, let gone = erase(batch) else { break }
            count += batch.count
            if gone > 0 { hasGone = true }
            left = left > gone ? left - gone : 0
        }
        if hasGone { settleFreed() }
        let rest = keptBytes().kept
        kept.withLock { kept in kept.least = kept.list.isEmpty ? rest : nil }
        return hasGone
    }

    /// - Returns: how many bytes went; nil where that could not be stored.
    private func erase(_ batch: [KeptItem]) -> UInt64? {
        var bytes: UInt64 = 0
        var versions: [Int64: Set<Int64>] = [:]
        var removed: [Trash.Item] = []
        for item in batch {
            switch item.kind {
            case .version(let slot): versions[item.file, default: []].insert(slot)
            case .removed(let entrySlot):
                guard let taken = trash.withLock({ $0.take(entrySlot: entrySlot) }) else { continue }
                removed.append(taken)
                bytes &+= item.bytes
            }
        }
        guard removed.isEmpty || erase(removed) else { return nil }
        for (file, slots) in versions {
            guard let gone = erase(versions: slots, ofFile: file) else { return nil }
            if gone > 0 {
                bytes &+= batch.reduce(0) { sum, item in
                    if case .version(let slot) = item.kind, slots.contains(slot) { return sum &+ item.bytes }
                    return sum
                }
            }
        }
        return bytes
    }

    /// - Returns: how many went; nil where that could not be stored.
    private func erase(versions: Set<Int64>, ofFile slot: Int64) -> Int? {
        committer.withLock { committer in
            committer.removes = true
            defer { committer.removes = false }
            do throws(Errno) {
                guard try committer.has(.file, slot: slot) else { return 0 }
                return try committer.transaction { () throws(Errno) in
                    var (record, seal) = try committer.loadFile(slot)
                    guard record.history != 0 || record.predecessor != 0 else { return 0 }
                    let chain = try VersionChain(of: record, committer)
                    let present = try chunkListInTransaction(.file, slot, record.content, committer)
                    let gone = try drop(versions, from: chain, of: &record, present: present, in: committer)
                    if gone > 0 { unsafe try committer.putFile(record, slot: slot, previous: seal, content: .keep) }
                    return gone
                }
            } catch { return nil }
        }
    }

    /// Makes room of what was erased: cells and pages are free once the store says so, durably.
    func settleFreed() {
        let freed = committer.withLock { committer in
            try? committer.drain()
            return committer.handOver()
        }
        do throws(Errno) {
            try applier.apply()
            try makeDurable()
            chunks.release(freed)
        } catch {
            committer.withLock { $0.keepCells(freed) }
        }
        checkpoint()
        countStoredBytes()
    }
}

/// What ``Vault/giveWay(to:)`` goes by.
struct KeptState {
    var keeping = Keeping()
    var isSet = false
    var list = KeptList()
    /// The state of the store as of the last look at its bounds.
    private var counter: UInt64?
    /// When to look again at the earliest: looking costs a pass over all files in memory.
    var next = ContinuousClock.now
    /// How many bytes were kept when nothing was found that could go.
    var least: UInt64?

    init(keeping: Keeping = Keeping(), isSet: Bool = false) {
        (self.keeping, self.isSet) = (keeping, isSet)
    }

    /// Whether anything has changed since the last look, and that is long enough ago.
    mutating func isDue(_ now: UInt64) -> Bool {
        guard counter != now, ContinuousClock.now >= next else { return false }
        counter = now
        return true
    }

    /// The next look comes at once.
    mutating func lookAgain() { (counter, next) = (nil, .now) }

    /// Where hardly more is kept than when nothing was found, nothing is now.
    func isWorthLooking(_ bytes: UInt64) -> Bool { least.map { bytes > $0 &+ (64 << 10) } ?? true }
}
