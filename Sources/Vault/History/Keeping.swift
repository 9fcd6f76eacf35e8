internal import Format

/// How much of what is not live any more a vault keeps: earlier versions, and what was removed.
///
/// Each device decides for itself. What is kept is measured as what the vault's files take beyond its live contents.
public struct Keeping: Equatable, Sendable {
    /// As many bytes as the live contents have, in percent…
    public var share = 100
    /// …and at least so many bytes, or a quarter of the disk, where that is less.
    public var floor: UInt64 = 64 << 20
    /// Versions go when they are so many days old.
    public var versionDays = Int(Limits.versionAge / 86400)
    /// What was removed goes after so many days.
    public var trashDays = Int(Limits.trashAge / 86400)

    public init() {}

    /// What may be set.
    public static let shares = 0...10_000
    public static let floors: ClosedRange<UInt64> = 0...(1 << 50)
    public static let days = 1...36_500

    /// How many bytes may be kept beside `live` bytes, on a file system of `disk` bytes.
    public func budget(live: UInt64, disk: UInt64) -> UInt64 {
        // In steps that do not overflow: a share of 10,000 % of 16 EiB is no number.
        let part = live / 100 > UInt64.max / 10_001 ? UInt64.max : live / 100 * UInt64(share)
        return max(part, min(floor, disk / 4))
    }
}
