import Glibc

extension Duration {
    /// How long what has to come is waited for: only what hangs takes so long, on a machine ten times slower too.
    public static let patience: Duration = .seconds(300)
}

/// A moment on the monotonic clock until which something is waited for. Waiting is always for an event of the
/// kernel (`poll`), never a sleep of a guessed length.
struct Deadline: Sendable {
    private let end: ContinuousClock.Instant

    init(after time: Duration) { end = .now + time }

    /// What is left, in the unit and the rounding that `poll` needs: it never becomes 0 early.
    var milliseconds: Int32 {
        let left = ContinuousClock.now.duration(to: end) / .milliseconds(1)
        return left <= 0 ? 0 : Int32(min(left, 3_600_000)) + 1
    }

    var hasPassed: Bool { ContinuousClock.now >= end }
}

/// Waits until one of the descriptors has one of its events; those that happened are in each `revents`.
func poll(_ descriptors: inout [pollfd], until deadline: Deadline) {
    _ = unsafe poll(&descriptors, nfds_t(descriptors.count), deadline.milliseconds)
}

/// Waits until the kernel's mount table fulfils `condition`, looking each time that it changes.
///
/// - Parameter child: who brings it about; its end ends the waiting.
/// - Throws: ``TestFailure`` after `timeout`.
public func waitForMounts(
    _ what: String, by child: ChildProcess? = nil, timeout: Duration = .patience, _ condition: ([Mount]) -> Bool
) throws {
    let deadline = Deadline(after: timeout)
    // Opened before the first look: a change after it is signalled by POLLPRI (proc(5)).
    let table = try Descriptor(unsafe open("/proc/self/mounts", O_RDONLY | O_CLOEXEC), "/proc/self/mounts")
    while !condition(try Mount.all()) {
        let hasEnded = child?.hasEnded ?? false
        guard !deadline.hasPassed, !hasEnded else { throw TestFailure("waited in vain: \(what)") }
        var descriptors = [
            pollfd(fd: table.number, events: Int16(POLLPRI), revents: 0),
            // A negative descriptor is passed over.
            pollfd(fd: child?.ended.number ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        poll(&descriptors, until: deadline)
    }
}

/// Waits until `condition` holds, looking each time that something changes in `directory`.
///
/// - Parameter child: who brings it about; its end ends the waiting.
/// - Throws: ``TestFailure`` after `timeout`.
public func waitForFiles(
    in directory: String, _ what: String, by child: ChildProcess? = nil, timeout: Duration = .patience,
    _ condition: () throws -> Bool
) throws {
    let deadline = Deadline(after: timeout)
    let watch = try Descriptor(inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK)), "inotify")
    let events = UInt32(IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB)
    guard unsafe inotify_add_watch(watch.number, directory, events) >= 0 else { throw SystemFailure(directory) }
    var seen: [UInt8] = []
    while !(try condition()) {
        let hasEnded = child?.hasEnded ?? false
        guard !deadline.hasPassed, !hasEnded else { throw TestFailure("waited in vain: \(what)") }
        var descriptors = [
            pollfd(fd: watch.number, events: Int16(POLLIN), revents: 0),
            // A negative descriptor is passed over.
            pollfd(fd: child?.ended.number ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        poll(&descriptors, until: deadline)
        _ = watch.readAvailable(into: &seen)
    }
}
