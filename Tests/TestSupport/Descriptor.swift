import Glibc
import Synchronization

/// Owns an open file descriptor and closes it when told, at the latest at the end of its life.
final class Descriptor: Sendable {
    private let open: Mutex<Int32>

    /// The descriptor, or -1 once it is closed.
    var number: Int32 { open.withLock { $0 } }

    /// Held while descriptors exist that a child would inherit, and while one is started.
    static let starting = Mutex(())

    /// Takes over `number`, the result of a system call; a negative one is that call's error.
    init(_ number: Int32, _ call: String) throws(SystemFailure) {
        guard number >= 0 else { throw SystemFailure(call) }
        open = Mutex(number)
    }

    deinit { close() }

    func close() {
        open.withLock { number in
            if number >= 0 { _ = Glibc.close(number) }
            number = -1
        }
    }

    /// A pipe whose ends no child inherits.
    static func pipe() throws(SystemFailure) -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        // Swift's Glibc has no pipe2; between these two calls no child may start.
        starting.withLock { _ in
            if unsafe Glibc.pipe(&ends) == 0 { for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } }
        }
        return (try Descriptor(ends[0], "pipe"), try Descriptor(ends[1], "pipe"))
    }

    func setNonblocking() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
    }

    /// What can be read at once is appended; false when nothing will ever come again. A terminal whose other
    /// side is closed answers EIO, which is its end of file.
    func readAvailable(into bytes: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe read(number, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[..<count]
            } else {
                return count < 0 && (errno == EAGAIN || errno == EINTR)
            }
        }
    }

    /// Writes what fits now and returns how much; nil when the reader is gone.
    func writeAvailable(_ bytes: ArraySlice<UInt8>) -> Int? {
        let count = unsafe bytes.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
        if count >= 0 { return count }
        return errno == EAGAIN || errno == EINTR ? 0 : nil
    }
}

/// A system call that failed, with the reason.
public struct SystemFailure: Error, CustomStringConvertible {
    /// The call or the file it was about.
    public let call: String
    /// `errno` as the call left it.
    public let code: Int32

    /// Takes `errno` as it is now.
    public init(_ call: String) {
        self.code = errno
        self.call = call
    }

    /// The call and the system's words for the reason.
    public var description: String { "\(call): \(unsafe String(cString: strerror(code)))" }
}

/// Something that did not happen in time, or went another way than a test needs.
public struct TestFailure: Error, CustomStringConvertible {
    /// What happened, for the reader of a test's log.
    public let description: String

    /// A failure with its text.
    public init(_ description: String) { self.description = description }
}
