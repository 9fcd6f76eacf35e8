import Foundation
import Remotes
import Sync
import Synchronization
import TestSupport
import Testing

/// Through a bad connection a remote does what it should or says that it could not: never wrong bytes, never a half
/// object that counts as whole.
@Suite struct FaultTests {
    private static let seeds: ClosedRange<UInt64> = Program.long ? 1...200 : 1...4

    /// Tries what says that it failed again, as the sync engine does at the next occasion.
    private func again<Value>(_ proxy: FaultProxy, _ body: () async throws -> Value) async throws -> Value {
        for _ in 0..<40 {
            do { return try await body() } catch RemoteError.unreachable, RemoteError.malformed {}
            proxy.waitUntilIdle()
        }
        return try await body()
    }

    @Test(arguments: Kind.servers, seeds) func rightOrAnError(_ kind: Kind, _ seed: UInt64) async throws {
        let place = try Place(kind)
        let server = try #require(place.server)
        let proxy = try FaultProxy(port: server.port, seed: seed, percent: 40)
        let direct = try #require(place.address)
        let remote = try WebDAVRemote(
            WebAddress(direct.replacing(":\(server.port)/", with: ":\(proxy.port)/")), options: .quick)
        let objects = try (0..<30).map { number in
            try RemoteObject(
                "v1/log/d-\(number % 3)/o-\(number)", [UInt8](repeating: UInt8(number), count: 1 + number * 997))
        }
        for batch in stride(from: 0, to: objects.count, by: 10) {
            try await again(proxy) { try await remote.create(Array(objects[batch..<(batch + 10)])) }
            let listed = try await again(proxy) { try await remote.list(RemotePath(path: "v1/log/d-0")) }
            #expect(Set(listed.map(\.name)).isSubset(of: objects.map { $0.path.components[3] }))
        }
        proxy.waitUntilIdle()
        // What was said to be there is there, byte by byte.
        for object in objects { #expect(try place.bytes(at: object.path.description) == object.bytes) }
        for round in 0..<3 {
            try await again(proxy) { try await remote.replace(RemoteObject("v1/head/d", "hint \(round)")) }
            proxy.waitUntilIdle()
            #expect(try place.bytes(at: "v1/head/d") == Array("hint \(round)".utf8))
        }
        for object in objects {
            let read = try await again(proxy) { try await remote.read([object.path], limit: 1 << 20) }
            #expect(read == [.bytes(object.bytes)])
        }
        try await again(proxy) { try await remote.remove(objects.prefix(5).map(\.path)) }
        proxy.waitUntilIdle()
        for object in objects.prefix(5) { #expect(!place.exists(object.path.description)) }
        #expect(proxy.happened.count > 5)
    }
}
