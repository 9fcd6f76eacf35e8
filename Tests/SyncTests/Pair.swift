import Format
import Sealing
import Sync
import Synchronization

/// Two devices on one remote, step by step.
final class Pair {
    let family: Family
    let remote: SharedRemote
    var replicas: [MemoryReplica]
    let remotes: [MemoryRemote]
    var rules = ProtocolRules()
    private var random = Randomness(seed: 1)

    init(devices: Int = 2, family: Family = .four) {
        self.family = family
        let (vault, identifiers) = (family.vault, family.devices)
        let shared = SharedRemote(devices: devices)
        remote = shared
        replicas = (0..<devices).map { MemoryReplica(device: identifiers[$0], top: vault) }
        remotes = (0..<devices).map { MemoryRemote(shared, device: $0) }
    }

    /// - Parameter replica: another database under the same device's name.
    @discardableResult
    func sync(_ device: Int, replica: MemoryReplica? = nil) async throws(SyncError) -> SyncReport {
        let report = try await engine(device, replica: replica).sync()
        deliver()
        return report
    }

    func engine(_ device: Int, replica: MemoryReplica? = nil) -> SyncEngine<MemoryReplica> {
        var environment = SyncEnvironment(
            date: { "2026-01-01" }, deviceName: Array("device\(device)".utf8), segmentBytes: 1 << 20)
        environment.rules = rules
        return SyncEngine(
            replica: replica ?? replicas[device], remote: remotes[device], keys: family.keys[device],
            environment: environment)
    }

    func deliver() { remote.deliver(1, using: &random) }

    func rotate(_ device: Int, shuttingOut others: [Int] = []) async throws(SyncError) {
        let devices = others.map { (family.devices[$0], UInt64?.none) }
        _ = try await engine(device).rotate(
            admin: family.admin.key, shuttingOut: Dictionary(uniqueKeysWithValues: devices), seconds: 0)
        deliver()
    }

    func make(_ name: String, _ text: String, on device: Int, replica: MemoryReplica? = nil) throws(SyncError) {
        let id = Identifier(using: &random)
        let top = family.vault
        try (replica ?? replicas[device]).edit { (t) throws(SyncError) in try t.make(name, in: top, text, id: id) }
    }

    func tree(_ device: Int) -> [String: String] { replicas[device].tree(top: family.vault) }

    /// What one device sees from now on.
    func setView(_ device: Int, _ view: [RemotePath: [UInt8]]) {
        remote.contents.withLock { $0.views[device] = view }
    }

    func view(_ device: Int) -> [RemotePath: [UInt8]] { remote.contents.withLock { $0.views[device] ?? [:] } }

    func segments(of device: Int, in view: [RemotePath: [UInt8]]) -> [RemotePath] {
        let folder = family.devices[device].hexadecimal
        return view.keys.filter { $0.components.count == 4 && $0.components[2] == folder }.sorted {
            number($0) < number($1)
        }
    }

    private func number(_ path: RemotePath) -> Int { Int(path.components[3].split(separator: ".")[0]) ?? 0 }
}
