import Foundation
import TestSupport

/// What a client asked, as far as the stand-ins look at it.
struct Asked: Sendable {
    var method: String
    /// As it stands in the request line.
    var target: String
    /// Everything up to the empty line.
    var head: String
    var body: [UInt8]

    func field(_ name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() where line.lowercased().hasPrefix(name.lowercased() + ":")
        {
            return line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
        }
        return nil
    }

    /// The next request of a connection; nil at its end.
    init?(from connection: SocketConnection) {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        var cut = 0
        while true {
            let part = connection.receive()
            if part.isEmpty { return nil }
            bytes += part
            if let range = Data(bytes).range(of: Data(end)) {
                cut = range.upperBound
                break
            }
        }
        head = String(decoding: bytes[..<cut], as: UTF8.self)
        let words = head.prefix { $0 != "\r\n" }.split(separator: " ")
        (method, target) = (String(words.first ?? ""), String(words.dropFirst().first ?? ""))
        body = Array(bytes[cut...])
        let length = field("Content-Length").flatMap { Int($0) } ?? 0
        while body.count < length {
            let part = connection.receive()
            if part.isEmpty { break }
            body += part
        }
    }
}

/// A server that says what a test has it say, byte by byte.
final class ScriptedServer: Sendable {
    enum Answer: Sendable {
        /// Bytes after which the connection stays.
        case bytes(String)
        /// Bytes after which it ends.
        case last(String)
        /// Bytes, and then others again and again until the client goes.
        case endless(String, String)
        /// Bytes, and then so many more, one by one, about 150 in a second.
        case slow(String, Int)
    }

    private let socket: ListeningSocket

    /// - Parameter script: gives the answer to each request; nil is the answer of an empty collection `/dav/`.
    init(_ script: @escaping @Sendable (Asked) -> Answer?) throws {
        let socket = try ListeningSocket()
        self.socket = socket
        Thread.detachNewThread {
            while let connection = socket.accept() {
                Thread.detachNewThread { Self.serve(connection, script) }
            }
        }
    }

    deinit { socket.stop() }

    var address: String { "http://127.0.0.1:\(socket.port)/dav/" }

    private static func serve(_ connection: SocketConnection, _ script: (Asked) -> Answer?) {
        while let asked = Asked(from: connection) {
            switch script(asked) ?? .bytes(multistatus([asked.target])) {
            case .bytes(let text): if !connection.send(text) { return }
            case .last(let text):
                _ = connection.send(text)
                return connection.end()
            case .slow(let text, let count):
                guard connection.send(text) else { return }
                for _ in 0..<count {
                    _ = poll(nil, 0, 6)
                    guard connection.send("x") else { return }
                }
            case .endless(let text, let more):
                let block = [UInt8](
                    Data(more.utf8) + Data(String(repeating: more, count: 1 + 65536 / more.utf8.count).utf8))
                guard connection.send(text) else { return }
                while connection.send(block) {}
                return
            }
        }
    }

    /// A listing of folders, for the ends in `/`, and files of three bytes.
    static func multistatus(_ hrefs: [String]) -> String {
        let responses = hrefs.map { href in
            let type = href.hasSuffix("/") ? "<D:collection/>" : ""
            return """
                <D:response><D:href>\(href)</D:href><D:propstat><D:prop><D:resourcetype>\(type)</D:resourcetype>\
                <D:getcontentlength>3</D:getcontentlength><D:getetag>W/"1"</D:getetag></D:prop>\
                <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
                """
        }
        return xml("<D:multistatus xmlns:D=\"DAV:\">\(responses.joined())</D:multistatus>")
    }

    static func xml(_ body: String) -> String { answer("207 Multi-Status", body, "Content-Type: application/xml\r\n") }

    static func answer(_ status: String, _ body: String = "", _ fields: String = "") -> String {
        "HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
}
