import Foundation
import Synchronization

/// Stands between a client and a server, passes everything on, and keeps a copy: all that the server ever saw.
public final class RecordingRelay: Sendable {
    private let socket: ListeningSocket
    private let record = Record()

    /// In front of a server on `port` of loopback.
    public init(to port: Int) throws {
        let socket = try ListeningSocket()
        self.socket = socket
        let record = record
        Thread.detachNewThread {
            while let client = socket.accept() {
                guard let server = try? ListeningSocket.connect(port: port) else {
                    client.end()
                    continue
                }
                Thread.detachNewThread { record.pass(from: client, to: server) }
                Thread.detachNewThread { record.pass(from: server, to: client) }
            }
        }
    }

    deinit { socket.stop() }

    /// Where it listens.
    public var port: Int { socket.port }

    /// The bytes of both directions so far.
    public var bytes: [UInt8] { record.bytes.withLock { $0 } }

    private final class Record: Sendable {
        let bytes = Mutex<[UInt8]>([])

        func pass(from source: SocketConnection, to target: SocketConnection) {
            while true {
                let part = source.receive()
                if part.isEmpty { break }
                bytes.withLock { $0 += part }
                guard target.send(part) else { break }
            }
            source.end()
            target.end()
        }
    }
}
