import Foundation

/// The receiving end of datagrams, such as those of sd_notify(3) and syslog(3).
public final class DatagramSocket {
    /// Where it is.
    public let path: String
    private let number: Int32

    /// Makes it.
    public init(path: String) throws {
        self.path = path
        number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemFailure("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw TestFailure("long path: \(path)")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw SystemFailure("bind \(path)") }
    }

    deinit { close(number) }

    /// The next message.
    public func receive(timeout: Duration) throws -> String {
        var descriptors = [pollfd(fd: number, events: Int16(POLLIN), revents: 0)]
        let milliseconds = Int32(timeout / .milliseconds(1))
        guard unsafe poll(&descriptors, 1, milliseconds) == 1 else {
            throw TestFailure("no message in \(timeout)")
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(number, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
