internal import Dispatch
internal import Sync

/// Threads for calls that block: a file system over a network may keep one for minutes, and the tasks' own threads are
/// as few as the machine's cores.
struct Blocking: Sendable {
    private let queue = DispatchQueue(label: "coffer.directory-remote", attributes: .concurrent)

    /// Runs `body` on such a thread. A call that hangs cannot be ended from outside: when the task is cancelled,
    /// `body` learns it at its next ``Cancellation/check()``.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws(RemoteError) -> Value
    ) async throws(RemoteError) -> Value {
        let cancellation = Cancellation()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, RemoteError>, Never>) in
                queue.async {
                    do throws(RemoteError) {
                        try cancellation.check()
                        continuation.resume(returning: .success(try body(cancellation)))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }
}
