public import Foundation

/// A process that is nobody's child here, such as a daemon in the background.
public final class RunningProcess: Sendable {
    /// Its id.
    public let identifier: pid_t
    private let descriptor: Descriptor

    /// Takes hold of a running process: its id cannot be given to another one meanwhile unnoticed
    /// (pidfd_open(2)).
    public init(_ identifier: pid_t) throws {
        self.identifier = identifier
        descriptor = try Descriptor(try LateCalls.pidfdOpen(identifier, 0), "pidfd_open \(identifier)")
    }

    /// Those that run with that HOME: what a test has started, and what went to the background from there.
    public static func all(home: String) -> [RunningProcess] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.compactMap { number in
            let environment = text("environ", of: number).split(separator: "\0")
            guard number != getpid(), environment.contains("HOME=\(home)") else { return nil }
            return try? RunningProcess(number)
        }
    }

    /// Sends a signal.
    public func send(_ signal: Int32) { _ = Glibc.kill(identifier, signal) }

    /// Waits until it has ended.
    ///
    /// - Throws: ``TestFailure`` after `timeout`.
    public func waitForEnd(timeout: Duration = .patience) throws {
        var descriptors = [pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)]
        poll(&descriptors, until: Deadline(after: timeout))
        guard descriptors[0].revents != 0 else { throw TestFailure("process \(identifier) did not end in \(timeout)") }
    }

    /// Whether it has ended.
    public var hasEnded: Bool {
        var end = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&end, 1, 0) > 0
    }

    /// A line of /proc/PID/status in KiB, such as `VmHWM` (proc(5)).
    public static func memory(_ field: String, of identifier: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
        for line in text.split(separator: "\n") where line.hasPrefix("\(field):") {
            if let number = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({
                Int($0)
            }) {
                return number
            }
        }
        throw TestFailure("process \(identifier) has no \(field)")
    }

    /// What a file of /proc/PID holds.
    public static func text(_ name: String, of identifier: pid_t) -> String {
        String(decoding: FileManager.default.contents(atPath: "/proc/\(identifier)/\(name)") ?? Data(), as: UTF8.self)
    }

    /// Whether `text` is anywhere in the process's memory; only root may look (proc(5), /proc/PID/mem).
    public func memoryContains(_ text: String) throws -> Bool {
        let memory = try Posix.File("/proc/\(identifier)/mem", O_RDONLY)
        let needle = Data(text.utf8)
        for line in RunningProcess.text("maps", of: identifier).split(separator: "\n") {
            let fields = line.split(separator: " ")
            let bounds = fields[0].split(separator: "-").compactMap { Int($0, radix: 16) }
            guard fields[1].hasPrefix("r"), bounds.count == 2 else { continue }
            // What the kernel does not give out (its own pages, or a mapping that is gone) is passed over.
            for start in stride(from: bounds[0], to: bounds[1], by: 1 << 20) {
                let count = min(bounds[1] - start, 1 << 20 + needle.count)
                guard let bytes = try? memory.read(count, at: start) else { break }
                if Data(bytes).range(of: needle) != nil { return true }
            }
        }
        return false
    }
}
