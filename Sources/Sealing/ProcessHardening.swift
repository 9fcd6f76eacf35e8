internal import CLinux
internal import Glibc

/// Keeps what is in memory out of places where it stays: core files, other processes of the user, and
/// Swift's crash reports, which print registers and memory.
public enum ProcessHardening {
    /// To be called before any secret is in memory.
    public static func apply() {
        // Unprivileged mounting still works without the dumpable flag (measured).
        _ = coffer_set_undumpable()
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        // The runtime installs its backtracer as handlers of these signals when it starts.
        for number in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGQUIT] {
            _ = signal(number, SIG_DFL)
        }
        // Writing to a pipe whose reader has gone is an error to handle, not an end.
        _ = signal(SIGPIPE, SIG_IGN)
        // So is a file that is not to grow beyond `ulimit -f`.
        _ = signal(SIGXFSZ, SIG_IGN)
    }
}
