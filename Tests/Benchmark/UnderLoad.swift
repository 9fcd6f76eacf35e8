import Glibc
import Synchronization

/// How long the slowest of a hundred stats and cats takes, while nothing else happens and while a writer is at
/// full speed.
struct UnderLoad {
    let seconds: Double

    func run(_ systems: [System], _ report: Report) throws {
        report.beginFigures("p99 beside a writer at full speed, in microseconds", columns: systems.map(\.name))
        var idle: [(stat: Double?, cat: Double?)] = []
        var loaded = idle
        for system in systems {
            idle.append(try sample(system))
            let writer = try Writer(system)
            loaded.append(try sample(system))
            try writer.stop()
        }
        report.figures("stat, idle", idle.map(\.stat))
        report.figures("stat, beside a writer", loaded.map(\.stat))
        report.figures("cat, idle", idle.map(\.cat))
        report.figures("cat, beside a writer", loaded.map(\.cat))
        report.end()
    }

    private func sample(_ system: System) throws -> (stat: Double?, cat: Double?) {
        var stat = Samples()
        var cat = Samples()
        let end = now() + UInt64(seconds * 1e9)
        while now() < end {
            stat.append(try Operation.repeatedStat.batch(system, 0))
            cat.append(try Operation.repeatedCat.batch(system, 0))
        }
        return (stat.percentile(0.99), cat.percentile(0.99))
    }
}

/// A thread that writes 64 KiB after 64 KiB into a file, from its start again after 64 MiB.
private final class Writer: Sendable {
    private let stopped = Atomic(false)
    private let thread: Mutex<pthread_t?>
    private let failure = Mutex<String?>(nil)
    private let path: Path

    init(_ system: System) throws {
        path = Path("\(system.root)/new/stream")
        thread = Mutex(nil)
        let handle = try Thread.start { [self] in write() }
        thread.withLock { $0 = handle }
    }

    private func write() {
        let file = unsafe open(path.text, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(file) }
        let content = Workload.content(bytes: 65536)
        do {
            while !stopped.load(ordering: .relaxed) {
                for _ in 0..<1024 where !stopped.load(ordering: .relaxed) { try Call.write(file, content, path) }
                lseek(file, 0, SEEK_SET)
            }
        } catch {
            failure.withLock { $0 = "\(error)" }
        }
    }

    func stop() throws {
        stopped.store(true, ordering: .relaxed)
        if let handle = thread.withLock({ $0 }) { Thread.join(handle) }
        if let text = failure.withLock({ $0 }) { throw SystemError(description: text) }
        try Call.unlink(path)
    }
}
