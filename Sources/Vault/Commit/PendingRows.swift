internal import Synchronization

/// The slots of rows that are in the open batch: other connections of the same process do not see them before
/// it is committed.
final class PendingRows: Sendable {
    private let slots = Mutex<Set<Int64>>([])

    func insert(_ slot: Int64) {
        slots.withLock { _ = $0.insert(slot) }
    }

    func contains(_ slot: Int64) -> Bool {
        slots.withLock { $0.contains(slot) }
    }

    func removeAll() {
        slots.withLock { $0.removeAll(keepingCapacity: true) }
    }
}
