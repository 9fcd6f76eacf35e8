/// When a mounted vault synchronises by itself: it is told what happened, and says what to do next.
///
/// A value without a clock: moments are durations since the program began, given by whoever asks.
public struct SyncPlan: Sendable {
    /// How long things are waited for.
    public struct Timing: Sendable, Equatable {
        /// After a change, so that an edit which writes several files goes out at once.
        public var quiet = Duration.seconds(2)
        /// Changes that do not end put a push off no longer than this.
        public var patience = Duration.seconds(10)
        /// From one look at the remote to the next.
        public var poll = Duration.seconds(30)
        /// The longest pause after the remote could not be reached.
        public var longestPause = Duration.seconds(900)
        /// What was read is acknowledged once nothing more has come for as long as a poll…
        public var readingQuiet: Duration { poll }
        /// …and where things come without end, after so many polls.
        public var readingPatience: Duration { poll * 20 }

        public init() {}
    }

    /// What to do now.
    public enum Step: Equatable, Sendable {
        /// Pull and push.
        case sync
        /// Push what was changed here.
        case push
        /// Ask whether there is anything new.
        case look
        /// Tell the others what was read.
        case acknowledge
        /// Nothing before that moment, unless something changes.
        case wait(until: Duration)
        /// Nothing before somebody has decided.
        case rest
    }

    /// How a step ended.
    public enum Outcome: Equatable, Sendable {
        case done
        case unreachable
        /// Cut short by somebody who wanted something else; what it was about is still owed.
        case cancelled
        /// An alarm, or something else that trying again does not mend.
        case stopped
    }

    public let timing: Timing
    private var change: (first: Duration, last: Duration)?
    /// When something was read that the others have not been told of.
    private var reading: (first: Duration, last: Duration)?
    private var nextLook: Duration
    /// A whole run is owed: the first one, and after a failure.
    private var owesSync = true
    private var failures = 0
    private var isStopped = false

    /// - Parameter start: the moment from which on it plans; the first step is a whole run.
    public init(_ timing: Timing = Timing(), start: Duration) {
        self.timing = timing
        nextLook = start
    }

    /// The vault was changed here.
    public mutating func noteChange(at moment: Duration) {
        change = (change?.first ?? moment, max(change?.last ?? moment, moment))
    }

    /// - Parameters:
    ///   - isOwed: something was read that the others have not been told of.
    ///   - isNew: something was read since this was said last.
    public mutating func noteReading(isOwed: Bool, isNew: Bool, at moment: Duration) {
        guard isOwed else { return reading = nil }
        guard let known = reading else { return reading = (moment, moment) }
        if isNew { reading = (known.first, max(known.last, moment)) }
    }

    /// Whether something was changed here and not pushed.
    public var hasChanges: Bool { change != nil }

    /// Whether the next step is likely to succeed: the last one did.
    public var isReachable: Bool { failures == 0 && !isStopped && !owesSync }

    public func step(at now: Duration) -> Step {
        if isStopped { return .rest }
        if owesSync { return now >= nextLook ? .sync : .wait(until: nextLook) }
        var next = nextLook
        if let change {
            let due = min(change.last + timing.quiet, change.first + timing.patience)
            if now >= due { return .push }
            next = min(next, due)
        }
        if now >= nextLook { return .look }
        if let reading {
            let due = min(reading.last + timing.readingQuiet, reading.first + timing.readingPatience)
            if now >= due { return .acknowledge }
            next = min(next, due)
        }
        return .wait(until: next)
    }

    /// A step that pushes begins: what was changed until now is in it.
    public mutating func begin() { change = nil }

    /// - Parameters:
    ///   - jitter: from 0 up to 1; devices that lost the remote together do not come back together.
    ///   - look: after what time to look again, where that costs so little that it need not wait for the poll.
    public mutating func end(_ outcome: Outcome, at now: Duration, jitter: Double, look: Duration? = nil) {
        switch outcome {
        case .done:
            (failures, owesSync, isStopped) = (0, false, false)
            nextLook = now + min(look ?? timing.poll, timing.poll)
        case .unreachable:
            failures += 1
            owesSync = true
            let pause = min(timing.poll * (1 << min(failures - 1, 10)), max(timing.longestPause, timing.poll))
            nextLook = now + pause * (0.5 + jitter / 2)
        case .cancelled:
            (owesSync, nextLook) = (true, now)
        case .stopped:
            isStopped = true
        }
    }

    /// Somebody has decided what to do about an alarm, or has set another remote: a whole run is due.
    public mutating func resume(at now: Duration) {
        (isStopped, owesSync, failures, nextLook) = (false, true, 0, now)
    }
}
