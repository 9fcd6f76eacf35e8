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
    /// - Parameter progress: called now and then with how many files are done and how many there are.
    public func verify(progress: (Int, Int) -> Void) throws(VaultError) -> VerifyReport {
        do throws(Errno) { try synchronizeAll() } catch { throw .io(error, "writing what is open") }
        var report = VerifyReport(rows: 0, contentBytes: 0, damage: damage)
        checkStructure(&report)
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
        let files = scan.files.inodes.dropFirst()
        var done = 0
        for inode in files {
            // What is closed meanwhile would be damage everywhere.
            guard state.withLock({ $0 == .open }) else { throw .io(.socketNotConnected, "verifying") }
            verify(inode, &report)
            done += 1
            if done % 1024 == 0 || done == files.count { progress(done, files.count) }
        }
        return report
    }

    private func checkStructure(_ report: inout VerifyReport) {
        let isSound = committer.withLock { committer in
            (try? committer.drain()) != nil && (try? committer.connection.isSound()) ?? false
        }
        if !isSound { report.damage.append(Damage("the file's own structure (SQLite) is damaged")) }
    }

    private func verify(_ inode: Inode, _ report: inout VerifyReport) {
        var bytes: UInt64 = 0
        var failure: String?
        do throws(Errno) {
            try withReader { (reader) throws(Errno) in
                var heads: [Int64] = []
                var content: ContentReference?
                var chunks: [Int64] = []
                try unsafe reader.file(inode.slot) { (record, sealed) throws(Errno) in
                    heads = [record.history, record.predecessor].filter { $0 != 0 }
                    content = record.content
                    chunks = try unsafe Vault.verified(record.content, sealed, reader)
                }
                if let content { bytes += try Vault.verify(chunks, of: content, reader) }
                while let slot = heads.popLast() {
                    failure = "an earlier version"
                    var version: ContentReference?
                    try unsafe reader.version(slot) { (record, sealed) throws(Errno) in
                        heads += [record.previous, record.predecessor].filter { $0 != 0 }
                        version = record.content
                        chunks = try unsafe Vault.verified(record.content, sealed, reader)
                    }
                    if let version { bytes += try Vault.verify(chunks, of: version, reader) }
                }
            }
            report.contentBytes &+= bytes
        } catch {
            let what = failure ?? "its content"
            report.damage.append(Damage(path: path(of: inode.identifier), "\(what) does not open"))
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

    private static func verify(
        _ chunks: [Int64], of content: ContentReference, _ reader: Reader
    ) throws(Errno) -> UInt64 {
        var plain = PlainBuffer(capacity: Limits.chunkSize)
        for (index, slot) in chunks.enumerated() where slot != 0 {
            try verify(chunk: slot, at: index, of: content, reader, &plain)
        }
        return content.size
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
