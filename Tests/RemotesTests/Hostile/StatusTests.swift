import Foundation
import Remotes
import Sync
import Synchronization
import TestSupport
import Testing

/// What statuses and fields mean, how often something is tried and how long is waited between.
@Suite struct StatusTests {
    /// Answers every GET with the first texts in turn, and the last one for ever.
    private func pauses(_ answers: [String], then: String = ScriptedServer.answer("200 OK", "abc")) async throws
        -> (RemoteBytes?, RemoteError?, [Duration])
    {
        let asked = Mutex(0)
        let paused = Mutex<[Duration]>([])
        let server = try ScriptedServer { request in
            guard request.method == "GET" else { return nil }
            let index = asked.withLock { asked in
                defer { asked += 1 }
                return asked
            }
            return .bytes(index < answers.count ? answers[index] : then)
        }
        var options = WebDAVOptions.quick
        options.pacing.random = { 1 }
        options.pacing.wait = { duration in paused.withLock { $0.append(duration) } }
        let remote = try WebDAVRemote(WebAddress(server.address), options: options)
        do {
            let read = try await remote.read([RemotePath(path: "a/object")], limit: 10).first
            return (read, nil, paused.withLock { $0 })
        } catch let error as RemoteError {
            return (nil, error, paused.withLock { $0 })
        }
    }

    @Test(arguments: [408, 423, 429, 500, 502, 503, 504]) func momentsPass(_ status: Int) async throws {
        let (read, _, pauses) = try await pauses([ScriptedServer.answer("\(status) Later", "no")])
        #expect(read == .bytes(Array("abc".utf8)))
        #expect(pauses == [.milliseconds(500)])
    }

    @Test func pausesDoubleUpToTheLastTry() async throws {
        let (_, error, pauses) = try await pauses([], then: ScriptedServer.answer("503 Later"))
        #expect(pauses == [0.5, 1, 2, 4, 8].map { .seconds($0) })
        guard case .unreachable(let sentence) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(sentence.contains("503"))
    }

    @Test(arguments: [
        ("7", 7), ("0", 0.5), ("120", 120), ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Friday, 15-Jan-27 08:00:31 GMT", 31),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.5), ("soon", 0.5), ("-5", 0.5),
    ]) func theServerSaysWhen(_ value: String, _ seconds: Double) async throws {
        let (read, _, pauses) = try await pauses([ScriptedServer.answer("429 Slow", "", "Retry-After: \(value)\r\n")])
        #expect(read == .bytes(Array("abc".utf8)))
        #expect(pauses == [.seconds(seconds)])
    }

    @Test(arguments: ["121", "99999999999999999999999", "Wed, 15 Jan 2031 08:00:30 GMT"])
    func noOneWaitsForEver(_ value: String) async throws {
        let (_, error, pauses) = try await pauses([ScriptedServer.answer("503 Later", "", "Retry-After: \(value)\r\n")])
        #expect(pauses.isEmpty)
        guard case .unreachable = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aBrokenConnectionIsTriedAgain() async throws {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\na"
        let asked = Mutex(0)
        let server = try ScriptedServer { request in
            guard request.method == "GET" else { return nil }
            let isFirst = asked.withLock { asked in
                asked += 1
                return asked == 1
            }
            return isFirst ? .last(half) : .bytes(ScriptedServer.answer("200 OK", "abc"))
        }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        #expect(try await remote.read("a/object") == .bytes(Array("abc".utf8)))
    }

    @Test(arguments: [401, 403, 407]) func refusalsAreSaidAndNotTriedAgain(_ status: Int) async throws {
        let (_, error, pauses) = try await pauses([], then: ScriptedServer.answer("\(status) No"))
        #expect(pauses.isEmpty)
        guard case .notAuthorized = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    /// Somebody is faster between the look and the write: a server that knows the condition says 412.
    @Test func whatSomebodyElseWroteIsLeft() async throws {
        let conditions = Mutex<[String?]>([])
        let server = try ScriptedServer { request in
            switch request.method {
            case "PUT":
                conditions.withLock { $0.append(request.field("If-None-Match")) }
                return .bytes(ScriptedServer.answer("412 Precondition Failed"))
            case "PROPFIND" where !request.target.hasSuffix("/") && conditions.withLock { $0.isEmpty }:
                return .bytes(ScriptedServer.answer("404 Not Found"))
            default: return nil
            }
        }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        try await remote.create([RemoteObject("a/object", "abc")])
        #expect(conditions.withLock { $0 } == ["*"])
    }

    @Test func noRoomIsSaid() async throws {
        let server = try ScriptedServer { request in
            switch request.method {
            case "PUT": .bytes(ScriptedServer.answer("507 Insufficient Storage"))
            case "PROPFIND" where !request.target.hasSuffix("/"): .bytes(ScriptedServer.answer("404 Not Found"))
            default: nil
            }
        }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        await #expect(throws: RemoteError.full) { try await remote.create([RemoteObject("a/object", "bytes")]) }
    }

    /// A server that sends nothing for a whole stall timeout counts as gone; the task's end ends a transfer at once.
    @Test func aTransferEndsWithItsTask() async throws {
        let (began, signal) = AsyncStream.makeStream(of: Void.self)
        let server = try ScriptedServer { request in
            guard request.method == "GET" else { return nil }
            signal.yield()
            return .bytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        let task = Task { try await remote.read("a/object") }
        for await _ in began { break }
        task.cancel()
        await #expect(throws: RemoteError.cancelled) { try await task.value }
    }

    @Test func nothingIsSentInTheClear() throws {
        let address = try WebAddress("http://example.org/dav/")
        #expect(throws: RemoteError.self) { try WebDAVRemote(address) }
        var options = WebDAVOptions()
        options.allowsInsecureHTTP = true
        #expect(throws: Never.self) { try WebDAVRemote(address, options: options) }
        for host in ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"] {
            #expect(throws: Never.self) { try WebDAVRemote(WebAddress("http://\(host)/")) }
        }
        for host in ["128.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "127.1", "[::2]"] {
            #expect(throws: RemoteError.self, "\(host)") { try WebDAVRemote(WebAddress("http://\(host)/")) }
        }
    }
}
