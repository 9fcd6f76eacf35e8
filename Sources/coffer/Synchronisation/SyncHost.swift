internal import Dispatch
internal import Foundation
internal import Sealing
internal import Sync
internal import Synchronization
internal import Vault
internal import VaultFileSystem

/// Carries out what the verbs ask and, beside a mount, synchronises by itself: one thing at a time, on a thread of its
/// own, so that no operation of the mount ever waits for it.
///
/// Lives as long as the vault is open. ``stop()`` comes before the vault is closed.
final class SyncHost: Sendable {
    private let vault: Vault
    private let worker: SyncWorker
    private let state: Mutex<State>
    private let wake = DispatchSemaphore(value: 0)
    /// Signalled when the thread ends.
    private let ended = DispatchSemaphore(value: 0)
    /// Set by changes of the vault, which must not wait for ``state``.
    private let isChanged = Atomic<Bool>(false)
    /// When the last change came, in nanoseconds since the start.
    private let lastChange = Atomic<Int64>(0)

    private struct State {
        /// nil where nothing happens by itself.
        var plan: SyncPlan?
        var jobs = JobList()
        var running: Task<Void, Never>?
        /// Nothing new is begun but the last push.
        var isEnding = false
        var isStopped = false
    }

    private enum Step {
        case job(JobList.Job)
        case automatic(SyncPlan.Step)
        case wait(until: Duration?)
        case end
    }

    /// How long a lock waits for the last push.
    private static let grace = DispatchTimeInterval.seconds(1)

    /// - Parameters:
    ///   - timing: of automatic synchronisation; nil for none.
    ///   - asksForPassword: whoever asks has found the vault unlocked, and has to give the master password for what changes the
    ///     remote. Else it was opened with it for that.
    ///   - log: hears of what goes wrong by itself.
    ///   - commands: how those are run that the remote's password comes from.
    init(
        _ vault: Vault, timing: SyncPlan.Timing?, asksForPassword: Bool = false, log: EventLog? = nil,
        commands: CredentialCommands = .ownChildren
    ) {
        self.vault = vault
        worker = SyncWorker(vault, asksForPassword: asksForPassword, log: log, commands: commands)
        let plan = timing.map { SyncPlan($0, start: SyncHost.now()) }
        state = Mutex(State(plan: plan))
        guard timing != nil else { return }
        vault.onChange { [weak self] in self?.noteChange() }
    }

    func start() {
        Thread.detachNewThread { [self] in
            serve()
            ended.signal()
        }
    }

    /// What was changed goes out where that is a matter of a second; whatever runs then is cut short.
    func stop() {
        state.withLock { $0.isEnding = true }
        wake.signal()
        if ended.wait(timeout: .now() + SyncHost.grace) == .success { return }
        state.withLock { state in
            state.isStopped = true
            state.running?.cancel()
        }
        wake.signal()
    }

    /// Beside a mount.
    var service: MountService {
        MountService(
            start: { [self] in start() }, stop: { [self] in stop() }, report: { [self] in report() },
            remote: { [worker] in (try? worker.settings().remote?.url) ?? "" },
            answer: { [self] secret, request in answer(secret, request) })
    }

    private static let origin = ContinuousClock.now
    private static func now() -> Duration { origin.duration(to: .now) }

    // MARK: What comes from outside

    /// Called under a lock of the vault's: nothing but two stores, and a signal for the first of many.
    private func noteChange() {
        let now = SyncHost.now().components
        lastChange.store(now.seconds &* 1_000_000_000 &+ now.attoseconds / 1_000_000_000, ordering: .relaxed)
        if !isChanged.exchange(true, ordering: .acquiringAndReleasing) { wake.signal() }
    }

    /// Answers at once: what takes long is a job, which is asked for again.
    func answer(_ secret: RawSpan, _ request: RawSpan) -> [UInt8] {
        let bytes = unsafe request.withUnsafeBytes { unsafe Data($0) }
        guard let request = try? JSONDecoder().decode(SyncRequest.self, from: bytes) else { return [] }
        return answer(secret, request).encoded
    }

