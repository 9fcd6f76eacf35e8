internal import Dispatch
internal import Synchronization

/// A pause of a task that its cancellation ends.
final class Pause: Sendable {
    private let waiting = Mutex<CheckedContinuation<Void, Never>?>(nil)

    /// - Throws: `CancellationError`.
    static func wait(_ duration: Duration) async throws {
        let pause = Pause()
        let (seconds, fraction) = duration.components
        // Attoseconds below one second always fit.
        let time = DispatchTime.now() + .seconds(Int(clamping: seconds)) + .nanoseconds(Int(fraction / 1_000_000_000))
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                pause.waiting.withLock { $0 = continuation }
                if Task.isCancelled { pause.end() }
                DispatchQueue.global().asyncAfter(deadline: time) { pause.end() }
            }
        } onCancel: {
            pause.end()
        }
        try Task.checkCancellation()
    }

    private func end() {
        let continuation = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        continuation?.resume()
    }
}
