internal import Synchronization

/// Called by a thread before it waits for another one or for the disk, so that whoever it serves can be served by
/// somebody else meanwhile.
final class WaitNotice: Sendable {
    private let action = Mutex(Action())

    /// As the lock's own value, a function would be wrapped into two more by each access, which reads it as a value of
    /// any type and writes it back as one: after some 4,000 accesses a call took 400 KiB of stack (measured).
    private struct Action {
        var call: (@Sendable () -> Void)?
    }

    func set(_ action: @escaping @Sendable () -> Void) {
        self.action.withLock { $0.call = action }
    }

    func callAsFunction() {
        action.withLock { $0 }.call?()
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
