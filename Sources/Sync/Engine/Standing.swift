internal import Format

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
    private var vouched: [Identifier: UInt64] = [:]

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

    /// The devices that may be tried again.
    mutating func release(keys known: Int) -> Set<Identifier> {
        let released = held.filter { device, hold in
            switch hold {
            case .key(let before): known > before
            case .shutOut(let sequence): vouched(device) >= sequence
            }
        }
        for device in released.keys { held[device] = nil }
        return Set(released.keys)
    }

    /// How many devices' segments wait for a key, and of how many they are refused.
    var counts: (waiting: Int, refused: Int) {
        held.values.reduce(into: (0, 0)) { counts, hold in
            if case .key = hold { counts.0 += 1 } else { counts.1 += 1 }
        }
    }
}
