internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// What ``Vault/verify(progress:)`` found.
public struct VerifyReport: Sendable {
    /// Rows that were read and authenticated.
    public var rows: Int
    /// Bytes of content that were opened.
    public var contentBytes: UInt64
    public var damage: [Damage]
}

extension Vault {
    /// Reads and authenticates everything: each row, each content, each chunk, each earlier version, and
    /// SQLite's own structure.
    ///
    /// All rows are read while nobody changes any. The contents that they name are read after that, and those that have
    /// been saved anew or removed meanwhile are left out.
    ///
    /// - Parameter progress: called now and then with how many files are done and how many there are.
    public func verify(progress: (Int, Int) -> Void) throws(VaultError) -> VerifyReport {
        do throws(Errno) { try synchronizeAll() } catch { throw .io(error, "writing what is open") }
        var report = VerifyReport(rows: 0, contentBytes: 0, damage: damage)
        try checkStructure(&report)
        let scan = committer.withLock { committer in
            try? committer.drain()
            let scan = Scanner(path: path, keys: keys, mounter: mounter).scanAll()
            var total = scan.files
            total.inodes = []
            total.add(scan.entries)
            total.add(scan.rest)
            report.rows = Int(clamping: total.rows)
            report.damage += total.damage.filter { !report.damage.contains($0) }
            if total.damage.isEmpty, total.sum != committer.root.sum, report.damage.isEmpty {
                report.damage.append(Damage("rows were changed since the vault was opened"))
            }
            // What is called well has to open.
            let tree = TreeBuilder(files: scan.files, entries: scan.entries, root: identifier, keepsNameless: true)
            report.damage += tree.damage.filter { !report.damage.contains($0) }
            return scan
        }
        if let shortage = scan.files.shortage ?? scan.entries.shortage ?? scan.rest.shortage {
            throw VaultError(shortage, "reading the vault")
        }
        let files = scan.files.inodes.dropFirst()
        var done = 0
        for inode in files {
            // What is closed meanwhile would be damage everywhere.
            guard state.withLock({ $0 == .open }) else { throw .io(.socketNotConnected, "verifying") }
            do throws(Errno) { try verify(inode, &report) } catch {
                throw DatabaseFailure(shortage: error).map { VaultError($0, "verifying") } ?? .io(error, "verifying")
            }
            done += 1
            if done % 1024 == 0 || done == files.count { progress(done, files.count) }
        }
        return report
    }

    private func checkStructure(_ report: inout VerifyReport) throws(VaultError) {
        let isSound = try committer.withLock { (committer) throws(VaultError) in
            guard (try? committer.drain()) != nil else { return false }
            do throws(DatabaseFailure) { return try committer.connection.isSound() } catch {
                guard !error.isShortage else { throw VaultError(error, "checking the file's structure") }
                return false
            }
        }
        if !isSound { report.damage.append(Damage("the file's own structure (SQLite) is damaged")) }
    }

    /// Reads a file's content and its earlier versions while others go on. Where something changed between finding a row
    /// and opening what it names, the file is read again, at last while nobody can change anything.
    ///
    /// - Throws: what is no damage, such as ENOMEM.
    private func verify(_ inode: Inode, _ report: inout VerifyReport) throws(Errno) {
        for _ in 0..<3 {
            do throws(Errno) {
                return try verify(inode, &report) { (found, body) throws(Errno) in
                    do throws(Errno) { return try withReader(body) } catch .ioError {
                        return try committer.withLock { (committer) throws(Errno) in
                            guard try isCurrent(found, committer) else { throw .resourceTemporarilyUnavailable }
                            return try readers.withReader(body)
                        }
                    }
                }
            } catch .resourceTemporarilyUnavailable {
                continue
            }
        }
        try committer.withLock { (committer) throws(Errno) in
            guard try isCurrent(.slot(inode.slot), committer) else { return }
            try verify(inode, &report) { (_, body) throws(Errno) in try readers.withReader(body) }
        }
    }

    /// The row that names what is opened, as it was read.
    private enum VerifiedRow {
        /// A file's, not yet read.
        case slot(Int64)
        case file(Int64, FileRecord)
        case version(Int64, VersionRecord)
    }

