/// The account keys of a vault: that of epoch 1, of which the store's own keys are made for ever, and those that rotations
/// have put in its place for everything that goes to the remote.
///
/// A *link* is a key with the keys that it follows. Mostly they are a chain. Where two devices rotate without knowing of
/// each other there are two ends (*heads*), and what comes next is made of both (``merged(_:)``): who was shut out by
/// either of them has at most one of the two and cannot make it.
///
/// A value: what a transaction added goes with it when it fails.
public struct KeyRing: Sendable {
    /// One key with its place in the ring.
    public struct Link: Sendable {
        public let name: KeyName
        public let parents: [KeyName]
        public let keys: EpochKeys
        /// The segment that announced it: device and sequence number. nil where that was not read.
        public internal(set) var origin: Origin?

        public var epoch: UInt32 { keys.account.epoch }
        /// Made of several, and not by a rotation: it shuts nobody out who has all of them.
        public var isMerge: Bool { parents.count > 1 }
    }

    /// A place in a device's log.
    public struct Origin: Equatable, Sendable {
        public let device: (UInt64, UInt64)
        public let sequence: UInt64

        public init(device: (UInt64, UInt64), sequence: UInt64) { (self.device, self.sequence) = (device, sequence) }

        public static func == (left: Origin, right: Origin) -> Bool {
            left.device == right.device && left.sequence == right.sequence
        }
    }

    /// The most links.
    public static let limit = 1024
    /// The most keys that one follows.
    public static let parentLimit = 16

    /// In the order in which they came, what a key follows before it; the first is that of epoch 1.
    public private(set) var links: [Link]
    let vault: (UInt64, UInt64)
    /// BLAKE2b-256 of the genesis record.
    let genesis: [UInt8]

    /// A ring of one key.
    ///
    /// - Parameter genesis: the genesis record.
    public init(first: AccountKey, vault: (UInt64, UInt64), genesis: [UInt8]) {
        self.init(first: first, vault: vault, digest: unsafe Digest.blake2b256(genesis.span.bytes))
    }

    init(first: AccountKey, vault: (UInt64, UInt64), digest: [UInt8]) {
        (self.vault, genesis, links) = (vault, digest, [])
        links = [Link(name: name(of: first), parents: [], keys: EpochKeys(first), origin: nil)]
    }

    /// The key of epoch 1.
    public var first: AccountKey { links[0].keys.account }

    /// What nothing follows, by epoch and name.
    public var heads: [Link] {
        let followed = Set(links.flatMap(\.parents))
        return links.filter { !followed.contains($0.name) }
            .sorted { ($0.epoch, $0.name) < ($1.epoch, $1.name) }
    }

    /// What is written with.
    public var current: Link { heads.last ?? links[0] }

    public subscript(name: KeyName) -> Link? { links.first { $0.name == name } }

    /// The keys of an epoch: mostly one.
    public func links(of epoch: UInt32) -> [Link] { links.filter { $0.epoch == epoch } }

    public func name(of key: AccountKey) -> KeyName { KeyName(ofCanary: canary(of: key)) }

    func canary(of key: AccountKey) -> [UInt8] {
        unsafe Canary.make(accountKey: key, vault: vault, genesis: genesis.span.bytes)
    }

    // MARK: New keys

    /// A new key behind all that are there.
    public func nextKey() -> AccountKey { AccountKey(epoch: current.epoch &+ 1) }

    /// - Returns: false for a key that does not follow what it says, or one too many.
    @discardableResult
    public mutating func add(_ key: AccountKey, parents: [KeyName], origin: Origin?) -> Bool {
        let name = name(of: key)
        if self[name] != nil {
            if let origin { note(origin, of: name) }
            return true
        }
        guard links.count < KeyRing.limit, let epoch = epoch(after: parents), key.epoch == epoch else { return false }
        links.append(Link(name: name, parents: parents, keys: EpochKeys(key), origin: origin))
        return true
    }

    /// Where a key was announced, for who learns of that later.
    public mutating func note(_ origin: Origin, of name: KeyName) {
        guard let place = links.firstIndex(where: { $0.name == name }) else { return }
        links[place].origin = links[place].origin ?? origin
    }

    /// One more than that of the latest; nil where one of them is not known.
    private func epoch(after parents: [KeyName]) -> UInt32? {
        guard (1...KeyRing.parentLimit).contains(parents.count), Set(parents).count == parents.count else { return nil }
        var highest: UInt32 = 0
        for parent in parents {
            guard let link = self[parent] else { return nil }
            highest = max(highest, link.epoch)
        }
        return highest < .max ? highest + 1 : nil
    }

    /// The key that several make together: each device that has them all comes to the same one, and nobody else does.
    public func merged(_ parents: [KeyName]) -> AccountKey? {
        let parents = parents.sorted()
        guard parents.count > 1, let epoch = epoch(after: parents), let first = self[parents[0]] else { return nil }
        var made = first.keys.account.subkey(.merge)
        for parent in parents.dropFirst() {
            guard let link = self[parent] else { return nil }
            // One part keys the hash of the other: without either of them the outcome is a random number.
            made = Digest.keyed(made, link.keys.account.subkey(.merge))
        }
        return AccountKey(copying: made, epoch: epoch)
    }
}

extension KeyRing: Equatable {
    public static func == (left: KeyRing, right: KeyRing) -> Bool {
        left.links.map(\.name) == right.links.map(\.name) && left.links.map(\.origin) == right.links.map(\.origin)
    }
}

/// What is made of one account key for the remote.
public final class EpochKeys: Sendable {
    public let account: AccountKey
    public let segment: SealingKey
    public let snapshot: SealingKey
    let outer: SealingKey
    let nonces: AuthenticationKey

    init(_ account: AccountKey) {
        self.account = account
        segment = account.sealingKey(.segment)
        snapshot = account.sealingKey(.snapshot)
        outer = account.sealingKey(.outer)
        nonces = account.authenticationKey(.nonce)
    }
}
