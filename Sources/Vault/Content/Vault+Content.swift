internal import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

extension Vault {
    /// Notes that a program opened `node`. What is opened stays readable until it is closed, even when
    /// its last name goes.
    ///
    /// - Throws: ESTALE for an unknown node, EROFS for writing to a read-only vault.
    public func opened(_ node: Node, writing: Bool, truncate: Bool) throws(Errno) {
        if isReadOnly, writing || truncate { throw .readOnlyFileSystem }
        if try !noteOpen(node) {
            // The kernel looks the path up anew on ESTALE, once, and is to find what stands there then: the change that
            // erases the file, which takes its name away or gives it to another one, may still be under way.
            committer.withLock { _ in }
            guard try noteOpen(node) else { throw .staleNFSFileHandle }
        }
        guard writing || truncate else { return }
        let content: OpenContent
        do throws(Errno) { content = try openContent(node) } catch {
            tree.withLock { tree in tree.update(node) { $0.opens -= 1 } }
            throw error
        }
        content.withLock { state in
            if writing {
                if state.openWriters == 0 { state.versionSaved = false }
                state.openWriters += 1
            }
            // O_TRUNC is not committed by itself: until the new content comes, the old one is there.
            if truncate, state.size > 0 { resize(&state, to: 0) }
        }
    }

    /// False for a file that is erased, or about to be.
    private func noteOpen(_ node: Node) throws(Errno) -> Bool {
        try tree.withLock { (tree) throws(Errno) in
            guard try !tree.inode(node).isErased else { return false }
            tree.update(node) { $0.opens += 1 }
            return true
        }
    }

    /// The counterpart of ``opened(_:writing:truncate:)``: commits what is left and lets go of what
    /// nobody uses any more.
    public func closed(_ node: Node, writing: Bool) {
        if writing, let content = knownContent(node) {
            content.withLock { state in
                state.openWriters -= 1
                // There is nobody left to tell; the next fsync or unmount meets the error again.
                do throws(Errno) { try commit(&state) } catch { return }
            }
        }
        let inode = tree.withLock { tree in
            tree.update(node) { inode in
                inode.opens -= 1
                return inode
            }
        }
        if inode.opens == 0 {
            dropAhead(inode)
            dropCleanContent(node)
        }
        reapIfUnused(node)
    }

    /// Reads up to `count` bytes at `offset` and hands them to `body`; fewer only at the end of the
    /// file. The bytes are wiped when `body` returns.
    ///
    /// - Throws: EIO where what is stored does not open.
    public func read(_ node: Node, offset: UInt64, count: Int, _ body: (RawSpan) -> Void) throws(Errno) {
        var target = PlainBuffer(capacity: 0)
        if let content = knownContent(node) {
            try read(content, offset: offset, count: count, into: &target)
        } else {
            let inode = try tree.withLock { (tree) throws(Errno) in
                let inode = try tree.inode(node)
                if !inode.wasRead { tree.update(node) { $0.wasRead = true } }
                return inode
            }
            if inode.size <= UInt64(Limits.inlineContent) {
                try readSmall(inode, offset: offset, count: count, into: &target)
            } else {
                try read(openContent(node), offset: offset, count: count, into: &target)
            }
        }
        target.withBytes(body)
    }

    /// Chunks that nobody has changed are read without the content's lock, several at a time.
    private func read(
        _ content: OpenContent, offset: UInt64, count: Int, into target: inout PlainBuffer
    ) throws(Errno) {
        if takeAhead(content, offset: offset, count: count, into: &target) { return }
        let plan = try content.withLock { (state) throws(Errno) in
            try ReadPlan(loadStored(&state), state, offset: offset, count: count)
        }
        if let plan {
            do throws(Errno) { return try read(plan, into: &target) } catch {
                // A save may have taken the chunks away meanwhile: the lock keeps the next one off.
                target.resize(to: 0)
            }
        }
        try content.withLock { (state) throws(Errno) in
            try read(&state, offset: offset, count: count, into: &target)
        }
    }

    /// A small file that nobody has changed: one row, one record, no state kept.
    private func readSmall(_ inode: Inode, offset: UInt64, count: Int, into target: inout PlainBuffer) throws(Errno) {
        guard inode.size > 0, offset < inode.size else { return }
        if !takeAhead(inode, into: &target) {
            try withReader { (reader) throws(Errno) in try reader.small(inode, into: &target) }
        }
        target.cut(from: Int(offset), count: count)
    }

