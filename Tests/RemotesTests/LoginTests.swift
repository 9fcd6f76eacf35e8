import Foundation
import Remotes
import Sync
import TestSupport
import Testing

/// Logins against a real Apache.
@Suite struct LoginTests {
    private static let secret = "correct horse: \u{FC}\"'%"

    private func check(
        _ server: Server, _ credential: WebDAVCredential, user: String? = "me", _ passes: Bool = true
    ) async throws {
        let login = user.map { "\($0)@" } ?? ""
        let address = try WebAddress("http://\(login)127.0.0.1:\(server.port)/")
        let remote = try WebDAVRemote(address, credential: credential, options: .quick)
        do {
            let objects = try (0..<20).map { try RemoteObject("a/o-\($0)", "object \($0)") }
            try await remote.create(objects)
            #expect(passes, "a wrong login was taken")
            #expect(try await remote.read(objects.map(\.path), limit: 100) == objects.map { .bytes($0.bytes) })
        } catch RemoteError.notAuthorized(let sentence) where !passes {
            #expect(!sentence.contains("secret") && !sentence.contains("me@"))
        }
        withExtendedLifetime(server) {}
    }

    private func password(_ text: String) -> WebDAVCredential {
        .password { () throws(RemoteError) in Array(text.utf8) }
    }

    @Test func basic() async throws {
        let server = try Server(Apache(authentication: .basic(user: "me", password: Self.secret)).recipe)
        try await check(server, password(Self.secret))
        try await check(server, password("a secret that is wrong"), false)
        try await check(server, .none, false)
        try await check(server, password(Self.secret), user: nil, false)
    }

    @Test func digest() async throws {
        let server = try Server(Apache(authentication: .digest(user: "me", password: Self.secret)).recipe)
        try await check(server, password(Self.secret))
        try await check(server, password("a secret that is wrong"), false)
    }

    @Test func bearer() async throws {
        let server = try Server(Apache(authentication: .bearer(token: "secret-token-1")).recipe)
        let token = { @Sendable (text: String) in
            WebDAVCredential.bearer { () throws(RemoteError) in Array(text.utf8) }
        }
        try await check(server, token("secret-token-1"), user: nil)
        try await check(server, token("secret-token-2"), user: nil, false)
        try await check(server, token("secret-token-1\r\nX: y"), user: nil, false)
    }

    @Test func netrc() async throws {
        let server = try Server(Apache(authentication: .basic(user: "me", password: "from-a-file")).recipe)
        let file = try server.home.write("machine 127.0.0.1 login me password from-a-file\n", to: "netrc")
        for takesDefault in [true, false] {
            try await check(server, .netrc(file: file, takesDefault: takesDefault))
            try await check(server, .netrc(file: file, takesDefault: takesDefault), user: nil)
            try await check(server, .netrc(file: file, takesDefault: takesDefault), user: "other", false)
        }
        try await check(server, .netrc(file: server.home.file("none"), takesDefault: true), false)
    }

    /// Attack 37: what is for every host goes to none that somebody else has named.
    @Test(arguments: ["", "machine other.example login me password no\n", "machine 127.0.0.1 login you password no\n"])
    func attack37DefaultOfNetrc(_ before: String) async throws {
        let server = try Server(Apache(authentication: .basic(user: "me", password: "for-every-host")).recipe)
        let file = try server.home.write(before + "default login me password for-every-host\n", to: "netrc")
        try await check(server, .netrc(file: file, takesDefault: true))
        try await check(server, .netrc(file: file, takesDefault: false), false)
    }

    /// Comments, quotation marks, macros, several logins of one host, entries without a login, and blanks of all kinds.
    @Test func netrcAsPeopleWriteIt() async throws {
        let server = try Server(Apache(authentication: .basic(user: "me", password: "a \"b\" #c\\")).recipe)
        let text = """
            # machine 127.0.0.1 login me password no
            machine other.example login me password machine
            machine 127.0.0.1 login you password "x" account default
            macdef init
            machine 127.0.0.1 login me password no

            machine\t127.0.0.1\r
              password "a \\"b\\" #c\\\\"\r
            default login me password no

            """
        let file = try server.home.write(text, to: "netrc")
        try await check(server, .netrc(file: file, takesDefault: false))
        for text in ["", "machine", "machine 127.0.0.1 password", "machine 127.0.0.1 login me password \"", "\""] {
            try server.home.write(text, to: "netrc")
            try await check(server, .netrc(file: file, takesDefault: true), false)
        }
    }

    /// Nothing waits for a pipe, and nobody reads what never ends.
    @Test func netrcThatIsNoFile() async throws {
        let server = try Server(Apache(authentication: .basic(user: "me", password: "x")).recipe)
        #expect(unsafe mkfifo(server.home.file("pipe"), 0o600) == 0)
        for file in [server.home.file("pipe"), "/dev/zero", server.home.path] {
            try await check(server, .netrc(file: file, takesDefault: true), false)
        }
    }

    /// The password goes out only when it is asked for, and with Digest never.
    @Test func passwordsAreNotQuoted() async throws {
        let server = try ScriptedServer { _ in
            .bytes(ScriptedServer.answer("401 No", "", "WWW-Authenticate: Basic\r\n"))
        }
        let address = try WebAddress(server.address.replacing("http://", with: "http://me@"))
        let remote = try WebDAVRemote(address, credential: password("hush-hush"), options: .quick)
        do {
            _ = try await remote.list(.top)
            Issue.record("a refused login listed")
        } catch {
            #expect(!"\(error)".contains("hush-hush") && !"\(error)".contains("me@"))
        }
    }
}
