public import Format
public import Sealing

extension SyncEngine {
    /// Reads the vault's logs and makes this device one of the vault's: the admin key, which lies wrapped in the first
    /// device's log, says so. The next ``sync()`` tells the others.
    ///
    /// Reading needs no enrolment; so nothing that is made from the password lies anywhere but inside sealed segments, and a
    /// kit from before a rotation is found to be one before anything is written.
    ///
    /// - Parameters:
    ///   - kit: the kit that this device joins with. Where no log knows of it, the remote is older than the kit.
    ///   - seconds: now, since 1970: for people only.
    /// - Returns: the admin key's wrap, for the vault's own file.
    public func enrol(
        kit: Identifier, password: borrowing MasterPassword, seconds: Int64
    ) async throws(JoinError) -> [UInt8] {
        do throws(SyncError) { try await receive() } catch { throw error == .revoked ? .wrongPassword : .sync(error) }
        guard state.kits.contains(kit) else {
            throw .sync(.rolledBack(Alarm(device: .none, sequence: 0, object: Layout.logs.description)))
        }
        guard !state.adminWrap.isEmpty else { throw .canaryMismatch }
        let admin: AdminKey
        do throws(WrapError) {
            admin = unsafe try AdminKey(
                wrap: state.adminWrap.span.bytes, password: password, vault: keys.vault.pair,
                accountKey: state.ring.first)
        } catch {
            throw JoinError(error)
        }
        guard admin.publicKey == Genesis.adminKey(keys.genesis) else { throw .canaryMismatch }
        let enrolment = Enrolment(
            vault: keys.vault.pair, device: own.pair, keys: keys.signer, kit: kit.pair, epoch: state.ring.current.epoch,
            seconds: seconds, admin: admin)
        do throws(SyncError) { try introduce(enrolment) } catch { throw .sync(error) }
        return state.adminWrap
    }

    private func introduce(_ enrolment: Enrolment) throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            next.members[own] = SyncState.Member(keys: enrolment.deviceKeys)
            next.pending.insert(Notice(kind: .enrolment, bytes: enrolment.bytes), at: 0)
            try replica.saveState(next.encoded)
            return next
        }
    }
}
