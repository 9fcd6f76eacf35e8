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

    /// The paths of entries that other devices may know, by their names.
    public func sharedPaths(whose isWanted: (RawSpan) -> Bool) -> [String] {
        var (paths, next): ([String], Int?) = ([], 1)
        // A part at a time: others wait for the tree.
        while let first = next {
            next = tree.withLock { tree in
                let end = min(first + 4096, tree.dentries.count)
                for place in first..<max(first, end) {
                    let (dentry, index) = (tree.dentries[place], UInt32(truncatingIfNeeded: place))
                    guard dentry.parent != 0, !dentry.isLocal, tree.withName(of: index, isWanted),
                        !tree.isLocal(Node(index: Int(dentry.parent)))
                    else { continue }
                    paths.append(tree.path(ofDentry: index))
                }
                return end < tree.dentries.count ? end : nil
            }
        }
        return paths
    }
}
