public import Dispatch
public import Foundation

extension Thread {
    /// Runs `body` on a thread of its own, as a part of the group: a call that waits would keep one of Dispatch's few from
    /// other tests.
    public static func run(in group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread.detachNewThread {
            body()
            group.leave()
        }
    }
}
