internal import Synchronization

/// A lock that owns an object which is not `Sendable`, such as a database connection.
///
/// `Mutex` alone does not do: it hands out its value as `inout sending`, and a transaction passes the
/// committer on to closures, which the compiler then takes for a leak out of the lock. `@unchecked
/// Sendable`: the value is reached only in ``withLock(_:)``, and none of its methods lets it out.
final class Guarded<Value>: @unchecked Sendable {
    private let gate = Mutex(())
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        try gate.withLock { (_: inout Void) throws(E) -> R in
            try body(&value)
        }
    }
}
