internal import CSystemd
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Locks when the machine is about to sleep, and when the user's session is locked or ends, as logind tells it
/// over the system bus (org.freedesktop.login1(5)). Where there is no bus or no logind, nothing happens.
///
/// **Before sleep** logind waits for those who hold a *delay inhibitor*, a descriptor, for five seconds if nothing
/// else was set (logind.conf(5), InhibitDelayMaxSec). Ours is closed by the end of the process: after the vault was
/// locked and the keys were wiped, so that no image of the memory has them.
///
/// **Threads**: all happens on one queue, which may wait for the bus; nobody waits for the queue.
final class Logind: Sendable {
    private let queue = DispatchQueue(label: "coffer.logind")
    private let state = Mutex(State())
    /// Locks the vault.
    private let lock: @Sendable () -> Void
    /// Told whether the machine waits for that before it sleeps.
    private let onDelay: @Sendable (Bool) -> Void

    private struct State: ~Copyable {
        var bus: SystemBus?
        /// The object of the session that this process belongs to, else of its user's display; nil without one.
        var session: String?
        var sources: [any DispatchSourceProtocol] = []
    }

    private static let service = "org.freedesktop.login1"
    private static let manager = (path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager")
    private static let sessions = (
        path: "/org/freedesktop/login1/session", interface: "org.freedesktop.login1.Session"
    )
    private static let properties = "org.freedesktop.DBus.Properties"

    /// Begins in the background.
    init(lock: @escaping @Sendable () -> Void, onDelay: @escaping @Sendable (Bool) -> Void) {
        (self.lock, self.onDelay) = (lock, onDelay)
        queue.async { [self] in state.withLock { connect(&$0) } }
    }

    func stop() {
        queue.async { [self] in state.withLock { Logind.disconnect(&$0) } }
    }

    private func connect(_ state: inout State) {
        guard let bus = SystemBus() else { return onDelay(false) }
        // Before the questions: nothing is missed in between.
        bus.addMatch("type='signal',sender='\(Logind.service)',path_namespace='\(Logind.manager.path)'")
        let isDelaying = Logind.inhibitSleep(bus)
        onDelay(isDelaying)
        state.session = Logind.ownSession(bus)
        guard isDelaying || state.session != nil else { return }
        let source = DispatchSource.makeReadSource(fileDescriptor: bus.descriptor, queue: queue)
        source.setEventHandler { [self] in self.state.withLock { receive(&$0) } }
        // Not before: the descriptor stays open as long as it is watched.
        source.setCancelHandler { [self] in self.state.withLock { $0.bus = nil } }
        source.activate()
        state.sources = [source]
        state.bus = consume bus
        if let monitor = state.session.flatMap(sessionMonitor) { state.sources.append(monitor) }
        // What came along with the answers does not make the descriptor readable again.
        receive(&state)
    }

    private static func disconnect(_ state: inout State) {
        for source in state.sources { source.cancel() }
        state.sources = []
    }

    /// Takes the inhibitor; false where logind does not answer or does not give one.
    private static func inhibitSleep(_ bus: borrowing SystemBus) -> Bool {
        let answer = bus.call(
            "Inhibit", of: manager.interface, at: manager.path, service: service,
            "sleep", "Coffer", "Locking the vault", "delay")
        guard let answer else { return false }
        return answer.keepDescriptor()
    }

    private static func ownSession(_ bus: borrowing SystemBus) -> String? {
        let answer = bus.call("GetSession", of: manager.interface, at: manager.path, service: service, "auto")
        guard let answer else { return nil }
        return answer.readPath()
    }

    /// Watches the list of sessions for the end of ours. logind sends no signal while processes of the session
    /// are left, and this is one of them: the session then stays for good in the state "closing"
    /// (sd_session_get_state(3)).
    private func sessionMonitor(_ session: String) -> (any DispatchSourceProtocol)? {
        var name: UnsafeMutablePointer<CChar>?
        guard unsafe sd_bus_path_decode(session, Logind.sessions.path, &name) > 0, let name = unsafe name else {
            return nil
        }
        defer { unsafe free(name) }
        let identifier = unsafe String(cString: name)
        guard let monitor = SessionMonitor() else { return nil }
        let source = DispatchSource.makeReadSource(fileDescriptor: monitor.descriptor, queue: queue)
        source.setEventHandler { [self] in if monitor.hasEnded(identifier) { lock() } }
        source.setCancelHandler { monitor.close() }
        source.activate()
        return source
    }

    // MARK: What logind says

    private func receive(_ state: inout State) {
        while true {
            switch state.bus?.next() ?? .ended {
            case .message(let message): if isReason(message, state) { lock() }
            case .other: continue
            case .none: return
            case .ended:
                onDelay(false)
                return Logind.disconnect(&state)
            }
        }
    }

    /// Whether a signal is one to lock for.
    private func isReason(_ message: borrowing SystemBus.Message, _ state: borrowing State) -> Bool {
        if message.isSignal("PrepareForSleep", of: Logind.manager.interface) { return message.readBoolean() == true }
        guard let session = state.session else { return false }
        if message.isSignal("SessionRemoved", of: Logind.manager.interface) {
            return message.readString() != nil && message.readPath() == session
        }
        guard message.object == session else { return false }
        if message.isSignal("Lock", of: Logind.sessions.interface) { return true }
        // A desktop that locks its screen by itself gets no Lock; it tells logind with a hint.
        guard message.isSignal("PropertiesChanged", of: Logind.properties) else { return false }
        let answer = state.bus?.call(
            "Get", of: Logind.properties, at: session, service: Logind.service, Logind.sessions.interface, "LockedHint")
        guard let answer else { return false }
        return answer.readVariantBoolean() == true
    }
}