    private func answer(_ secret: RawSpan, _ request: SyncRequest) -> SyncReply {
        switch request {
        case .poll(let job):
            return state.withLock { $0.jobs.reply(job, progress: worker.progress) }
        case .cancel(let job):
            state.withLock { if $0.jobs.cancel(job) { $0.running?.cancel() } }
            return SyncReply(job: job)
        default:
            let secret = Secret(secret)
            let job = state.withLock { state in
                // What runs by itself gives way.
                if state.jobs.running == nil { state.running?.cancel() }
                return state.jobs.add(request, secret)
            }
            wake.signal()
            return SyncReply(job: job)
        }
    }

    private func report() -> SyncOverview? {
        let (isRunning, hasChanges) = state.withLock { ($0.running != nil, $0.plan?.hasChanges ?? false) }
        var status = worker.overview
        guard status.remote != nil else { return status }
        status.isRunning = isRunning
        status.hasWaitingCommand = worker.hasWaitingCommand
        status.hasUnpushedChanges = hasChanges || isChanged.load(ordering: .relaxed)
        return status
    }

    // MARK: The thread

    private func serve() {
        while true {
            switch next() {
            case .job(let job): run(job)
            case .automatic(let step): run(step)
            case .wait(nil): wake.wait()
            case .wait(.some(let moment)):
                let left = max(.zero, moment - SyncHost.now()) / .nanoseconds(1)
                _ = wake.wait(timeout: .now() + .nanoseconds(Int(min(left, 1e15))))
            case .end: return
            }
        }
    }

    private func next() -> Step {
        let isChanged = isChanged.load(ordering: .acquiring)
        let changed = Duration.nanoseconds(lastChange.load(ordering: .relaxed))
        return state.withLock { state in
            if state.isStopped { return .end }
            if isChanged { state.plan?.noteChange(at: changed) }
            if state.isEnding {
                let isWorth = (state.plan?.isReachable ?? false) && (state.plan?.hasChanges ?? false)
                return isWorth || (state.plan?.isReachable ?? false) && vault.hasUncommittedContent
                    ? .automatic(.push) : .end
            }
            if let job = state.jobs.takeNext() { return .job(job) }
            switch state.plan?.step(at: SyncHost.now()) {
            case .wait(let moment): return .wait(until: moment)
            case .rest, nil: return .wait(until: nil)
            case .some(let step): return .automatic(step)
            }
        }
    }

    private func run(_ job: JobList.Job) {
        if case .sync = job.request { isChanged.store(false, ordering: .releasing) }
        let result = finish { [worker] in await worker.perform(job) }
        state.withLock { state in
            state.jobs.end(job.number, result.reply)
            if let outcome = result.outcome {
                if outcome == .done { state.plan?.begin() }
                state.plan?.end(outcome, at: SyncHost.now(), jitter: .random(in: 0..<1), look: worker.look)
            }
            noteReading(&state)
            if result.owesSync { state.plan?.resume(at: SyncHost.now()) }
        }
    }

    private func run(_ step: SyncPlan.Step) {
        let isEnding = state.withLock { $0.isEnding }
        if step == .push || step == .sync {
            isChanged.store(false, ordering: .releasing)
            state.withLock { $0.plan?.begin() }
        }
        let outcome = finish { [worker] in await worker.perform(step) }
        state.withLock { state in
            state.plan?.end(outcome, at: SyncHost.now(), jitter: .random(in: 0..<1), look: worker.look)
            noteReading(&state)
            // One push is tried at the end.
            if isEnding, step == .push { state.isStopped = true }
        }
    }

    private func noteReading(_ state: inout State) {
        let reading = worker.reading
        state.plan?.noteReading(isOwed: reading.isOwed, isNew: reading.isNew, at: SyncHost.now())
    }

    /// Runs a task to its end on this thread; who stops the host or wants something else cancels it.
    private func finish<R: Sendable>(_ body: @escaping @Sendable () async -> R) -> R {
        let answer = Answer<R>()
        let task = Task.detached { answer.give(await body()) }
        state.withLock { state in
            state.running = task
            if state.isStopped { task.cancel() }
        }
        defer { state.withLock { $0.running = nil } }
        return answer.wait()
    }
}