    /// Writes `bytes` at `offset`, into memory: ``flush(_:)`` commits. Makes the file longer where it
    /// must; a gap reads as zeroes. Clears set-user-id and set-group-id as a local file system does.
    ///
    /// - Throws: EFBIG above the format's limit, EROFS, ENOSPC or EIO where memory had to be spilled.
    public func write(_ node: Node, offset: UInt64, _ bytes: RawSpan) throws(Errno) {
        if isReadOnly { throw .readOnlyFileSystem }
        let end = offset.addingReportingOverflow(UInt64(bytes.byteCount))
        guard !end.overflow, end.partialValue <= largestFile.load(ordering: .relaxed) else { throw .fileTooLarge }
        guard bytes.byteCount > 0 else { return }
        try openContent(node).withLock { (state) throws(Errno) in
            try write(&state, offset: offset, bytes)
            if state.slot == 0 {
                guard state.dirtyBytes <= Vault.volatileLimit else { throw .noSpace }
            } else if state.dirtyBytes >= Vault.spillLimit {
                try commit(&state)
            }
        }
    }

    /// Changed content up to this many bytes goes through the journal.
    static let journaledContent = 256 << 10
    /// How much changed content of one file is kept in memory before it is committed, in bytes.
    static let spillLimit = 8 << 20
    /// The most that one memory-only file may hold, in bytes.
    static let volatileLimit = 64 << 20

    /// Commits what is changed of a file: it then survives a killed process.
    public func flush(_ node: Node) throws(Errno) {
        guard let content = knownContent(node) else { return }
        try content.withLock { (state) throws(Errno) in try commit(&state) }
    }

    /// Commits what is changed of a file and returns when that is on the disk.
    public func synchronize(_ node: Node) throws(Errno) {
        try flush(node)
        try makeDurable()
    }

    /// Returns when every change of names and attributes so far is on the disk.
    public func synchronizeNames() throws(Errno) {
        try makeDurable()
    }

    /// Commits every changed file and returns when all is on the disk.
    public func synchronizeAll() throws(Errno) {
        try commitAll()
        try makeDurable()
    }

    /// Commits every changed file, also where that fails for another one.
    func commitAll() throws(Errno) {
        var failure: Errno?
        for content in contents.withLock({ Array($0.values) }) {
            content.withLock { state in
                do throws(Errno) { try commit(&state) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }

    /// What nobody flushed for a while goes into the store: the maintenance thread's part.
    func commitOldContents() {
        for content in contents.withLock({ Array($0.values) }) {
            _ = content.withLockIfAvailable { state in
                do throws(Errno) { try commit(&state) } catch { return }
            }
        }
    }

    /// Returns when all operations so far are on the disk, in files that have their names.
    func makeDurable() throws(Errno) {
        willWait()
        try checkFiles()
        try synchronizeLogs()
    }

    func synchronizeLogs() throws(Errno) {
        // An entry of the journal builds on what went into the store before it.
        try applier.durability.makeDurable()
        try journal.synchronize()
    }

    /// Returns when all operations so far are in the store.
    func settle() throws(Errno) {
        try committer.withLock { (committer) throws(Errno) in try committer.drain() }
    }

    /// A reader of rows as the last operation left them. Not while the committer is held.
    func withReader<R: Sendable>(_ body: (Reader) throws(Errno) -> R) throws(Errno) -> R {
        for _ in 0..<3 {
            do throws(Errno) { return try readers.withReader(body) } catch .resourceTemporarilyUnavailable {
                try settle()
            }
        }
        throw .ioError
    }

    // MARK: The table of open contents

    func knownContent(_ node: Node) -> OpenContent? {
        contents.withLock { $0[UInt32(truncatingIfNeeded: node.index)] }
    }

    func openContent(_ node: Node) throws(Errno) -> OpenContent {
        if let known = knownContent(node) { return known }
        let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
        guard inode.isRegular else { throw inode.isDirectory ? .isDirectory : .invalidArgument }
        return contents.withLock { contents in
            let key = UInt32(truncatingIfNeeded: node.index)
            if let known = contents[key] { return known }
            contentsOpened.add(1, ordering: .releasing)
            let content = OpenContent(node: node, inode: inode, willWait: willWait)
            contents[key] = content
            return content
        }
    }

    /// Forgets a content that holds nothing but what is stored. Contents of memory-only files stay as
    /// long as the file.
    func dropCleanContent(_ node: Node) {
        let key = UInt32(truncatingIfNeeded: node.index)
        guard let content = knownContent(node) else { return }
        let isClean = content.withLock { !$0.isDirty && $0.slot != 0 && $0.openWriters <= 0 }
        let isClosed = tree.withLock { tree in tree.inode(at: key).opens == 0 }
        if isClean, isClosed { contents.withLock { $0[key] = nil } }
    }

    func forgetContent(_ node: Node) {
        contents.withLock { $0[UInt32(truncatingIfNeeded: node.index)] = nil }
    }
}
