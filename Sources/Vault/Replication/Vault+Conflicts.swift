public import Format
internal import Synchronization

/// What synchronisation has to tell people, in paths.
extension Vault {
    /// The path of an entry below the top; nil for one that is not shown.
    public func path(ofEntry entry: Identifier) -> String? {
        tree.withLock { tree in
            tree.indexEntries()
            return tree.dentry(of: entry).map { tree.path(ofDentry: $0) }
        }
    }

    /// Lineages with whose content others compete, and the versions that do.
    public func contested() -> [(lineage: Identifier, stamps: [Stamp])] {
        committer.withLock { committer in
            committer.sync.rivals.values.filter { !$0.value.stamps.isEmpty }.map { ($0.key, $0.value.stamps) }
        }
    }
}
