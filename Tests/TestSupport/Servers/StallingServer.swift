import Foundation
import Synchronization

/// A port of loopback that passes connections on to a server, or takes them and never answers.
public final class StallingServer: Sendable {
    private let socket: ListeningSocket
    private let shared = Shared()

    /// Takes connections and never answers.
    public init() throws {
        let socket = try ListeningSocket()
        self.socket = socket
        let shared = shared
        Thread.detachNewThread {
            while let client = socket.accept() { shared.take(client) }
        }
    }

    deinit {
        socket.stop()
        shared.state.withLock { $0.held.forEach { $0.end() } }
    }

    /// Where it listens.
    public var port: Int { socket.port }

    /// Passes new connections on.
    public func passOn(to port: Int) { shared.state.withLock { $0.target = port } }

    /// Takes new connections and never answers; those that are open end.
    public func stall() {
        shared.state.withLock { state in
            state.target = nil
            state.held.forEach { $0.end() }
            state.held.removeAll()
        }
    }

    /// Waits until a connection was taken that gets no answer.
    public func waitForConnection() throws {
        guard shared.isTaken.wait(timeout: .now() + 300) == .success else { throw TestFailure("nobody has connected") }
    }

    private final class Shared: Sendable {
        struct State {
            var target: Int?
            var held: [SocketConnection] = []
        }

        let state = Mutex(State())
        let isTaken = DispatchSemaphore(value: 0)

        func take(_ client: SocketConnection) {
            let target = state.withLock { state in
                state.held.append(client)
                return state.target
            }
            guard let target, let server = try? ListeningSocket.connect(port: target) else {
                isTaken.signal()
                return
            }
            state.withLock { $0.held.append(server) }
            Thread.detachNewThread { Shared.pass(from: client, to: server) }
            Thread.detachNewThread { Shared.pass(from: server, to: client) }
        }

        private static func pass(from source: SocketConnection, to target: SocketConnection) {
            while true {
                let part = source.receive()
                if part.isEmpty || !target.send(part) { break }
            }
            source.end()
            target.end()
        }
    }
}
