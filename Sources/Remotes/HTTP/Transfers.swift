internal import CCurl
internal import Foundation
internal import Synchronization

/// HTTP transfers over kept connections: one thread drives libcurl's multi interface (libcurl-multi(3)), and tasks
/// hand it requests and wait. The thread ends with the last user.
final class Transfers: Sendable {
    private let desk: TransferDesk

    /// nil where libcurl cannot be started.
    init?(_ settings: TransferSettings) {
        guard Transfers.isStarted, let multi = unsafe curl_multi_init() else { return nil }
        let handle = unsafe MultiHandle(multi: multi)
        let desk = TransferDesk(handle)
        self.desk = desk
        Thread.detachNewThread { TransferLoop(handle, desk, settings).run() }
    }

    deinit { desk.close() }

    private static let isStarted = coffer_curl_start() == CURLE_OK

    /// Runs a request to its end. The task's cancellation ends the transfer.
    func run(_ request: Request) async throws(TransferFailure) -> Response {
        let cancellation = Cancellation()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                desk.submit(TransferJob(request: request, cancellation: cancellation, continuation: continuation))
            }
        } onCancel: {
            cancellation.cancel()
            desk.wake()
        }
        return try result.get()
    }
}

/// A request with whoever waits for its answer.
struct TransferJob: Sendable {
    let request: Request
    let cancellation: Cancellation
    let continuation: CheckedContinuation<Result<Response, TransferFailure>, Never>
}

/// A multi handle of libcurl.
// `@unchecked Sendable`: only the transfers' thread uses it, but for curl_multi_wakeup(3), which any thread may call
// and which the desk calls under its lock, as it closes it.
@safe
struct MultiHandle: @unchecked Sendable {
    let multi: UnsafeMutableRawPointer

    @unsafe init(multi: UnsafeMutableRawPointer) { unsafe self.multi = unsafe multi }
}

/// Where tasks leave their requests and the thread takes them.
final class TransferDesk: Sendable {
    private struct State {
        var waiting: [TransferJob] = []
        /// The users are gone: the thread is to end.
        var isClosed = false
        /// The thread has ended, and with it the handle.
        var isGone = false
    }

    private let handle: MultiHandle
    private let state = Mutex(State())

    init(_ handle: MultiHandle) { self.handle = handle }

    func submit(_ job: TransferJob) {
        let isTaken = state.withLock { state in
            guard !state.isClosed else { return false }
            state.waiting.append(job)
            unsafe curl_multi_wakeup(handle.multi)
            return true
        }
        if !isTaken { job.continuation.resume(returning: .failure(.cancelled)) }
    }

    func wake() {
        state.withLock { state in
            if !state.isGone { unsafe _ = curl_multi_wakeup(handle.multi) }
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            if !state.isGone { unsafe _ = curl_multi_wakeup(handle.multi) }
        }
    }

    /// All requests that came since; nil when the thread is to end.
    func take() -> [TransferJob]? {
        state.withLock { state in
            guard !state.isClosed else { return nil }
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    /// Called by the thread as the last thing it does with the handle.
    func destroy() {
        let left = state.withLock { state in
            state.isGone = true
            unsafe curl_multi_cleanup(handle.multi)
            defer { state.waiting = [] }
            return state.waiting
        }
        for job in left { job.continuation.resume(returning: .failure(.cancelled)) }
    }
}
