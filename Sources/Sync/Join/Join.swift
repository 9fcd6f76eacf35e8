public import Format
public import Sealing
public import Vault

/// How a device becomes one of a vault's, up to the point where it has the keys: says what to fetch next, and fetches
/// nothing itself.
///
/// **Order.** Everything is fetched before the password is tried, and it is always the same: the genesis record and all
/// canaries. Whoever watches the remote cannot tell a wrong password, a kit from before a rotation or another vault's kit
/// from one another.
///
/// What comes after it: a replica is made (`Vault.createReplica`), ``SyncEngine/enrol(kit:password:seconds:)`` reads the
/// logs and has the admin key say that this device belongs to it, and the next sync tells the others.
public struct Join: Sendable {
    /// What is to be done next.
    public enum Action: Equatable, Sendable {
        case list(RemotePath)
        case read([RemotePath], limit: Int)
        /// Ask for e-mail address and password, and call ``Join/open(password:email:)``.
        case open
    }

    /// The canaries that are looked at: more than one only while devices rotate.
    private static let most = 16

    private let kit: Kit
    private var canaries: [(epoch: UInt32, path: RemotePath)]?
    private var found: [RemoteBytes] = []

    public init(kit: Kit) { self.kit = kit }

    public var action: Action {
        guard let canaries else { return .list(Layout.canaries) }
        guard !found.isEmpty else { return .read([Layout.vault] + canaries.map(\.path), limit: KeyRing.objectLimit) }
        return .open
    }

    /// What ``Action/list(_:)`` gave.
    public mutating func take(listing: [RemoteItem]) {
        let known = listing.filter { !$0.isFolder }.compactMap { Layout.canary(named: $0.name) }
        canaries = Array(known.sorted { ($0.epoch, $0.path) > ($1.epoch, $1.path) }.prefix(Join.most))
    }

    /// What ``Action/read(_:limit:)`` gave.
    public mutating func take(objects: [RemoteBytes]) { found = objects.isEmpty ? [.missing] : objects }

    /// Carries the actions out.
    public mutating func fetch(from remote: any Remote) async throws(JoinError) {
        do throws(RemoteError) {
            while true {
                switch action {
                case .list(let folder): take(listing: try await remote.list(folder))
                case .read(let paths, let limit): take(objects: try await remote.read(paths, limit: limit))
                case .open: return
                }
            }
        } catch {
            throw .sync(.remote(error))
        }
    }

    /// The vault's keys, by what only its owner knows.
    ///
    /// - Throws: `wrongPassword` for a wrong password, a wrong address, a changed kit and one from before a rotation;
    ///   `canaryMismatch` where the remote holds another vault or a changed canary.
    public func open(password: borrowing MasterPassword, email: String) throws(JoinError) -> JoiningDevice {
        if case .bytes(let genesis)? = found.first, let format = ObjectFormat.newerRecord(genesis) {
            throw .newerFormat(format)
        }
        guard case .bytes(let genesis)? = found.first,
            unsafe Digest.blake2b256(genesis.span.bytes) == kit.genesis, Genesis.verify(genesis),
            Genesis.vault(genesis) == Identifier(low: kit.vault.0, high: kit.vault.1).bytes
        else { throw .canaryMismatch }
        let key: AccountKey
        do throws(WrapError) { key = try kit.open(password: password, email: email) } catch { throw JoinError(error) }
        let ring = try ring(of: key, genesis)
        let vault = Identifier(low: kit.vault.0, high: kit.vault.1)
        let first = ring.links[0]
        return JoiningDevice(
            origin: ReplicaOrigin(
                vault: vault, genesis: genesis, canary: ring.canaryObject(of: first), adminWrap: []),
            ring: ring, device: .random(), deviceKeys: DeviceKeys(),
            kit: Identifier(low: kit.identifier.0, high: kit.identifier.1))
    }

    private func ring(of key: AccountKey, _ genesis: [UInt8]) throws(JoinError) -> KeyRing {
        // There is a later key: the kit is from before a rotation, whether its own canary is still there or not.
        guard !(canaries ?? []).contains(where: { $0.epoch > key.epoch }) else { throw .wrongPassword }
        for (place, canary) in (canaries ?? []).enumerated() where canary.epoch == key.epoch {
            guard place + 1 < found.count, case .bytes(let object) = found[place + 1] else { continue }
            let ring = KeyRing(descendingFrom: key, object, vault: kit.vault, genesis: genesis)
            if let ring { return ring }
            let behind = Array(object.dropFirst(64))
            if let format = ObjectFormat.newerRecord(object) ?? ObjectFormat.newerRecord(behind) {
                throw .newerFormat(format)
            }
        }
        throw .canaryMismatch
    }
}

/// A device that has a vault's keys and is none of its devices yet.
public struct JoiningDevice: ~Copyable, Sendable {
    public let origin: ReplicaOrigin
    public let ring: KeyRing
    public let device: Identifier
    public let deviceKeys: DeviceKeys
    /// The kit that it joins with.
    public let kit: Identifier
}

/// Why a device does not join.
public enum JoinError: Error, Equatable, Sendable {
    /// One error whatever is wrong with password, address or kit.
    case wrongPassword
    /// The remote holds another vault, or the canary is another one.
    case canaryMismatch
    case parametersOutOfBounds(KDFParameters)
    case outOfMemory
    /// The kit was made by a newer program.
    case newerFormat(Int)
    case sync(SyncError)

    init(_ error: WrapError) {
        switch error {
        case .wrongPassword: self = .wrongPassword
        case .parametersOutOfBounds(let parameters): self = .parametersOutOfBounds(parameters)
        case .unsupportedVersion(let version): self = .newerFormat(Int(version))
        case .outOfMemory: self = .outOfMemory
        }
    }
}
