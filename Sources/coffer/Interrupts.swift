internal import CLinux
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

    /// They are waited for while `body` runs. One that came meanwhile ends the program behind it.
    static func blocked<R: ~Copyable>(_ body: () throws -> R) rethrows -> R {
        var (signals, before) = (Interrupts.signals, sigset_t())
        unsafe pthread_sigmask(SIG_BLOCK, &signals, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        return try body()
    }

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

    /// Waits for something to read; false where somebody wants it to end first.
    static func waitForInput(_ descriptor: Int32) -> Bool {
        var signals = Interrupts.signals
        let ends = unsafe signalfd(-1, &signals, Int32(O_CLOEXEC))  // SFD_CLOEXEC
        guard ends >= 0 else { return true }
        defer { close(ends) }
        var waited = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ends, events: Int16(POLLIN), revents: 0),
        ]
        while unsafe poll(&waited, 2, -1) < 0, errno == EINTR {}
        return waited[1].revents == 0
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
