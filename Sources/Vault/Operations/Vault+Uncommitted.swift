internal import Synchronization

extension Vault {
    /// Whether something that a program wrote into a file waits to be committed, because that failed or because
    /// its time has not come. Swap files, which never are, do not count.
    public var hasUncommittedContent: Bool {
        contents.withLock { Array($0.values) }.contains { content in
            // Somebody is at work with what cannot be locked.
            content.withLockIfAvailable { $0.isDirty && $0.slot != 0 } ?? true
        }
    }
}
