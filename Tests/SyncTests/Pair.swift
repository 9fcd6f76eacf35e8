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
    var segmentsBeforeSnapshot: UInt64 = 16
    var segmentBytes = 1 << 20
    var joinedWithKit: Identifier?
    let evidence = Evidence()
    private var random = Randomness(seed: 1)

    /// What the engine gives to be kept.
    final class Evidence: Sendable {
        private let kept = Mutex<[String: [UInt8]]>([:])
        var names: [String] { kept.withLock { $0.keys.sorted() } }
        subscript(name: String) -> [UInt8]? { kept.withLock { $0[name] } }
        func keep(_ name: String, _ bytes: [UInt8]) { kept.withLock { $0[name] = bytes } }
    }

    init(devices: Int = 2, family: Family = .eight) {
        self.family = family
        let (vault, identifiers) = (family.vault, family.devices)
        let shared = SharedRemote(devices: 4)
        remote = shared
        replicas = (0..<devices).map { MemoryReplica(device: identifiers[$0], top: vault) }
        remotes = (0..<4).map { MemoryRemote(shared, device: $0) }
    }

    /// - Parameter replica: another database under the same device's name.
    @discardableResult
    func sync(_ device: Int, replica: MemoryReplica? = nil) async throws(SyncError) -> SyncReport {
        defer { remote.deliver(1, using: &random) }
        return try await engine(device, replica: replica).sync()
    }

    /// - Parameter keys: whose, where they are not the device's.
    func engine(_ device: Int, replica: MemoryReplica? = nil, keys: SyncKeys? = nil) -> SyncEngine<MemoryReplica> {
        var environment = SyncEnvironment(
            date: { "2026-01-01" }, deviceName: Array("device\(device)".utf8), segmentBytes: segmentBytes,
            segmentsBeforeSnapshot: segmentsBeforeSnapshot)
        environment.rules = rules
        environment.joinedWithKit = joinedWithKit
        let evidence = evidence
        environment.keepEvidence = { evidence.keep($0, $1) }
        return SyncEngine(
            replica: replica ?? replicas[device], remote: remotes[device], keys: keys ?? family.keys[device],
            environment: environment)
    }

    /// A new device, with an empty replica.
    func join() -> Int {
        replicas.append(MemoryReplica(device: family.devices[replicas.count], top: family.vault))
        return replicas.count - 1
    }

    func deliver() { remote.deliver(1, using: &random) }

    func rotate(_ device: Int, shuttingOut others: [Int] = []) async throws(SyncError) {
        let devices = others.map { (family.devices[$0], UInt64?.none) }
        _ = try await engine(device).rotate(
            admin: family.admin.key, shuttingOut: Dictionary(uniqueKeysWithValues: devices), seconds: 0)
        deliver()
    }

    func write(_ text: String, to name: String, on device: Int, replica: MemoryReplica? = nil) throws(SyncError) {
        let replica = replica ?? replicas[device]
        let entry = replica.store.entries.values.first { $0.isShown && $0.placement.name == Array(name.utf8) }
        guard let lineage = entry?.placement.lineage else { return }
        try replica.edit { (t) throws(SyncError) in t.write(text, to: lineage) }
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

    /// What is in no listing from now on.
    func hideFromListings(_ paths: [RemotePath]) { remote.contents.withLock { $0.unlisted = Set(paths) } }

    func view(_ device: Int) -> [RemotePath: [UInt8]] { remote.contents.withLock { $0.views[device] ?? [:] } }

    func segments(of device: Int, in view: [RemotePath: [UInt8]]) -> [RemotePath] {
        let folder = family.devices[device].hexadecimal
        return view.keys.filter { $0.components.count == 4 && $0.components[2] == folder }.sorted {
            number($0) < number($1)
        }
    }

    private func number(_ path: RemotePath) -> Int { Int(path.components[3].split(separator: ".")[0]) ?? 0 }
}
