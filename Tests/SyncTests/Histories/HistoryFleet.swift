import Sync
import Vault

/// Devices on one remote, on which histories run.
protocol HistoryFleet: AnyObject {
    var count: Int { get }
    /// The folder of one history on one device.
    func folder(_ device: Int, _ name: String) -> any HistoryPlace
    /// - Returns: what the run says of conflicts; empty where there were none.
    func synchronise(_ device: Int) async throws -> String
    func reopen(_ device: Int) throws
    /// What `verify` finds damaged; nil where nothing is.
    func damage(_ device: Int) throws -> String?
}

/// Open vaults in this process.
final class VaultFleet: HistoryFleet {
    private let pair: VaultPair

    /// With snapshots as often as there can be any: with them removals are forgotten.
    init(devices: Int) throws { pair = try VaultPair(devices: devices, segmentsBeforeSnapshot: 1) }

    var count: Int { pair.devices.count }

    func folder(_ device: Int, _ name: String) -> any HistoryPlace { HistoryFolder(pair.devices[device], name) }

    func synchronise(_ device: Int) async throws -> String {
        let conflicts = try await pair.sync(device).conflicts
        return conflicts.isEmpty ? "" : "\(conflicts)"
    }

    func reopen(_ device: Int) throws { try pair.devices[device].reopen() }

    func damage(_ device: Int) throws -> String? {
        let damage = try pair.devices[device].vault.verify { _, _ in }.damage
        return damage.isEmpty ? nil : "\(damage)"
    }
}
