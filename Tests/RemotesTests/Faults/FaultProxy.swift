import Foundation
import Synchronization
import TestSupport

/// Stands between a client and a server and lets requests go wrong. A seed decides: by method, target and how often
/// they came, so that the order in which connections are served changes nothing.
final class FaultProxy: Sendable {
    private let socket: ListeningSocket
    private let shared: Shared

    /// In front of a server on `port`; `percent` of the requests go wrong.
    init(port: Int, seed: UInt64, percent: Int) throws {
        let socket = try ListeningSocket()
        let shared = Shared(port: port, seed: seed, percent: percent)
        (self.socket, self.shared) = (socket, shared)
        Thread.detachNewThread {
            while let connection = socket.accept() {
                shared.underWay.enter()
                Thread.detachNewThread {
                    shared.serve(connection)
                    shared.underWay.leave()
                }
            }
        }
    }

    deinit { socket.stop() }

    var port: Int { socket.port }

    /// Returns when no request is under way: one that its client has given up still reaches the server.
    func waitUntilIdle() { shared.underWay.wait() }

    /// The faults that happened.
    var happened: Set<Fault> { shared.state.withLock { $0.happened } }

    private final class Shared: Sendable {
        struct State {
            var counts: [String: UInt64] = [:]
            var listings: [String: [UInt8]] = [:]
            var happened: Set<Fault> = []
        }

        let port: Int
        let seed: UInt64
        let percent: Int
        let state = Mutex(State())
        let underWay = DispatchGroup()

        init(port: Int, seed: UInt64, percent: Int) { (self.port, self.seed, self.percent) = (port, seed, percent) }

        func serve(_ connection: SocketConnection) {
            guard let asked = Asked(from: connection) else { return }
            let fault = fault(for: asked)
            if let fault { state.withLock { _ = $0.happened.insert(fault) } }
            answer(connection, asked, fault)
            connection.end()
        }

        private func fault(for asked: Asked) -> Fault? {
            // Without the folder that each run has of its own.
            let target = asked.target.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2)
            let key = "\(asked.method) /\(target.joined(separator: "/"))"
            let count = state.withLock { state in
                state.counts[key, default: 0] += 1
                return state.counts[key, default: 0]
            }
            // FNV-1a: the same in every run, which Swift's own hashes are not.
            let hash = key.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            var random = Seeded(seed: hash &+ count)
            guard random.next() % 100 < UInt64(percent) else { return nil }
            return Fault.allCases[Int(random.next() % UInt64(Fault.allCases.count))]
        }

        private func answer(_ connection: SocketConnection, _ asked: Asked, _ fault: Fault?) {
            if let status = fault?.status {
                _ = connection.send("HTTP/1.1 \(status)Content-Length: 0\r\nConnection: close\r\n\r\n")
                return
            }
            if fault == .dropped { return }
            if fault == .torn {
                _ = forward(asked, body: Array(asked.body.prefix(asked.body.count / 2)))
                return
            }
            if fault == .doubled { _ = forward(asked, body: asked.body) }
            var reply = forward(asked, body: asked.body)
            if fault == .unanswered { return }
            let key = asked.target
            if asked.method == "PROPFIND", asked.field("Depth") == "1" {
                let first = state.withLock { state in
                    defer { if state.listings[key] == nil { state.listings[key] = reply } }
                    return state.listings[key]
                }
                if fault == .stale, let first { reply = first }
            }
            if fault == .overlong { reply = FaultProxy.overstating(reply) }
            if fault == .cut {
                reply = Array(
                    reply.prefix(FaultProxy.bodyStart(reply) + (reply.count - FaultProxy.bodyStart(reply)) / 2))
            }
            let step = fault == .slow ? 7 : reply.count
            for start in stride(from: 0, to: reply.count, by: max(1, step)) {
                guard connection.send(Array(reply[start..<min(reply.count, start + step)])) else { return }
            }
        }

        /// Asks the server on a connection of its own, and returns all that it said.
        private func forward(_ asked: Asked, body: [UInt8]) -> [UInt8] {
            guard let server = try? ListeningSocket.connect(port: port) else { return [] }
            let head = asked.head.split(separator: "\r\n", omittingEmptySubsequences: true)
                .filter { !$0.lowercased().hasPrefix("connection:") }
            let text = head.joined(separator: "\r\n") + "\r\nConnection: close\r\n\r\n"
            guard server.send(Array(text.utf8) + body) else { return [] }
            // The server is to have done with half a request before the client comes again.
            if body.count < asked.body.count { server.endSending() }
            return server.receiveAll()
        }
    }

    static func bodyStart(_ reply: [UInt8]) -> Int {
        Data(reply).range(of: Data("\r\n\r\n".utf8))?.upperBound ?? reply.count
    }

    /// The answer with a Content-Length that is larger by one.
    private static func overstating(_ reply: [UInt8]) -> [UInt8] {
        let start = bodyStart(reply)
        let head = String(decoding: reply[..<start], as: UTF8.self)
        let lines = head.split(separator: "\r\n").map { line -> String in
            guard line.lowercased().hasPrefix("content-length:"),
                let length = Int(line.dropFirst(15).trimmingCharacters(in: .whitespaces))
            else { return String(line) }
            return "Content-Length: \(length + 1)"
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + reply[start...]
    }
}
