public import Foundation
import Synchronization

/// A process that a test started, and that never outlives its owner.
public final class ChildProcess: Sendable {
    /// The process id; also that of the process group it leads.
    public let identifier: pid_t
    /// Reads as closed once the process has ended and was collected.
    let ended: Descriptor
    private let status = Mutex<Int32?>(nil)

    /// What a child's standard descriptors are made of.
    enum Terminal {
        /// Three descriptors of this process.
        case descriptors(input: Int32, output: Int32, errors: Int32)
        /// The path of a terminal, which becomes the child's controlling one.
        case terminal(String)
    }

    /// Starts a program, found in PATH unless it has a slash, in a process group of its own.
    init(_ command: Command, _ terminal: Terminal) throws {
        let (ended, finished) = try Descriptor.pipe()
        identifier = try Self.spawn(command, terminal)
        self.ended = ended
        let number = finished.number
        let child = identifier
        // The pipe's writing end now belongs to the thread: `poll` cannot wait for a process, only for its news.
        let duplicate = fcntl(number, F_DUPFD_CLOEXEC, 0)
        Thread.detachNewThread { [weak self] in
            var status: Int32 = 0
            while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
            self?.status.withLock { $0 = status }
            close(duplicate)
        }
    }

    deinit { kill() }

    /// Sends a signal to the process alone.
    public func send(_ signal: Int32) {
        if !hasEnded { _ = Glibc.kill(identifier, signal) }
    }

    /// Ends the process and all of its group with SIGKILL.
    public func kill() {
        if !hasEnded { _ = Glibc.kill(-identifier, SIGKILL) }
    }

    /// Whether the process has ended.
    public var hasEnded: Bool { status.withLock { $0 != nil } }

    /// Waits for the end.
    ///
    /// - Returns: the exit code, or 128 + the signal's number as a shell says it.
    /// - Throws: ``TestFailure`` after `timeout`.
    @discardableResult
    public func wait(timeout: Duration = .patience) throws -> Int32 {
        var descriptors = [pollfd(fd: ended.number, events: Int16(POLLIN), revents: 0)]
        poll(&descriptors, until: Deadline(after: timeout))
        guard let code = exitCode else { throw TestFailure("process \(identifier) did not end in \(timeout)") }
        return code
    }

    var exitCode: Int32? {
        // WIFEXITED and its like are macros that Swift does not see; wait(2) gives the layout.
        status.withLock { $0 }.map { $0 & 0x7F == 0 ? $0 >> 8 & 0xFF : 128 + ($0 & 0x7F) }
    }
}
