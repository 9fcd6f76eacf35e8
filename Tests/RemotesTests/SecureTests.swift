import Foundation
import Remotes
import Sync
import TestSupport
import Testing

/// TLS against a real Apache: who it is is always checked.
@Suite struct SecureTests {
    private let certificates: Certificates

    init() throws { certificates = try Certificates() }

    private func server(names: String = "DNS:localhost", days: Int = 2, clients: String? = nil) throws -> Server {
        let signed = try certificates.sign("server", names: names, days: days)
        return try Server(Apache(tls: (signed.certificate, signed.key, clients)).recipe)
    }

    private func create(_ server: Server, _ change: (inout WebDAVOptions) -> Void = { _ in }) async throws {
        var options = WebDAVOptions.quick
        options.certificateAuthorities = certificates.authority
        options.pacing.attempts = 2
        change(&options)
        let remote = try WebDAVRemote(WebAddress("https://localhost:\(server.port)/"), options: options)
        let objects = try (0..<40).map { try RemoteObject("a/o-\($0)", "object \($0)") }
        try await remote.create(objects)
        #expect(try await remote.read(objects.map(\.path), limit: 100) == objects.map { .bytes($0.bytes) })
    }

    private func expectRefused(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("a server that is not who it should be was taken")
        } catch RemoteError.unreachable(let sentence) {
            #expect(sentence.contains("no secure connection"))
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func ownAuthorityIsTakenAndHTTP2Used() async throws {
        let server = try server()
        try await create(server)
        var requests = ""
        // It is logged after the answer.
        try waitForFiles(in: server.home.file("locks"), "the last request is logged") {
            requests = try String(contentsOfFile: server.home.file("locks/requests"), encoding: .utf8)
            return requests.contains("HTTP/2.0 PUT /a/o-39 201")
        }
        #expect(!requests.contains("HTTP/1.1"))
    }

    @Test func anUnknownAuthorityIsRefused() async throws {
        let server = try server()
        await expectRefused { try await create(server) { $0.certificateAuthorities = nil } }
    }

    @Test func anotherHostIsRefused() async throws {
        let server = try server(names: "DNS:elsewhere.example")
        await expectRefused { try await create(server) }
    }

    @Test func anExpiredCertificateIsRefused() async throws {
        let server = try server(days: -1)
        await expectRefused { try await create(server) }
    }

    @Test func aClientShowsItsCertificate() async throws {
        let client = try certificates.sign("client", names: "email:me@example.org")
        let server = try server(clients: certificates.authority)
        try await create(server) {
            $0.clientCertificate = ClientCertificate(certificate: client.certificate, key: client.key)
        }
        await #expect(throws: RemoteError.self) { try await create(server) }
    }
}
