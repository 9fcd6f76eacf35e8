internal import Dispatch
internal import Synchronization

/// Counts the operations that are under way, and closes behind them: the first step of locking. One atomic
/// word, since every operation passes twice.
final class Gate: Sendable {
    private static let closed = 1 << 40
    private let state = Atomic<Int>(0)
    /// Signalled when the last one leaves behind the closed gate.
    private let drained = DispatchSemaphore(value: 0)
    /// When the last operation came, in nanoseconds of a clock that counts suspend.
    private let lastUse = Atomic<Int64>(Gate.now())

    /// Whether the operation may go on; then ``leave()`` has to follow.
    func enter() -> Bool {
        use()
        if state.wrappingAdd(1, ordering: .acquiring).newValue & Gate.closed == 0 { return true }
        leave()
        return false
    }

    func leave() {
        let left = state.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
        if left == Gate.closed { drained.signal() }
    }

    /// Lets nobody in any more, and returns when all have left.
    func close() {
        state.bitwiseOr(Gate.closed, ordering: .acquiringAndReleasing)
        while state.load(ordering: .acquiring) & (Gate.closed - 1) != 0 { drained.wait() }
    }

    var isClosed: Bool { state.load(ordering: .acquiring) & Gate.closed != 0 }

    /// Whether an operation is under way.
    var isBusy: Bool { state.load(ordering: .relaxed) & (Gate.closed - 1) != 0 }

    /// How long ago the last operation came, or ``use()`` was called.
    var idle: Duration { .nanoseconds(Gate.now() - lastUse.load(ordering: .relaxed)) }

    /// Counts as an operation that came.
    func use() { lastUse.store(Gate.now(), ordering: .relaxed) }

    private static let start = ContinuousClock.now

    /// Nanoseconds since the program started. On Linux the continuous clock is CLOCK_BOOTTIME, which goes on
    /// while the machine is suspended.
    private static func now() -> Int64 {
        let elapsed = start.duration(to: .now).components
        return elapsed.seconds &* 1_000_000_000 &+ elapsed.attoseconds / 1_000_000_000
    }
}
