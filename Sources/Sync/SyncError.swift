public import Format

/// Why synchronisation did not do what it was asked.
public enum SyncError: Error, Equatable, Sendable {
    case remote(RemoteError)
    /// The replica could not be read or written; the number is an errno.
    case store(Int32)
    /// No remote is set.
    case noRemote
    /// What the remote has belongs to another vault, or the canary is another one.
    case canaryMismatch
    /// The remote has lost what was there before.
    case rolledBack(Alarm)
    /// A device's log has two histories.
    case forked(Alarm)
    /// This database is a copy of one that has been used since.
    case cloned
    /// This device was revoked.
    case revoked
    /// The vault has as many devices as it may have; where it is for good, those that were shut out among them.
    case tooManyDevices(isForGood: Bool)
    /// An object of the remote is not what its writer made.
    case damagedObject(String)
    /// Written by a newer program.
    case newerFormat(Int)
}

/// What an alarm is about.
public struct Alarm: Equatable, Sendable {
    /// The device whose log it is.
    public var device: Identifier
    /// The segment from which on it is wrong.
    public var sequence: UInt64
    /// The object that shows it.
    public var object: String

    public init(device: Identifier, sequence: UInt64, object: String) {
        (self.device, self.sequence, self.object) = (device, sequence, object)
    }
}
