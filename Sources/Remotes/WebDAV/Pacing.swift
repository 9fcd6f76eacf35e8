internal import Glibc

/// When something that failed for the moment is tried again. Time and chance come from outside, so that tests need
/// neither.
public struct Pacing: Sendable {
    /// How often something is tried in all.
    public var attempts = 6
    /// Before the second try; it doubles from try to try.
    public var firstPause = Duration.milliseconds(500)
    /// No pause of our own is longer.
    public var longestPause = Duration.seconds(30)
    /// A server that asks for more than this is not waited for.
    public var longestRetryAfter = Duration.seconds(120)
    /// Waits; throws when the task was cancelled.
    public var wait: @Sendable (Duration) async throws -> Void = { try await Pause.wait($0) }
    /// A number from 0 up to 1.
    public var random: @Sendable () -> Double = { .random(in: 0..<1) }
    /// Seconds since 1970.
    public var now: @Sendable () -> Int = { time(nil) }

    public init() {}

    /// The pause before the next try.
    ///
    /// Half of it is left to chance: devices that lost the server at the same moment do not come back together.
    ///
    /// - Parameters:
    ///   - tried: how often it was tried already.
    ///   - asked: what the server asked for.
    /// - Returns: nil where there is no next try.
    func pause(tried: Int, asked: Duration?) -> Duration? {
        guard tried < attempts else { return nil }
        if let asked, asked > longestRetryAfter { return nil }
        let doublings = min(max(0, tried - 1), 20)
        let whole = min(firstPause * (1 << doublings), longestPause)
        return max(asked ?? .zero, whole * (0.5 + random() / 2))
    }
}
