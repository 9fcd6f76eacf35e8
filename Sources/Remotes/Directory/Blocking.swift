internal import Dispatch
internal import Sync
internal import Synchronization

/// Threads for calls that block: a file system over a network may keep one for minutes, and the tasks' own threads are
/// as few as the machine's cores.
///
/// A call that hangs cannot be ended from outside. When the task is cancelled nobody waits for it any more; its thread learns
/// that at its next ``Cancellation/check()``, so that at most one call of it is still carried out.
final class Blocking: Sendable {
    private let queue = DispatchQueue(label: "coffer.directory-remote", attributes: .concurrent)
    /// Calls that nobody waits for any more and that have not come back.
    private let lost = Atomic<Int>(0)

    /// A file system that has kept so many threads gets no more.
    private static let lostMost = 4

    /// Runs `body` on such a thread.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws(RemoteError) -> Value
    ) async throws(RemoteError) -> Value {
        guard lost.load(ordering: .acquiring) < Blocking.lostMost else {
            throw .unreachable("earlier calls on the folder have not come back yet: does its server answer?")
        }
        let call = Call<Value>()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, RemoteError>, Never>) in
                call.begin(continuation)
                if Task.isCancelled { cancel(call) }
                queue.async { [self] in
                    let result: Result<Value, RemoteError>
                    do throws(RemoteError) {
                        try call.cancellation.check()
                        result = .success(try body(call.cancellation))
                    } catch {
                        result = .failure(error)
                    }
                    if !call.end(result) { lost.subtract(1, ordering: .releasing) }
                }
            }
        } onCancel: {
            cancel(call)
        }
        return try result.get()
    }

    private func cancel<Value: Sendable>(_ call: Call<Value>) {
        call.cancellation.cancel()
        // Counted first: the thread that it is about may be counting it off at this moment.
        lost.add(1, ordering: .acquiring)
        if !call.end(.failure(.cancelled)) { lost.subtract(1, ordering: .releasing) }
    }

    /// A call with whoever waits for it.
    private final class Call<Value: Sendable>: Sendable {
        let cancellation = Cancellation()
        private let waiting = Mutex<CheckedContinuation<Result<Value, RemoteError>, Never>?>(nil)

        func begin(_ continuation: CheckedContinuation<Result<Value, RemoteError>, Never>) {
            waiting.withLock { $0 = continuation }
        }

        /// - Returns: whether somebody was still waiting.
        func end(_ result: Result<Value, RemoteError>) -> Bool {
            let continuation = waiting.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            continuation?.resume(returning: result)
            return continuation != nil
        }
    }
}
