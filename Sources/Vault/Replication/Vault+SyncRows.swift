internal import Format
internal import SystemPackage

/// What there is to synchronise besides entries. All of this works before synchronisation has ever run.
extension Vault {
    /// Something that the other devices are to hear with the next own segment: `kind` and `bytes` as in a segment's
    /// notices.
    ///
    /// - Throws: `io`; EFBIG above 256 KiB.
    public func addNotice(_ kind: UInt8, _ bytes: [UInt8]) throws(VaultError) {
        try change("noting what the other devices are to hear") { (committer) throws(Errno) in
            guard bytes.count <= Limits.notice else { throw .fileTooLarge }
            let number = (committer.sync.notices.values.keys.max() ?? 0) &+ 1
            let slot = committer.freshSlot()
            try committer.putSync(.notice(number: number, kind: kind, bytes: bytes), slot: slot, previous: nil)
            committer.sync.notices[number] = slot
        }
    }

    /// How this device synchronises, as ``setSyncSettings(_:)`` was told; nil where nothing is set.
    public func syncSettings() throws(VaultError) -> [UInt8]? {
        do throws(Errno) {
            return try committer.withLock { (committer) throws(Errno) in
                guard try committer.has(.sync, slot: SyncIndex.settings) else { return nil }
                guard case .settings(let bytes) = try committer.loadSync(SyncIndex.settings).0 else { throw .ioError }
                return bytes
            }
        } catch {
            throw .io(error, "reading the settings of synchronisation")
        }
    }

    /// Keeps how this device synchronises: the remote's address, a credential. Sealed like every row, and never sent.
    ///
    /// - Parameter bytes: at most 256 KiB, laid out by the caller; nil forgets them.
    /// - Throws: `io`; EFBIG for more.
    public func setSyncSettings(_ bytes: [UInt8]?) throws(VaultError) {
        try change("keeping the settings of synchronisation") { (committer) throws(Errno) in
            guard bytes?.count ?? 0 <= Limits.syncSettings else { throw .fileTooLarge }
            let isThere = try committer.has(.sync, slot: SyncIndex.settings)
            guard let bytes else { return isThere ? try committer.deleteSync(SyncIndex.settings) : () }
            let previous = isThere ? try committer.seal(of: .sync, slot: SyncIndex.settings) : nil
            try committer.putSync(.settings(bytes), slot: SyncIndex.settings, previous: previous)
        }
    }

    private func change(
        _ doing: String, _ body: (Committer) throws(Errno) -> Void
    ) throws(VaultError) {
        do throws(Errno) {
            if isReadOnly { throw .readOnlyFileSystem }
            try committer.withLock { (committer) throws(Errno) in
                try committer.transaction { () throws(Errno) in try body(committer) }
            }
            try makeDurable()
        } catch {
            throw .io(error, doing)
        }
    }
}
