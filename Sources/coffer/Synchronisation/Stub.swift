internal import Sync
internal import Vault
extension SyncSession {
    static func keys(of vault: Vault) throws -> SyncKeys { throw Failure.noRemote }
}
extension SyncWorker {
    func becomeNewDevice(_ secret: Secret) async throws {}
    func revoke(_ name: String, _ secret: Secret) async throws -> SyncOutcome { SyncOutcome() }
    func rotate(_ secret: Secret) async throws -> SyncOutcome { SyncOutcome() }
}
