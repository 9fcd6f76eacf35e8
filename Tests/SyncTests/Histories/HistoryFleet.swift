import Format
import Sync
import Synchronization
import TestSupport

@testable import Vault

/// Devices on one remote, on which histories run.
protocol HistoryFleet: AnyObject {
    var count: Int { get }
    /// Makes the same identifiers again for the same seed; nil where programs of their own make them.
    var identifiers: IdentifierSource? { get }
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
    /// Which of the vaults is whose: who comes first by its identifier wins where clocks are the same.
    private let order: [Int]
    let identifiers: IdentifierSource?

    /// With snapshots as often as there can be any: with them removals are forgotten.
    init(devices: Int, seed: UInt64) throws {
        pair = try VaultPair(devices: devices, segmentsBeforeSnapshot: 1)
        let vaults = pair.devices.map(\.vault.device)
        var order = vaults.indices.sorted { vaults[$0] < vaults[$1] }
        var random = Randomness(seed: seed)
        for place in order.indices.dropFirst() { order.swapAt(place, random.below(place + 1)) }
        self.order = order
        let source = Mutex(random)
        identifiers = IdentifierSource { source.withLock { Identifier(using: &$0) } }
    }

    var count: Int { order.count }

    func folder(_ device: Int, _ name: String) -> any HistoryPlace {
        HistoryFolder(pair.devices[order[device]], name)
    }

    func synchronise(_ device: Int) async throws -> String {
        let conflicts = try await pair.sync(order[device]).conflicts
        return conflicts.isEmpty ? "" : "\(conflicts)"
    }

    func reopen(_ device: Int) throws { try pair.devices[order[device]].reopen() }

    func damage(_ device: Int) throws -> String? {
        let damage = try pair.devices[order[device]].vault.verify { _, _ in }.damage
        return damage.isEmpty ? nil : "\(damage)"
    }
}
