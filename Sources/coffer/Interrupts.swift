internal import Glibc

/// Ctrl-C as something that is waited for.
enum Interrupts {
    private static var signals: sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&signals, number) }
        return signals
    }

    /// From here on they are waited for. In every thread that is started later, too.
    static func block() { mask(SIG_BLOCK) }

    /// They end the program while `body` waits for a person.
    static func allowed<R>(_ body: () throws -> R) rethrows -> R {
        mask(SIG_UNBLOCK)
        defer { mask(SIG_BLOCK) }
        return try body()
    }

    private static func mask(_ how: Int32) {
        var signals = Interrupts.signals
        unsafe pthread_sigmask(how, &signals, nil)
    }

    /// Waits that long; true as soon as somebody wants it to end.
    static func wait(_ duration: Duration) -> Bool {
        var signals = Interrupts.signals
        let (seconds, fraction) = duration.components
        // A timespec, whose members belong to one of several modules: to which depends on the order of files.
        let time = [Int(seconds), Int(fraction / 1_000_000_000)]
        return unsafe time.withUnsafeBytes { time in
            unsafe sigtimedwait(&signals, nil, time.bindMemory(to: timespec.self).baseAddress) > 0
        }
    }
}
