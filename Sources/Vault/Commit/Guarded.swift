internal import Synchronization

/// Called by a thread before it waits for another one or for the disk, so that whoever it serves can be served by
/// somebody else meanwhile.
final class WaitNotice: Sendable {
    private let action = Mutex<(@Sendable () -> Void)?>(nil)

    func set(_ action: @escaping @Sendable () -> Void) {
        self.action.withLock { $0 = action }
    }

    func callAsFunction() {
        action.withLock { $0 }?()
    }
}

/// A lock that owns an object which is not `Sendable`, such as a database connection.
///
/// `Mutex` alone does not do: it hands out its value as `inout sending`, and a transaction passes the
/// committer on to closures, which the compiler then takes for a leak out of the lock. `@unchecked
/// Sendable`: the value is reached only in ``withLock(_:)``, and none of its methods lets it out.
final class Guarded<Value>: @unchecked Sendable {
    private let gate = Mutex(())
    private var value: Value
    private let willWait: WaitNotice?

    init(_ value: Value, willWait: WaitNotice? = nil) {
        self.value = value
        self.willWait = willWait
    }

    func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        if let willWait {
            let result = try gate.withLockIfAvailable { (_: inout Void) throws(E) -> R in try body(&value) }
            if let result { return result }
            willWait()
        }
        return try gate.withLock { (_: inout Void) throws(E) -> R in
            try body(&value)
        }
    }
}
