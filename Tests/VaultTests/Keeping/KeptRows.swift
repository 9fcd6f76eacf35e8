import Format
import Sealing
import SystemPackage

@testable import Vault

/// Looks at all rows of a closed vault: each chunk is named by a content, and each version is in one history.
enum KeptRows {
    /// What is left over or missing; nil where all is well.
    static func complaint(_ fixture: Fixture) throws -> String? {
        let vault = try fixture.open()
        defer { try? vault.close() }
        if let damage = try vault.verify(progress: { _, _ in }).damage.first { return "damaged: \(damage)" }
        return try vault.committer.withLock { (committer) throws(Errno) in
            var (named, reached) = (Set<Int64>(), Set<Int64>())
            for (slot, _) in try committer.seals(of: .file) {
                let record = try committer.loadFile(slot).0
                named.formUnion(try vault.chunkListInTransaction(.file, slot, record.content, committer))
                for item in try VersionChain(of: record, committer).items {
                    guard reached.insert(item.slot).inserted else { return "a version is in two histories" }
                    let content = item.record.content
                    named.formUnion(try vault.chunkListInTransaction(.version, item.slot, content, committer))
                }
            }
            named.remove(0)
            let versions = Set(try committer.seals(of: .version).map(\.0))
            let chunks = Set(try committer.seals(of: .chunk).map(\.0))
            if versions != reached { return "\(versions.subtracting(reached).count) versions are in no history" }
            if chunks != named {
                return "\(chunks.subtracting(named).count) chunks left over, \(named.subtracting(chunks).count) missing"
            }
            return nil
        }
    }
}
