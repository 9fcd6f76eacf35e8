import Foundation
import TestSupport
import Testing

/// An unlocked vault that somebody finds: what leads its ciphertext elsewhere, or writes over what shows that a remote lied,
/// takes the master password, and the process behind the mount compares it.
@Suite struct MountedPasswordTests {
    @Test(arguments: [
        ["remote", "set"], ["remote", "clear"], ["remote", "rebuild"], ["sync", "--accept-rollback"],
        ["sync", "--rebuild"],
    ]) func takesTheMasterPassword(_ verb: [String]) throws {
        try TwoDevices.with(joined: false) { devices in
            let vault = devices.a
            let words = verb + (verb.last == "set" ? [try vault.home.directory("other")] : [])
            try vault.mount("--no-sync")
            let before = try vault.coffer(["remote", "show"]).run(expecting: 0).text
            let contents = RemoteFiles(folder: devices.place.folder).contents()
            let nobody = try vault.coffer(words).run(expecting: 22)
            #expect(nobody.errorText.contains("no terminal to ask for the master password"), "\(nobody.errorText)")
            try vault.coffer(words, input: "plum violet anchor 48 harbour\n").run(expecting: 12)
            #expect(try vault.coffer(["remote", "show"]).run(expecting: 0).text == before)
            #expect(RemoteFiles(folder: devices.place.folder).contents() == contents)
            try vault.coffer(words, input: TestVault.password + "\n").run(expecting: 0)
            try vault.lock()
        }
    }

    /// The remote's password comes on a line behind it.
    @Test func bothPasswordsAreTaken() throws {
        let server = try Server(Apache(authentication: .basic(user: "ann", password: "keep-me-9")).recipe)
        try TestVault.with { vault in
            try vault.mount("--no-sync")
            let words = ["remote", "set", "http://ann@127.0.0.1:\(server.port)/", "--store-remote-password"]
            try vault.coffer(words, input: "wrong\nkeep-me-9\n").run(expecting: 12)
            try vault.coffer(words, input: TestVault.password + "\nwrong\n").run(expecting: 30)
            try vault.coffer(words, input: TestVault.password + "\nkeep-me-9\n").run(expecting: 0)
            try vault.sync()
            try vault.lock()
        }
    }
}
