internal import Format
internal import Sealing

/// Whose segments are held back within one run, and how far somebody in good standing vouches for them.
///
/// A device is shut out from a place in its log on. Another device that had not heard of that may have read further; what
/// it wrote then builds on what it read. So that all devices come to the same, what a member says it has seen counts.
struct Standing: Sendable {
    private enum Hold {
        /// The key that it was sealed with is still to come; how many there were when it was tried.
        case key(known: Int)
        /// The device was shut out before this segment.
        case shutOut(sequence: UInt64)
    }

    private var held: [Identifier: Hold] = [:]
    /// The ring with keys that only segments which do not count have told of: to read with, and for nothing else.
    private(set) var spare: KeyRing?
    private var vouched: [Identifier: UInt64] = [:]
    /// Where the logs of devices end that were shut out, as far as revocations say so.
    private(set) var cuts: [Identifier: LogPosition] = [:]
    /// Devices that were shut out and whose logs go on from another history than the one that counts.
    private(set) var torn: Set<Identifier> = []
    private var reopened: Set<Identifier> = []
    private var counted: [Identifier: [UInt64: Identifier]] = [:]

    /// How far a device's log counts whatever shuts it out.
    func vouched(_ device: Identifier) -> UInt64 { vouched[device] ?? 0 }

    mutating func vouch(by segments: [CheckedSegment]) {
        for segment in segments {
            for (device, position) in segment.record.seen.positions {
                vouched[device] = max(vouched[device] ?? 0, position.sequence)
            }
        }
    }

    mutating func hold(_ device: Identifier, shutOutAt sequence: UInt64) { held[device] = .shutOut(sequence: sequence) }

    mutating func hold(_ device: Identifier, keys known: Int) { held[device] = .key(known: known) }

    /// The devices whose segments do not count, where somebody else's cannot be opened: one may have the key for the other.
    var suspects: [Identifier] {
        let isKeyMissing = held.values.contains { if case .key = $0 { true } else { false } }
        return held.compactMap { if case .shutOut = $0.value, isKeyMissing { $0.key } else { nil } }.sorted()
    }

    /// Keys to try with.
    mutating func lend(_ ring: KeyRing) {
        spare = ring
        for (device, hold) in held { if case .key = hold { held[device] = .key(known: 0) } }
    }

    /// The devices that may be tried again.
    mutating func release(keys known: Int) -> Set<Identifier> {
        let released = held.filter { device, hold in
            switch hold {
            case .key(let before): known > before
            case .shutOut(let sequence): vouched(device) >= sequence
            }
        }
        for device in released.keys { held[device] = nil }
        defer { reopened = [] }
        return reopened.union(released.keys)
    }

    // MARK: Where logs are cut

    /// Notes where a log ends; the lowest place counts.
    ///
    /// - Returns: whether that is news.
    mutating func cut(_ device: Identifier, at position: LogPosition) -> Bool {
        if let known = cuts[device], !position.precedes(known) { return false }
        cuts[device] = position
        counted[device] = nil
        return true
    }

    mutating func tear(_ device: Identifier) { torn.insert(device) }

    /// A log that was set aside is to be tried again.
    mutating func reopen(_ device: Identifier) { reopened.insert(device) }

    /// Notes a segment on the way to the last one that counts.
    mutating func count(_ device: Identifier, _ sequence: UInt64, _ hash: Identifier) {
        counted[device, default: [:]][sequence] = hash
    }

    func counted(_ device: Identifier, _ sequence: UInt64) -> Identifier? { counted[device]?[sequence] }

    func lowestCounted(_ device: Identifier) -> (UInt64, Identifier)? {
        counted[device]?.min { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// How many devices' segments wait for a key, and of how many they are refused.
    var counts: (waiting: Int, refused: Int) {
        held.values.reduce(into: (0, 0)) { counts, hold in
            if case .key = hold { counts.0 += 1 } else { counts.1 += 1 }
        }
    }
}

extension LogPosition {
    /// Which of two places counts as the end of a log: the lower one, and of two segments there the one with the lower hash. A
    /// place that is known by its number alone gives way to one with a hash.
    func precedes(_ other: LogPosition) -> Bool {
        if sequence != other.sequence { return sequence < other.sequence }
        return hash != .none && (other.hash == .none || hash < other.hash)
    }
}
