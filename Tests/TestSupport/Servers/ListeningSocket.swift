import Foundation

/// A TCP socket that listens on a free port of 127.0.0.1.
public final class ListeningSocket: Sendable {
    let number: Int32
    /// The port.
    public let port: Int

    /// Begins to listen, or only takes the port: whoever connects is refused.
    public init(listens: Bool = true) throws {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemFailure("socket") }
        self.number = number
        var address = Self.loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(number, pointer, size) == 0 && (!listens || listen(number, 128) == 0)
                    && getsockname(number, pointer, &size) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard result else { throw SystemFailure("bind, listen") }
    }

    deinit { close(number) }

    /// The next connection; nil once ``stop()`` was called.
    public func accept() -> SocketConnection? {
        while true {
            let connection = LateCalls.accept(number)
            if connection >= 0 { return SocketConnection(connection) }
            // One that has gone again is no reason to hear nobody else.
            guard errno == EINTR || errno == ECONNABORTED else { return nil }
        }
    }

    /// Ends the waiting of ``accept()``.
    public func stop() { shutdown(number, Int32(SHUT_RDWR)) }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// A connection to a port of loopback.
    public static func connect(port: Int) throws -> SocketConnection {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemFailure("socket") }
        let connection = SocketConnection(number)
        var address = loopback(port: port)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw SystemFailure("connect") }
        return connection
    }
}

/// A connected socket that closes itself.
public final class SocketConnection: Sendable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// Sends all of it; false when the other side is gone.
    public func send(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(
                    number, $0.baseAddress?.advanced(by: done), $0.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Sends all of it; false when the other side is gone.
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// What comes next; empty at the end.
    public func receive() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(number, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }

    /// Everything to the end.
    public func receiveAll() -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let part = receive()
            if part.isEmpty { return all }
            all += part
        }
    }

    /// The other side reads the end of what it gets.
    public func endSending() { shutdown(number, Int32(SHUT_WR)) }

    /// Ends the connection for both sides and for whoever waits for it here.
    public func end() { shutdown(number, Int32(SHUT_RDWR)) }
}
