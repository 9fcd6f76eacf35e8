internal import Glibc
internal import Sealing
internal import SystemPackage

/// A socket to another process that keeps messages apart (SOCK_SEQPACKET in unix(7)).
struct PacketSocket: Sendable {
    let descriptor: Int32

    /// Two that are connected.
    static func pair() throws(Failure) -> (PacketSocket, PacketSocket) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw Failure(.otherError, "A pair of sockets cannot be made: \(Errno(rawValue: errno)).")
        }
        // Not among the standard ones, should one of those be closed: /dev/null takes their place later.
        let high = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 16) }
        for end in ends { Glibc.close(end) }
        guard high[0] >= 0, high[1] >= 0 else {
            throw Failure(.otherError, "A pair of sockets cannot be made: \(Errno(rawValue: errno)).")
        }
        return (PacketSocket(descriptor: high[0]), PacketSocket(descriptor: high[1]))
    }

    /// Whether the descriptor is one.
    var isPacketSocket: Bool {
        var kind: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size) == 0
            && kind == Int32(SOCK_SEQPACKET.rawValue)
    }

    func close() { Glibc.close(descriptor) }

    /// Whoever waits at either end gets nothing more.
    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// - Returns: false where nobody is at the other end any more, or the message is too long.
    func send(_ message: RawSpan) -> Bool {
        unsafe message.withUnsafeBytes { bytes in
            while true {
                let count = unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                if count >= 0 || errno != EINTR { return count == bytes.count }
            }
        }
    }

    /// The next message, in memory that is wiped.
    ///
    /// - Parameters:
    ///   - limit: what is longer is cut off.
    ///   - milliseconds: how long it may take to come; nil for as long as somebody is at the other end.
    /// - Returns: nil where none comes.
    func receive(atMost limit: Int, within milliseconds: Int32? = nil) -> SecretBytes? {
        guard milliseconds.map(isReadable) ?? true else { return nil }
        var buffer = SecretBytes(count: limit)
        let count = buffer.withMutableBytes { bytes in
            unsafe bytes.withUnsafeMutableBytes { bytes in
                while true {
                    let count = unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0)
                    if count >= 0 || errno != EINTR { return count }
                }
            }
        }
        return count > 0 ? buffer.prefix(count) : nil
    }

    private func isReadable(within milliseconds: Int32) -> Bool {
        var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let count = unsafe poll(&waited, 1, milliseconds)
            if count >= 0 || errno != EINTR { return count > 0 }
        }
    }
}
