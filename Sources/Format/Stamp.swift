/// A moment of the wall clock, for display and for the file system's times. Order between devices
/// never rests on it: see ``Stamp``.
public struct Timestamp: Hashable, Sendable, Comparable {
    /// Seconds since 1970-01-01 00:00 UTC; negative before.
    public var seconds: Int64
    /// Nanoseconds within the second, 0 to 999,999,999.
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// When a change was made in the order that all devices agree on: a Lamport clock, ties broken by
/// the device (Lamport 1978). A device whose wall clock stands in 2099 wins nothing by it.
public struct Stamp: Hashable, Sendable {
    /// The Lamport clock of the change.
    public var lamport: UInt64
    /// The device that made it.
    public var device: Identifier

    public init(lamport: UInt64, device: Identifier) {
        self.lamport = lamport
        self.device = device
    }

    /// Earlier than every change.
    public static let zero = Stamp(lamport: 0, device: .none)
}
