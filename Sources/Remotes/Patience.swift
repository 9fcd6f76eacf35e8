public import Sync
internal import Synchronization

/// How long a remote is waited for that does not get on. Time comes from outside, so that tests need none.
///
/// What counts is not bytes, which a server can send one by one for ever, but what has come or gone whole: an object, a
/// listing, a removal.
public final class Patience: Sendable {
    /// After so long without anything whole the remote counts as gone.
    public static let limit = Duration.seconds(900)

    /// How often it is looked at.
    private static let look = Duration.seconds(30)

    private let now: @Sendable () -> Duration
    private let wait: @Sendable (Duration) async throws -> Void
    private let last: Mutex<Duration>

    /// - Parameters:
    ///   - now: the time since some moment.
    ///   - wait: waits; throws when the task was cancelled.
    public init(
        now: @escaping @Sendable () -> Duration, wait: @escaping @Sendable (Duration) async throws -> Void
    ) {
        (self.now, self.wait) = (now, wait)
        last = Mutex(now())
    }

    /// By the machine's clock.
    public convenience init() {
        let start = ContinuousClock.now
        self.init(now: { start.duration(to: .now) }, wait: { try await Pause.wait($0) })
    }

    /// Something has come or gone whole.
    public func note() {
        let moment = now()
        last.withLock { $0 = moment }
    }

    /// Waits until nothing was noted for as long as the limit.
    ///
    /// - Returns: false where the task was cancelled before.
    func runsOut() async -> Bool {
        while true {
            let left = last.withLock { $0 } + Patience.limit - now()
            guard left > .zero else { return true }
            // A timer outlives the call that it was for.
            do { try await wait(min(left, Patience.look)) } catch { return false }
        }
    }
}

/// A remote whose calls end when it does not get on: see ``Patience``.
public struct PatientRemote: Remote {
    private let remote: any Remote
    private let patience: Patience

    /// - Parameter patience: the remote itself notes there what has come and gone, since a call may be about many objects.
    public init(_ remote: any Remote, _ patience: Patience) { (self.remote, self.patience) = (remote, patience) }

    public func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] {
        try await patiently { [remote] () async throws(RemoteError) in try await remote.list(folder) }
    }

    public func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        try await patiently { [remote] () async throws(RemoteError) in try await remote.read(paths, limit: limit) }
    }

    public func create(_ objects: [RemoteObject]) async throws(RemoteError) {
        try await patiently { [remote] () async throws(RemoteError) in try await remote.create(objects) }
    }

    public func replace(_ hint: RemoteObject) async throws(RemoteError) {
        try await patiently { [remote] () async throws(RemoteError) in try await remote.replace(hint) }
    }

    public func remove(_ paths: [RemotePath]) async throws(RemoteError) {
        try await patiently { [remote] () async throws(RemoteError) in try await remote.remove(paths) }
    }

    private enum End<Value: Sendable>: Sendable {
        case answered(Result<Value, RemoteError>)
        /// Whether that is why the call is given up.
        case waited(isOver: Bool)
    }

    private func patiently<Value: Sendable>(
        _ body: @escaping @Sendable () async throws(RemoteError) -> Value
    ) async throws(RemoteError) -> Value {
        // What the caller did meanwhile is no fault of the remote's.
        patience.note()
        let (answer, isOver) = await withTaskGroup(of: End<Value>.self) { [patience] group in
            group.addTask {
                do throws(RemoteError) { return .answered(.success(try await body())) } catch {
                    return .answered(.failure(error))
                }
            }
            group.addTask { .waited(isOver: await patience.runsOut()) }
            var answer = Result<Value, RemoteError>.failure(.cancelled)
            var isOver = false
            while let end = await group.next() {
                switch end {
                case .answered(let result): answer = result
                case .waited(let isLate): isOver = isLate
                }
                group.cancelAll()
            }
            return (answer, isOver)
        }
        if isOver, case .failure(.cancelled) = answer {
            throw .unreachable("nothing has come or gone whole for 15 minutes")
        }
        return try answer.get()
    }
}
