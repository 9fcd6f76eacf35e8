internal import Format
internal import Foundation
internal import Sealing
internal import Sync
internal import Vault
internal import VaultFileSystem

/// The devices of a vault, and what only the master password allows: shutting them out, new account keys, a new device.
extension SyncWorker {
    /// As many as an answer has room for.
    func listDevices(from first: Int) async throws -> SyncOutcome {
        let all = await devices(try current())
        let page = all.dropFirst(max(0, first)).prefix(SyncWorker.devicesInAnswer)
        let hasMore = page.endIndex < all.endIndex
        return SyncOutcome(devices: Array(page), hasMoreDevices: hasMore ? true : nil)
    }

    /// Each is at most 200 bytes of JSON, but for its name, which is at most 255.
    private static let devicesInAnswer = 48

    /// The devices as the engine knows them, with when something of each came here last.
    func devices(_ session: SyncSession) async -> [SyncOverview.Device] {
        guard let status = try? await session.engine.status(), var settings = try? settings() else { return [] }
        let before = settings
        for device in status.devices where !device.isOwn && device.sequence > 0 {
            let id = device.identifier.hexadecimal
            let known = settings.seen[id]
            guard known?.sequence != device.sequence || known?.acknowledged ?? 0 != device.acknowledged else {
                continue
            }
            settings.seen[id] = SyncSettings.Seen(
                sequence: device.sequence, seconds: Moment.now, acknowledged: device.acknowledged)
        }
        settings.take(status.address)
        if settings != before { try? save(settings) }
        func label(_ device: SyncStatus.Device) -> String { settings.label(of: device) }
        let sorted = status.devices.sorted { ($0.isOwn ? 0 : 1, label($0)) < ($1.isOwn ? 0 : 1, label($1)) }
        return sorted.map { device in
            let id = device.identifier.hexadecimal
            return SyncOverview.Device(
                name: label(device), id: id, isThisOne: device.isOwn, isRevoked: device.isRevoked,
                lastSeen: settings.seen[id].map { Moment.iso8601($0.seconds) }, isBehind: device.isBehind)
        }
    }

    /// Says that there is no such device before anybody is asked for the master password. One that is not known here may
    /// have come since.
    func findDevice(_ name: String) async throws -> SyncOutcome {
        let session = try current()
        do { _ = try await find(name, session) } catch let missing as Failure where missing.code == .otherError {
            let report = try? await engine(session) { (engine) async throws(SyncError) in try await engine.sync() }
            try Task.checkCancellation()
            guard let report else { throw missing }
            await note(report, session)
            _ = try await find(name, session)
        }
        return SyncOutcome()
    }

    func revoke(_ name: String, _ secret: Secret) async throws -> SyncOutcome {
        let session = try current()
        let admin = try adminKey(secret)
        // What others have done is read first: a device may have come, or been revoked already. That a log is at fault, which
        // may be that device's, is no reason to stop here: this verb is what helps.
        try await engine(session) { (engine) async throws(SyncError) in
            do throws(SyncError) { _ = try await engine.sync() } catch {
                guard case .forked = error else { throw error }
            }
        }
        let device = try await find(name, session)
        let label = try settings().label(of: device)
        let report = try await engine(session) { (engine) async throws(SyncError) in
            try await engine.rotate(
                admin: admin, shuttingOut: [device.identifier: nil], seconds: Int64(Moment.now))
        }
        await note(report, session)
        return SyncOutcome(notes: [
            "The device \(label) is revoked: it reads nothing that is written from now on, and nobody takes what it "
                + "writes. It keeps what it has: change the secrets that were on it.",
            SyncWorker.newKitIsNeeded,
        ])
    }

    func rotate(_ secret: Secret) async throws -> SyncOutcome {
        let session = try current()
        let admin = try adminKey(secret)
        let report = try await engine(session) { (engine) async throws(SyncError) in
            try await engine.rotate(admin: admin, seconds: Int64(Moment.now))
        }
        await note(report, session)
        return SyncOutcome(notes: [
            "There is a new account key for all that is written from now on; what was written before stays under the old.",
            SyncWorker.newKitIsNeeded,
        ])
    }

    private static let newKitIsNeeded =
        "Kits that were issued before open nothing new: issue another with `coffer kit`, and destroy the old ones."

    /// Goes on as a device of its own: another copy of this vault's file goes on under the name that it had.
    ///
    /// - Returns: the device that it was before, where that is no more because this vault was restored from a backup.
    func becomeNewDevice(_ secret: Secret) async throws -> Identifier? {
        var settings = try settings()
        guard let remote = settings.remote else { throw Failure.noRemote }
        let admin = try adminKey(secret)
        let before = try current()
        let epoch = try await engine(before) { (engine) async throws(SyncError) in try await engine.presentEpoch() }
        let predecessor = settings.restored == nil ? nil : vault.device
        if settings.restored != nil { settings.deviceName = SyncSettings.restoredName(settings.deviceName) }
        let device = Identifier.random()
        let made = DeviceKeys()
        let enrolment = Enrolment(
            vault: vault.identifier.pair, device: device.pair, keys: made, kit: Identifier.none.pair,
            epoch: epoch, seconds: Int64(Moment.now), admin: admin)
        let keys: SyncKeys
        do throws(VaultError) {
            keys = SyncKeys(
                vault: vault.identifier, device: device, genesis: try vault.replicaOrigin().genesis,
                accountKey: vault.accountKey, signer: made.copy(), enrolment: enrolment)
        } catch {
            throw Failure(error, vault: vault.path)
        }
        let replica = VaultReplica(vault)
        replica.prepare(successor: device, keys: made)
        let session = try SyncSession(
            vault, remote, deviceName: settings.deviceName, commands: commands, replica: replica, keys: keys
        ) { _ in }
        try await engine(session) { (engine) async throws(SyncError) in try await engine.becomeDevice() }
        settings.restored = nil
        try save(settings)
        forget()
        return predecessor
    }

    /// Shuts out the device that this one was before it was restored: one machine is one device.
    ///
    /// - Returns: what is to be said of that.
    func retire(_ predecessor: Identifier, _ secret: Secret) async throws -> String {
        let admin = try adminKey(secret)
        let report = try await engine(try current()) { (engine) async throws(SyncError) in
            try await engine.retire(predecessor, admin: admin, seconds: Int64(Moment.now))
        }
        await note(report, try current())
        return "The device that it was before is revoked: should that still be in use somewhere, it has to join again."
    }

    func find(
        _ name: String, _ session: SyncSession, allowsRevoked: Bool = false
    ) async throws -> SyncStatus.Device {
        let all = try await engine(session) { (engine) async throws(SyncError) in try await engine.status() }.devices
        let device = try named(name, all, try settings())
        guard !device.isOwn else {
            throw Failure(
                .otherError, "This is \(name) itself.",
                hint: allowsRevoked
                    ? "Only what the other devices did is kept." : "Revoke it from another device.")
        }
        guard allowsRevoked || !device.isRevoked else {
            throw Failure(.otherError, "The device \(name) is revoked already.")
        }
        return device
    }

    func adminKey(_ secret: Secret) throws -> AdminKey {
        let password = try MasterPassword.from(secret.bytes)
        do throws(VaultError) { return try vault.wrappedKeys().adminKey(password: password) } catch {
            throw Failure(error, vault: vault.path)
        }
    }
}

extension DeviceKeys {
    /// The same keys in an owner of their own.
    fileprivate func copy() -> DeviceKeys { DeviceKeys(secret: secret.withBytes { SecretBytes(copying: $0) }) }
}
