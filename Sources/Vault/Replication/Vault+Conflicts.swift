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

    /// The paths of entries with whose content others compete that nobody has gone on from: beside each there are copies.
    public func conflicts() -> [String] {
        let lineages = committer.withLock { committer in
            committer.sync.rivals.values.filter { !$0.value.stamps.isEmpty }.map { $0.key }
        }
        guard !lineages.isEmpty else { return [] }
        let paths = tree.withLock { tree in
            tree.indexEntries()
            return lineages.compactMap { lineage -> String? in
                guard let node = tree.node(ofLineage: lineage), let name = tree.names(of: node).first else {
                    return nil
                }
                return tree.path(ofDentry: name)
            }
        }
        return paths.sorted()
    }
}
