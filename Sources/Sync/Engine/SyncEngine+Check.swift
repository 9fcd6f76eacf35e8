internal import Format

extension SyncEngine {
    /// Looks whether a remote may be taken for this vault. Nothing is changed on either side.
    ///
    /// - Returns: whether it is empty; else it is this vault's.
    /// - Throws: ``SyncError/canaryMismatch`` where it is neither.
    public func checkRemote() async throws(SyncError) -> Bool {
        switch try await read([Layout.vault], limit: 4096).first {
        case .bytes(keys.genesis): return false
        case .missing:
            // Something of a vault whose first record is gone, or of another protocol.
            guard try await list(Layout.top).isEmpty else { throw .canaryMismatch }
            return true
        default: throw .canaryMismatch
        }
    }
}
