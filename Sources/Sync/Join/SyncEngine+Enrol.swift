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
        do throws(SyncError) {
            try begin()
            try await lookUntilWhole()
        } catch {
            throw error == .revoked ? .wrongPassword : .sync(error)
        }
        guard state.kits.contains(kit) else {
            throw .sync(.rolledBack(Alarm(device: own, sequence: 0, object: "kit " + kit.hexadecimal)))
        }
        if let error = state.fullness { throw .sync(error) }
        let admin = try openAdminKey(password)
        let enrolment = Enrolment(
            vault: keys.vault.pair, device: own.pair, keys: keys.signer, kit: kit.pair, epoch: state.ring.current.epoch,
            seconds: seconds, admin: admin.key)
        do throws(SyncError) { try becomeMember(enrolment) } catch { throw .sync(error) }
        return admin.wrap
    }

    /// The first ``sync()`` of a device that has just enrolled. What others remove while it is read is damaged at no second look.
    public func firstSync() async throws(SyncError) -> SyncReport {
        var report = try await sync(whole: true)
        for _ in 1..<Self.looksWhileOthersWrite where !report.damaged.isEmpty { report = try await sync(whole: true) }
        return report
    }

    /// Others may agree on a snapshot meanwhile, and remove what it stands for, which this device was about to read: then it
    /// looks again, and takes what it lacks from that snapshot.
    private func lookUntilWhole() async throws(SyncError) {
        for _ in 0..<Self.looksWhileOthersWrite {
            (report, hasMissed) = (SyncReport(), false)
            let hints = try await lookAtAll()
            guard hasMissed || !gaps.isEmpty else { return }
            try noteOverdue(hints)
        }
    }

    /// Between two looks there is a whole snapshot of the others.
    private static var looksWhileOthersWrite: Int { 8 }

    /// Each change of the password on a device made a wrap; kits from before it open with the password of then.
    private func openAdminKey(_ password: borrowing MasterPassword) throws(JoinError) -> OpenedAdminKey {
        var failure = JoinError.canaryMismatch
        for wrap in state.adminWraps {
            do throws(WrapError) {
                let key = unsafe try AdminKey(
                    wrap: wrap.span.bytes, password: password, vault: keys.vault.pair, accountKey: state.ring.first)
                guard key.publicKey == Genesis.adminKey(keys.genesis) else { throw .wrongPassword }
                return OpenedAdminKey(key: key, wrap: wrap)
            } catch {
                failure = JoinError(error)
            }
        }
        throw failure
    }

    private func becomeMember(_ enrolment: Enrolment) throws(SyncError) {
        let before = state
        state = try replica.transaction { (replica) throws(SyncError) in
            var next = before
            next.members[own] = SyncState.Member(keys: enrolment.deviceKeys, enrolment: enrolment.bytes)
            next.pending.insert(Notice(kind: .enrolment, bytes: enrolment.bytes), at: 0)
            try replica.saveState(next.encoded)
            return next
        }
    }
}

/// The admin key with the wrap that it was in.
private struct OpenedAdminKey: ~Copyable {
    let key: AdminKey
    let wrap: [UInt8]
}
