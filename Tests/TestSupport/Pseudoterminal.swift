import Foundation

/// A program that believes to talk to a person: it runs in a terminal whose other side is the test.
public final class Pseudoterminal {
    /// The program.
    public let process: ChildProcess
    private let controller: Descriptor
    private var pending: [UInt8] = []
    /// Everything that was shown so far.
    public private(set) var transcript: [UInt8] = []

    /// TIOCSPTLCK and TIOCGPTN of ioctl_tty(2): macros that Swift does not import.
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430

    /// Starts the command in a terminal of 80 columns and 24 lines; its `input` is not used.
    public init(_ command: Command) throws {
        controller = try Descriptor(unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), "/dev/ptmx")
        var locked: Int32 = 0
        guard unsafe ioctl(controller.number, Self.setLock, &locked) == 0 else { throw SystemFailure("TIOCSPTLCK") }
        var number: UInt32 = 0
        guard unsafe ioctl(controller.number, Self.getNumber, &number) == 0 else { throw SystemFailure("TIOCGPTN") }
        var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
        guard unsafe ioctl(controller.number, UInt(TIOCSWINSZ), &size) == 0 else { throw SystemFailure("TIOCSWINSZ") }
        process = try ChildProcess(command, .terminal("/dev/pts/\(number)"))
        controller.setNonblocking()
    }

    /// Types `keys`; a line ends with "\r" or "\n".
    public func send(_ keys: String) throws {
        var rest = Array(keys.utf8)[...]
        let deadline = Deadline(after: .patience)
        while !rest.isEmpty {
            guard !deadline.hasPassed else { throw TestFailure("the terminal takes no input\n\(transcriptText)") }
            var descriptors = [pollfd(fd: controller.number, events: Int16(POLLOUT), revents: 0)]
            poll(&descriptors, until: deadline)
            guard let sent = controller.writeAvailable(rest) else { throw TestFailure("the terminal is closed") }
            rest = rest.dropFirst(sent)
        }
    }

    /// Waits until `text` is shown, and returns what was shown since the last such text, up to and with this.
    ///
    /// - Throws: ``TestFailure`` after `timeout`, or when the program closes the terminal first.
    @discardableResult
    public func expect(_ text: String, timeout: Duration = .patience) throws -> String {
        let deadline = Deadline(after: timeout)
        var open = true
        while true {
            if let end = pending.end(of: Array(text.utf8)) {
                defer { pending.removeFirst(end) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            guard open, !deadline.hasPassed else {
                throw TestFailure("no \"\(text)\" in the terminal:\n\(transcriptText)")
            }
            open = receive(until: deadline)
        }
    }

    /// Reads until the program has ended, and returns its exit code.
    public func wait(timeout: Duration = .patience) throws -> Int32 {
        let deadline = Deadline(after: timeout)
        while !process.hasEnded, !deadline.hasPassed { _ = receive(until: deadline) }
        let code = try process.wait(timeout: .zero)
        _ = receive(until: Deadline(after: .zero))
        return code
    }

    /// ``transcript`` as text.
    public var transcriptText: String { String(decoding: transcript, as: UTF8.self) }

    /// Waits for output or the program's end; false when nothing more will be shown.
    private func receive(until deadline: Deadline) -> Bool {
        var descriptors = [
            pollfd(fd: controller.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: process.ended.number, events: Int16(POLLIN), revents: 0),
        ]
        poll(&descriptors, until: deadline)
        var new: [UInt8] = []
        let open = controller.readAvailable(into: &new)
        pending += new
        transcript += new
        if !open { _ = try? process.wait(timeout: .seconds(5)) }
        return open && !(new.isEmpty && process.hasEnded)
    }
}

extension [UInt8] {
    /// The offset behind the first occurrence of `part`.
    fileprivate func end(of part: [UInt8]) -> Int? {
        guard !part.isEmpty, count >= part.count else { return part.isEmpty ? 0 : nil }
        return (0...count - part.count).first { self[$0..<$0 + part.count].elementsEqual(part) }.map { $0 + part.count }
    }
}
