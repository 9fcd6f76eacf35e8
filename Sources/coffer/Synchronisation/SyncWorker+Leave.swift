internal import Format
internal import Foundation
internal import Sealing
internal import Sync
internal import Vault

/// What this device does with itself: taking another name, and leaving.
extension SyncWorker {
    /// Gives this device another name, which all others hear of; or another one a name that it has here.
    func rename(_ old: String, to new: String) async throws -> SyncOutcome {
        let session = try current()
        let all = try await engine(session) { (engine) async throws(SyncError) in try await engine.status() }.devices
        var settings = try settings()
        let device = try named(old, all, settings)
        let others = all.filter { $0.identifier != device.identifier && !$0.isRevoked }
        guard !others.contains(where: { settings.label(of: $0) == new }) else {
            throw Failure(.entryExists, "There is a device \(new) already.")
        }
        guard device.isOwn else {
            settings.names = (settings.names ?? [:]).merging([device.identifier.hexadecimal: new]) { $1 }
            try save(settings)
            return SyncOutcome(notes: ["The device \(old) is called \(new) here; the other devices call it as before."])
        }
        settings.deviceName = new
        try save(settings)
        do throws(VaultError) { try vault.addNotice(Notice.Kind.name.rawValue, Array(new.utf8)) } catch {
            throw Failure(error, vault: vault.path)
        }
        forget()
        return SyncOutcome(
            notes: [
                "This device is called \(new) from now on. The other devices hear of it with the next `coffer sync`."
            ])
    }

    /// Takes this device out of the vault: all that it has is at the remote when this returns.
    func leave(_ secret: Secret) async throws -> SyncOutcome {
        let session = try current()
        let admin = try adminKey(secret)
        let all = try await engine(session) { (engine) async throws(SyncError) in try await engine.status() }
        guard all.devices.contains(where: { !$0.isOwn && !$0.isRevoked }) else {
            throw Failure(
                .otherError, "This is the only device of the vault: nobody would have it any more.",
                hint: "To give it up for good, lock it and remove its files.")
        }
        let large = vault.filesTooLargeToShare(most: 3)
        guard large.isEmpty else {
            throw Failure(
                .notSaved, "Too large for the other devices, and only here: \(large.joined(separator: ", ")).",
                hint: "Copy them elsewhere and remove them here, then do the same again.")
        }
        _ = try await engine(session) { (engine) async throws(SyncError) in
            try await engine.leave(admin: admin, seconds: Int64(Moment.now))
        }
        return SyncOutcome()
    }

    /// The device of a name or id.
    func named(_ name: String, _ all: [SyncStatus.Device], _ settings: SyncSettings) throws -> SyncStatus.Device {
        let found = all.filter {
            settings.label(of: $0) == name || name.count >= 6 && $0.identifier.hexadecimal.hasPrefix(name)
        }
        guard let device = found.first else {
            throw Failure(.otherError, "There is no device \(name).", hint: "See their names with `coffer devices`.")
        }
        guard found.count == 1 else {
            throw Failure(
                .otherError, "\(found.count) devices are called \(name).",
                hint: "Give the id, or the beginning of it, that `coffer devices` shows.")
        }
        return device
    }
}

extension SyncSettings {
    /// What a device is called here: as somebody has called it on this device, or as it calls itself.
    func label(of device: SyncStatus.Device) -> String {
        names?[device.identifier.hexadecimal] ?? device.label
    }
}
