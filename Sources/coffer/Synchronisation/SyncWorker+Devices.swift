internal import Format
internal import Foundation
internal import Sealing
internal import Sync
internal import Vault
internal import VaultFileSystem

extension SyncWorker {
    func listDevices() async throws -> SyncOutcome {
        SyncOutcome(devices: await devices(try current()))
    }

    /// The devices as the engine knows them, with when something of each came here last.
    func devices(_ session: SyncSession) async -> [SyncOverview.Device] {
        guard let status = try? await session.engine.status(), var settings = try? settings() else { return [] }
        let before = settings.seen
        for device in status.devices where !device.isOwn && device.sequence > 0 {
            let id = device.identifier.hexadecimal
            if settings.seen[id]?.sequence != device.sequence {
                settings.seen[id] = SyncSettings.Seen(
                    sequence: device.sequence, seconds: Int(Date().timeIntervalSince1970))
            }
        }
        if settings.seen != before { try? save(settings) }
        return status.devices.map { device in
            let id = device.identifier.hexadecimal
            return SyncOverview.Device(
                name: device.label, id: id, isThisOne: device.isOwn, isRevoked: device.isRevoked,
                lastSeen: settings.seen[id].map { Moment.iso8601($0.seconds) }, isBehind: device.isBehind)
        }
    }
}
