import Foundation
import TestSupport
import Testing

/// What is configured for OpenSSL has no part in how a vault is sealed.
@Suite struct CipherEngineTests {
    /// An engine that takes the cipher's place and hands out the plaintext (Tests/CipherEngine).
    @Test func aConfiguredEngineSealsNothing() throws {
        try TestVault.with { vault in
            let configuration = vault.home.file("openssl.cnf")
            let text = """
                openssl_conf = configuration
                [configuration]
                engines = engines
                [engines]
                plain = plain
                [plain]
                engine_id = plain
                dynamic_path = \(try Program.built("libCipherEngine.so"))
                default_algorithms = CIPHERS
                init = 1
                """
            try text.write(toFile: configuration, atomically: false, encoding: .utf8)
            let content = String(repeating: "plain ", count: 50_000)
            let daemon = try vault.serve(environment: ["OPENSSL_CONF": configuration])
            try vault.write(content, to: "large")
            try vault.lock()
            #expect(try daemon.wait() == 0)
            let stored = try #require(FileManager.default.contents(atPath: vault.file + "-chunks"))
            #expect(stored.count >= 262_144 && stored.range(of: Data("plain plain".utf8)) == nil)
            try vault.mount()
            #expect(try vault.read("large") == content)
            try vault.lock()
        }
    }
}
