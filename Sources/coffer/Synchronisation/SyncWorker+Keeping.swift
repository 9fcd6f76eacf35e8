internal import Synchronization
internal import Vault

extension SyncWorker {
    /// A change counts from now on, and with the next opening.
    func keeping(after change: KeepingChange?) throws -> SyncOutcome {
        var settings = try settings()
        let old = settings.keeping ?? KeepingSettings()
        guard let change, let new = change.applied(to: old), new != old else { return SyncOutcome(keeping: old) }
        settings.keeping = new == KeepingSettings() ? nil : new
        try save(settings)
        vault.keeping = new.value
        return SyncOutcome(keeping: new)
    }

    func compact() throws -> SyncOutcome {
        doing.withLock { $0 = "Compacting" }
        defer { doing.withLock { $0 = nil } }
        do throws(VaultError) {
            return SyncOutcome(compaction: CompactionView(try vault.compact()))
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }
}
