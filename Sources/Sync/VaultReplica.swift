public import Format
public import Sealing
internal import Synchronization
internal import SystemPackage
public import Vault

/// An open vault as the engine's replica.
public final class VaultReplica: Replica {
    private let vault: Vault
    private let successor = Successor()

    /// - Parameter vault: open and not read-only, for as long as the replica is used.
    public init(_ vault: Vault) { self.vault = vault }

    /// Gives the keys of the device that this copy of the vault may have to go on as: see
    /// ``ReplicaTransaction/becomeDevice(_:after:reissuing:)``.
    public func prepare(successor device: Identifier, keys: consuming DeviceKeys) {
        successor.set(device, keys)
    }

    public func transaction<R: Sendable>(
        _ body: (VaultTransaction) throws(SyncError) -> R
    ) throws(SyncError) -> R {
        try vault.replicate(translating: SyncError.init) { (transaction) throws(SyncError) in
            try body(VaultTransaction(transaction, successor))
        }
    }

    public func nameCopies(_ naming: ConflictNaming, by device: Identifier) {
        vault.nameCopies { name, attempt in naming.name(name, by: device, attempt: attempt) }
    }
}

extension VaultReplica {
    /// The paths of what stands beside another entry because devices had not heard of each other, until somebody gives it
    /// another name or removes it.
    public var conflicts: [String] { vault.sharedPaths(whose: ConflictNaming.isOfCopy).sorted() }
}

/// The keys of the device that a copy goes on as.
final class Successor: Sendable {
    private struct State: ~Copyable {
        var device = Identifier.none
        var keys: DeviceKeys?
    }

    private let state = Mutex(State())

    func set(_ device: Identifier, _ keys: consuming DeviceKeys) {
        // A consumed parameter goes into the lock's closure only in a box of its own.
        var keys = Optional(keys)
        state.withLock { state in
            state.device = device
            state.keys = keys.take()
        }
    }

    /// nil where the keys are another device's.
    func withKeys<R, E: Error>(
        of device: Identifier, _ body: (borrowing DeviceKeys) throws(E) -> R
    ) throws(E) -> R? {
        try state.withLock { (state) throws(E) -> R? in
            guard state.device == device, let keys = state.keys.take() else { return nil }
            let result = try body(keys)
            state.keys = consume keys
            return result
        }
    }
}

extension SyncError {
    init(_ error: Errno) { self = .store(error.rawValue) }
}

extension SyncKeys {
    /// The keys of an open vault.
    ///
    /// - Parameter enrolment: of a device that has joined and not introduced itself yet.
    public convenience init(_ vault: Vault, enrolment: Enrolment? = nil) throws(VaultError) {
        let origin = try vault.replicaOrigin()
        // Those that join have the wrap from the first device's log.
        let isFirst = Genesis.device(origin.genesis).flatMap { Identifier(bytes: $0) } == vault.device
        self.init(
            vault: vault.identifier, device: vault.device, genesis: origin.genesis, accountKey: vault.accountKey,
            signer: try vault.deviceKeys(), enrolment: enrolment, adminWrap: isFirst ? origin.adminWrap : [])
    }
}
