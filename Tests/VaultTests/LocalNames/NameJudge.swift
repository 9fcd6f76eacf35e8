import Format
import Sealing
import Synchronization
import SystemPackage

@testable import Vault

/// What has to be true of a vault whatever names its entries had.
enum NameJudge {
    /// By which a content is known again.
    static func mark(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// Damage, rows that nothing leads to, or a content that is owed and nowhere.
    static func fault(of vault: Vault, owed: Set<String>) throws -> String? {
        if !vault.damage.isEmpty { return "damage: \(vault.damage)" }
        let report = try vault.verify { _, _ in }
        if !report.damage.isEmpty { return "verify: \(report.damage)" }
        let kept = try contents(of: vault)
        let lost = owed.subtracting(kept.marks)
        if !lost.isEmpty { return "lost: \(lost.sorted())" }
        let versions = try count(.version, vault)
        return versions == kept.versions ? nil : "\(versions) versions are stored, and \(kept.versions) are of a file"
    }

    /// After the trash was emptied, what is live is all that is stored.
    static func faultOfPurging(_ vault: Vault) throws -> String? {
        let before = try listing(of: vault)
        vault.purgeTrash(now: .max)
        let report = try vault.verify { _, _ in }
        if !report.damage.isEmpty { return "purged: \(report.damage)" }
        if try listing(of: vault) != before { return "purging changed what is live" }
        let rows = try (count(.entry, vault), count(.file, vault))
        let live = vault.tree.withLock { ($0.entryCount, $0.inodeCount) }
        return rows == live ? nil : "purged: \(rows) entries and files are stored, \(live) are live"
    }

    /// Paths with kinds, link counts and contents; without what lives in memory only.
    static func listing(of vault: Vault) throws -> [String] {
        let stored = vault.tree.withLock { tree in
            tree.dentries.indices.dropFirst().filter { tree.dentries[$0].parent != 0 && tree.dentries[$0].slot != 0 }
                .map {
                    (tree.path(ofDentry: UInt32($0)), Node(index: Int(tree.dentries[$0].node)))
                }
        }
        return try stored.map { path, node in
            let attributes = try vault.attributes(of: node)
            let isFile = attributes.mode & FileType.mask == FileType.regular
            let content = isFile ? mark(try vault.bytes(node, count: 32)) : ""
            return "\(path) \(String(attributes.mode, radix: 8)) \(attributes.links) \(attributes.size) \(content)"
        }.sorted()
    }

    private static func count(_ table: Table, _ vault: Vault) throws -> Int {
        try vault.committer.withLock { committer in
            try committer.drain()
            return try committer.seals(of: table).count
        }
    }

    /// The marks of all contents that a file of the tree or of the trash has, and how many of them are versions.
    private static func contents(of vault: Vault) throws -> (marks: Set<String>, versions: Int) {
        let slots = try vault.committer.withLock { committer in
            try committer.drain()
            return try committer.seals(of: .file).map(\.0)
        }
        var marks: Set<String> = []
        var versions = 0
        for slot in slots {
            let (present, heads) = try content(vault, slot)
            marks.insert(present)
            var walk = heads
            while let version = walk.popLast() {
                versions += 1
                let (mark, more) = try content(vault, version: version)
                marks.insert(mark)
                walk += more
            }
        }
        return (marks, versions)
    }

    private static func content(_ vault: Vault, _ slot: Int64) throws -> (String, [Int64]) {
        try vault.withReader { (reader) throws(Errno) in
            try unsafe reader.file(slot) { (record, sealed) throws(Errno) in
                let heads = [record.predecessor, record.history].filter { $0 != 0 }
                return (try unsafe mark(record.content, sealed, vault, reader), heads)
            }
        }
    }

    private static func content(_ vault: Vault, version: Int64) throws -> (String, [Int64]) {
        try vault.withReader { (reader) throws(Errno) in
            try unsafe reader.version(version) { (record, sealed) throws(Errno) in
                let heads = [record.predecessor, record.previous].filter { $0 != 0 }
                return (try unsafe mark(record.content, sealed, vault, reader), heads)
            }
        }
    }

    private static func mark(
        _ content: ContentReference, _ sealed: UnsafeRawBufferPointer, _ vault: Vault, _ reader: Reader
    ) throws(Errno) -> String {
        guard content.kind != .none else { return "" }
        var plain = PlainBuffer(capacity: 0)
        try unsafe reader.openContent(sealed, content, into: &plain)
        if content.kind == .chunks {
            let chunks = try plain.withBytes { (bytes) throws(Errno) in
                try ContentCoding.chunks(bytes, size: content.size)
            }
            guard let first = chunks.first, first != 0 else { return "" }
            plain.resize(to: 64)
            try unsafe plain.withUnsafeMutableBytes { (target) throws(Errno) in
                try unsafe reader.chunk(first, file: content.origin, index: 0, skip: 0, into: target)
            }
        }
        plain.resize(to: min(plain.count, Int(content.size)))
        return mark(plain.withBytes { $0.copied })
    }
}
