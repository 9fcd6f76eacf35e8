internal import Sync
internal import Synchronization

/// Tells a thread that the task it works for was cancelled.
final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    var isCancelled: Bool { flag.load(ordering: .acquiring) }

    func cancel() { flag.store(true, ordering: .releasing) }

    func check() throws(RemoteError) {
        if isCancelled { throw .cancelled }
    }
}