    /// Whether a row is as it was.
    private func isCurrent(_ row: VerifiedRow, _ committer: Committer) throws(Errno) -> Bool {
        guard state.withLock({ $0 == .open }) else { throw .socketNotConnected }
        try committer.drain()
        switch row {
        case .slot(let slot):
            return try committer.has(.file, slot: slot)
        case .file(let slot, let record):
            guard try committer.has(.file, slot: slot) else { return false }
            return try committer.loadFile(slot).0 == record
        case .version(let slot, let record):
            guard try committer.has(.version, slot: slot) else { return false }
            return try committer.loadVersion(slot).0 == record
        }
    }

    /// - Parameter opening: runs a body that opens what the row names.
    private func verify(
        _ inode: Inode, _ report: inout VerifyReport,
        opening: (VerifiedRow, (Reader) throws(Errno) -> [Int64]) throws(Errno) -> [Int64]
    ) throws(Errno) {
        var bytes: UInt64 = 0
        var failure = "its content"
        var plain = PlainBuffer(capacity: 0)
        func check(_ chunks: [Int64], _ content: ContentReference, _ row: VerifiedRow) throws(Errno) {
            for (index, slot) in chunks.enumerated() where slot != 0 {
                _ = try opening(row) { (reader) throws(Errno) in
                    try Vault.verify(chunk: slot, at: index, of: content, reader, &plain)
                    return []
                }
            }
            bytes &+= content.size
        }
        do throws(Errno) {
            var file: FileRecord?
            let chunks = try opening(.slot(inode.slot)) { (reader) throws(Errno) in
                try unsafe reader.file(inode.slot) { (record, sealed) throws(Errno) in
                    file = record
                    return try unsafe Vault.verified(record.content, sealed, reader)
                }
            }
            guard let file else { return }
            try check(chunks, file.content, .file(inode.slot, file))
            failure = "an earlier version"
            var rest = [file.history, file.predecessor].map { ($0, VerifiedRow.file(inode.slot, file)) }
            while let (slot, owner) = rest.popLast() {
                guard slot != 0 else { continue }
                var version: VersionRecord?
                let chunks = try opening(owner) { (reader) throws(Errno) in
                    try unsafe reader.version(slot) { (record, sealed) throws(Errno) in
                        version = record
                        return try unsafe Vault.verified(record.content, sealed, reader)
                    }
                }
                guard let version else { continue }
                try check(chunks, version.content, .version(slot, version))
                rest += [version.previous, version.predecessor].map { ($0, .version(slot, version)) }
            }
            report.contentBytes &+= bytes
        } catch .ioError {
            report.damage.append(Damage(path: path(of: inode.identifier), "\(failure) does not open"))
        }
    }

    /// Opens a content column and returns the chunk list where it is one.
    static func verified(
        _ content: ContentReference, _ sealed: UnsafeRawBufferPointer, _ reader: Reader
    ) throws(Errno) -> [Int64] {
        switch content.kind {
        case .none: return []
        case .chunks: return try unsafe chunks(content, sealed, reader)
        case .inline:
            var plain = PlainBuffer(capacity: sealed.count)
            try unsafe reader.openContent(sealed, content, into: &plain)
            return []
        }
    }

    /// - Parameter plain: what the chunk is opened into.
    static func verify(
        chunk slot: Int64, at index: Int, of content: ContentReference, _ reader: Reader, _ plain: inout PlainBuffer
    ) throws(Errno) {
        plain.resize(to: Limits.chunkSize)
        try unsafe plain.withUnsafeMutableBytes { (bytes) throws(Errno) in
            try unsafe reader.chunk(slot, file: content.origin, index: index, skip: 0, into: bytes)
        }
    }

    /// A path of a file, for messages.
    func path(of file: Identifier) -> String? {
        tree.withLock { tree in
            guard let node = tree.node(of: file) else { return nil }
            if node == .root { return "/" }
            let index = tree.dentries.firstIndex { $0.node == UInt32(truncatingIfNeeded: node.index) }
            return index.map { tree.path(ofDentry: UInt32(truncatingIfNeeded: $0)) }
        }
    }
}
