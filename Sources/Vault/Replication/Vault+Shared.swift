internal import Format
internal import Synchronization

extension Vault {
    /// Whether other devices are to have what is in this vault. Then no file grows beyond what a segment takes
    /// (``Limits/sharedFileSize``), with EFBIG: a file that silently stays on one device is lost with it.
    public func setShared(_ isShared: Bool) {
        largestFile.store(isShared ? Limits.sharedFileSize : Limits.fileSize, ordering: .relaxed)
    }

    /// Paths of files that are too large to be shared.
    ///
    /// - Parameter most: so many at the most.
    public func filesTooLargeToShare(most: Int) -> [String] {
        let found = tree.withLock { tree in
            tree.inodes.lazy.filter { $0.isLive && $0.isRegular && $0.size > Limits.sharedFileSize }
                .prefix(most).map(\.identifier)
        }
        return found.map { path(of: $0) ?? "a file without a name" }
    }
}
