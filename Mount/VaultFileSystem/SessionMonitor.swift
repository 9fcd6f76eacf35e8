internal import CSystemd
internal import Glibc
internal import Synchronization

/// The list of sessions that logind keeps below /run/systemd, and when it changes (sd_login_monitor_new(3)).
final class SessionMonitor: Sendable {
    let descriptor: Int32
    private let monitor: Mutex<Monitor?>

    @safe
    private struct Monitor: ~Copyable {
        let pointer: OpaquePointer
        deinit { unsafe _ = sd_login_monitor_unref(pointer) }
    }

    /// nil where logind keeps none.
    init?() {
        var made: OpaquePointer?
        guard unsafe sd_login_monitor_new("session", &made) >= 0, let made = unsafe made else { return nil }
        descriptor = unsafe sd_login_monitor_get_fd(made)
        unsafe monitor = Mutex(Monitor(pointer: made))
    }

    /// Whether a session is gone or about to go; and the descriptor waits for the next change.
    func hasEnded(_ session: String) -> Bool {
        monitor.withLock { monitor in
            if let pointer = unsafe monitor?.pointer { unsafe _ = sd_login_monitor_flush(pointer) }
        }
        var state: UnsafeMutablePointer<CChar>?
        let result = unsafe sd_session_get_state(session, &state)
        defer { unsafe free(state) }
        if result == -ENXIO { return true }
        return unsafe state.map { unsafe strcmp($0, "closing") == 0 } ?? false
    }

    func close() { monitor.withLock { $0 = nil } }
}
