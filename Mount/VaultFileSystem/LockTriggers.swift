internal import Dispatch
internal import Foundation
internal import Glibc

/// What locks a vault without being asked through the mount: signals, time without use, and logind.
///
/// Belongs to the thread that runs the mount.
final class LockTriggers {
    private var timer: (any DispatchSourceTimer)?
    private let logind: Logind?

    /// - Parameters:
    ///   - idle: lock when `idleTime` has reached this; nil never does.
    ///   - followsSession: lock when logind says so.
    ///   - onSleepDelay: told whether the machine waits for the lock before it sleeps, when that is known.
    ///   - lock: locks the vault.
    init(
        idle: Duration?, followsSession: Bool, idleTime: @escaping @Sendable () -> Duration,
        onSleepDelay: @escaping @Sendable (Bool) -> Void, lock: @escaping @Sendable () -> Void
    ) {
        LockTriggers.waitForSignals(lock)
        logind = followsSession ? Logind(lock: lock, onDelay: onSleepDelay) : nil
        guard let idle else { return }
        // Looked at each second: a timer of Dispatch stands still while the machine is suspended, and would be as
        // much too late.
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "coffer.idle"))
        timer.schedule(deadline: .now() + 1, repeating: 1, leeway: .milliseconds(100))
        timer.setEventHandler { if idleTime() >= idle { lock() } }
        timer.activate()
        self.timer = timer
    }

    func stop() {
        timer?.cancel()
        timer = nil
        logind?.stop()
    }

    /// Signals are blocked here, and so in every thread that is started from here, and a thread waits for them
    /// (sigwait(3)); Dispatch's own threads have them blocked. A source of Dispatch would catch a signal on any thread
    /// and send it on to one of its own.
    ///
    /// They stay blocked behind the end of the mount, so that a second one does not interrupt the last commit.
    private static func waitForSignals(_ lock: @escaping @Sendable () -> Void) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&signals, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        let awaited = signals
        Thread.detachNewThread {
            var signals = awaited
            var number: Int32 = 0
            while unsafe sigwait(&signals, &number) == 0 { lock() }
        }
    }
}
