internal import Format
public import SystemPackage

/// The account keys of later epochs. They are sealed under a key of the first one before they come here.
extension ReplicationTransaction {
    /// The keys that were saved last; nil before the first rotation.
    public func loadKeys() throws(Errno) -> [UInt8]? { try committer.loadKeys() }

    /// - Throws: EFBIG above 128 KiB.
    public func saveKeys(_ bytes: [UInt8]) throws(Errno) { try committer.saveKeys(bytes) }
}

extension Committer {
    func loadKeys() throws(Errno) -> [UInt8]? {
        guard try has(.sync, slot: SyncIndex.keys) else { return nil }
        guard case .keys(let bytes) = try loadSync(SyncIndex.keys).0 else { throw .ioError }
        return bytes
    }

    func saveKeys(_ bytes: [UInt8]) throws(Errno) {
        guard bytes.count <= Limits.syncKeys else { throw .fileTooLarge }
        let isThere = try has(.sync, slot: SyncIndex.keys)
        let previous = isThere ? try seal(of: .sync, slot: SyncIndex.keys) : nil
        try putSync(.keys(bytes), slot: SyncIndex.keys, previous: previous)
    }
}
