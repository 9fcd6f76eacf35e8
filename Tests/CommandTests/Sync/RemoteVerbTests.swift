import Foundation
import TestSupport
import Testing

/// `remote set`, `show` and `clear`.
@Suite struct RemoteVerbTests {
    @Test(arguments: [true, false]) func setShowClear(mounted: Bool) throws {
        try TestVault.with { vault in
            if mounted { try vault.mount("--no-sync") }
            let place = try RemotePlace(.directory)
            #expect(try vault.opened("remote", "show").run(expecting: 1).errorText.contains("No remote is set"))
            let set = try vault.opened("remote", "set", place.folder).run(expecting: 0)
            #expect(set.text.isEmpty && set.errorText.contains("It is empty"))
            let url = try vault.opened("remote", "show").run(expecting: 0).text
            #expect(url.hasPrefix("file:///") && url.hasSuffix("\n"))
            try vault.sync()
            #expect(
                try vault.opened("remote", "set", place.folder).run(expecting: 0).errorText.contains("has this vault"))
            try vault.opened("remote", "clear").run(expecting: 0)
            try vault.opened("remote", "show").run(expecting: 1)
            try vault.sync(expecting: 1)
            #expect(place.exists("v1/vault"), "what is there stays there")
            if mounted { try vault.lock() }
        }
    }

    @Test func showAsJSON() throws {
        try TestVault.with { vault in
            let place = try RemotePlace(.apache)
            let address = try #require(place.address).replacing("http://", with: "http://ann@")
            try vault.opened("remote", "set", address, "--remote-password-command", "echo hidden").run(expecting: 0)
            let shown = try vault.opened("remote", "show", "--json").run(expecting: 0)
            let object = try JSONSerialization.jsonObject(with: Data(shown.output)) as? [String: String]
            #expect(object == ["url": address, "login": "password command"])
        }
    }

    /// A folder that is missing is most often a disk that is not plugged in.
    @Test func aMissingFolderIsMadeOnlyWhenAskedFor() throws {
        try TestVault.with { vault in
            let folder = vault.home.file("not there")
            #expect(try vault.opened("remote", "set", folder).run(expecting: 30).errorText.contains("plugged in"))
            #expect(!FileManager.default.fileExists(atPath: folder))
            try vault.opened("remote", "set", "--create", folder).run(expecting: 0)
            try vault.sync()
            try FileManager.default.removeItem(atPath: folder)
            try vault.sync(expecting: 30)
            #expect(!FileManager.default.fileExists(atPath: folder))
        }
    }

    /// What could not be set has no changes that wait for it.
    @Test func whatIsNotSetWaitsForNothing() throws {
        try TestVault.with { vault in
            for arguments in [["set", vault.home.file("none")], ["set", "http://127.0.0.1:1/"]] {
                let said = try vault.coffer(["remote"] + arguments + ["--password-file", vault.passwordFile])
                    .run(expecting: 30).errorText
                #expect(!said.contains("wait") && said.contains("Nothing was changed"), "\(said)")
            }
            let folder = try vault.home.directory("remote")
            try vault.opened("remote", "set", folder).run(expecting: 0)
            try FileManager.default.removeItem(atPath: folder)
            #expect(try vault.sync(expecting: 30).errorText.contains("Changes wait here"))
        }
    }

    /// A folder that may not be read or written has no login.
    @Test(.enabled(if: getuid() == 0, "another user is needed, whom modes bind"))
    func aFolderWithoutPermissionSaysSo() throws {
        let folder = try Program.copyForOtherUsers()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let home = folder + "/home"
        let remote = folder + "/remote"
        for path in [home, remote] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        try Posix.write(Array((TestVault.password + "\n").utf8), to: folder + "/password")
        try Command("chown", ["nobody", home]).run(expecting: 0)
        try Command("chmod", ["755", remote]).run(expecting: 0)
        func coffer(_ arguments: String...) throws -> Command {
            let words = ["-u", "nobody", "--", "env", "HOME=\(home)", folder + "/coffer"]
            return Command(
                "runuser", words + arguments + ["--password-file", folder + "/password"],
                environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
        }
        try coffer("init", "--kdf-memory", "64").run(expecting: 0)
        try coffer("remote", "set", remote).run(expecting: 0)
        let said = try coffer("sync").run(expecting: 30).errorText
        #expect(said.contains("Permission denied") && !said.contains("netrc") && said.contains("owner or mode"))
    }

    @Test func whatBelongsToAnotherVaultIsRefused() throws {
        try TwoDevices.with(joined: false) { devices in
            try devices.b.make()
            let before = RemoteFiles(folder: devices.place.folder).contents()
            let refused = try devices.b.opened("remote", "set", devices.url).run(expecting: 33)
            #expect(refused.errorText.contains("another vault"))
            try devices.b.opened("remote", "show").run(expecting: 1)
            #expect(RemoteFiles(folder: devices.place.folder).contents() == before)
        }
    }

    @Test(arguments: [
        "https://ann:secret@example.org/", "ftp://example.org/", "https://", "file://other/host", "https://a b/", "",
    ])
    func badAddresses(_ url: String) throws {
        try TestVault.with { vault in
            let result = try vault.opened("remote", "set", url).run(expecting: 64)
            #expect(result.errorText.contains("no address"))
            #expect(url.isEmpty || !result.errorText.contains("secret@"))
        }
    }

    @Test func unreachable() throws {
        try TestVault.with { vault in
            // The port is taken, by nobody who listens.
            let socket = try ListeningSocket(listens: false)
            defer { socket.stop() }
            let url = "http://127.0.0.1:\(socket.port)/"
            try vault.opened("remote", "set", url).run(expecting: 30)
            #expect(
                try vault.opened("remote", "set", "http://coffer.invalid/").run(expecting: 30).errorText
                    .contains("https://"))
        }
    }

    /// A file that silently stays on one device would be lost with it.
    @Test func whatIsTooLargeToBeSharedIsRefused() throws {
        try TestVault.with { vault in
            let large = 8 << 30
            try vault.mount("--no-sync")
            try vault.write("text", to: "disk")
            #expect(unsafe truncate(vault.path("disk"), large + 1) == 0, "of a vault that nobody shares")
            let remote = try vault.home.directory("remote")
            let refusal = try vault.opened("remote", "set", remote).run(expecting: 1)
            #expect(refusal.errorText.contains(": disk."), "\(refusal.errorText)")
            #expect(unsafe truncate(vault.path("disk"), large) == 0)
            try vault.opened("remote", "set", remote).run(expecting: 0)
            for opened in [false, true] {
                #expect(unsafe truncate(vault.path("disk"), large + 1) != 0 && errno == EFBIG, "opened anew: \(opened)")
                let file = try Posix.File(vault.path("disk"), O_WRONLY)
                #expect(unsafe pwrite(file.number, "x", 1, large) < 0 && errno == EFBIG)
                try file.close()
                try vault.lock()
                try vault.mount("--no-sync")
            }
            try vault.opened("remote", "clear").run(expecting: 0)
            #expect(unsafe truncate(vault.path("disk"), large + 1) == 0)
            try vault.lock()
        }
    }

    /// A vault within its own mount would wait for itself.
    @Test func notInTheMountItself() throws {
        try TestVault.with { vault in
            try vault.mount("--no-sync")
            try FileManager.default.createDirectory(atPath: vault.path("copy"), withIntermediateDirectories: false)
            let result = try vault.opened("remote", "set", vault.path("copy")).run(expecting: 64)
            #expect(result.errorText.contains("cannot be its own remote"))
            try vault.lock()
        }
    }

    /// The password that the vault keeps gets there through a wiped buffer, and no output shows it.
    @Test(arguments: [true, false]) func passwordKeptInTheVault(mounted: Bool) throws {
        let server = try Server(Apache(authentication: .basic(user: "ann", password: "keep-me-9")).recipe)
        try TestVault.with { vault in
            if mounted { try vault.mount("--no-sync") }
            let url = "http://ann@127.0.0.1:\(server.port)/"
            let arguments = ["remote", "set", url, "--store-remote-password", "--password-file", vault.passwordFile]
            try vault.coffer(arguments, input: "wrong\n").run(expecting: 30)
            try vault.coffer(arguments, input: "keep-me-9\n").run(expecting: 0)
            try vault.sync()
            let shown = try vault.opened("remote", "show", "--json").run(expecting: 0).text
            #expect(shown.contains("password kept in the vault") && !shown.contains("keep-me-9"))
            if mounted { try vault.lock() }
            #expect(FileManager.default.contents(atPath: vault.file)?.range(of: Data("keep-me-9".utf8)) == nil)
        }
    }

    @Test(arguments: [
        ["--remote-password-command", "echo keep-me-9"],
        ["--remote-user", "ann", "--remote-password-command", "echo keep-me-9"],
    ])
    func passwordCommand(_ arguments: [String]) throws {
        let server = try Server(Apache(authentication: .digest(user: "ann", password: "keep-me-9")).recipe)
        try TestVault.with { vault in
            let user = arguments.contains("--remote-user") ? "" : "ann@"
            let url = "http://\(user)127.0.0.1:\(server.port)/"
            try vault.coffer(["remote", "set", url, "--password-file", vault.passwordFile] + arguments).run(
                expecting: 0)
            try vault.sync()
            #expect(
                try vault.opened("remote", "show").run(expecting: 0).text == "http://ann@127.0.0.1:\(server.port)/\n")
        }
    }

    /// The process that has the keys runs no program: the one beside it does, and nothing of that is in the way of a lock.
    @Test func passwordCommandOfAMountedVault() throws {
        let server = try Server(Apache(authentication: .digest(user: "ann", password: "keep-me-9")).recipe)
        try TestVault.with { vault in
            let (mark, fifo) = (vault.home.file("tmp/mark"), vault.home.file("tmp/fifo"))
            let waiting = "[ ! -e '\(fifo)' ] || { touch '\(fifo) is read'; : < '\(fifo)'; }"
            let command = "\(waiting); grep NoNew /proc/self/status > '\(mark)'; echo keep-me-9"
            let url = "http://ann@127.0.0.1:\(server.port)/"
            let set = try vault.opened("remote", "set", url, "--remote-password-command", command)
            try set.run(expecting: 0)
            try FileManager.default.removeItem(atPath: mark)
            try vault.mount("--no-sync")
            try vault.coffer(["sync"]).run(expecting: 0)
            #expect(try String(contentsOfFile: mark, encoding: .utf8) == "NoNewPrivs:\t0\n")

            // It waits, as for a person, while the vault is locked.
            try Posix.check(unsafe mkfifo(fifo, 0o600), "mkfifo")
            let words = ["remote", "set", url, "--remote-password-command", command, "--password-file"]
            let asking = try vault.coffer(words + [vault.passwordFile]).start()
            try waitForFiles(in: vault.home.file("tmp"), "the command waits", by: asking) {
                FileManager.default.fileExists(atPath: "\(fifo) is read")
            }
            let daemon = try vault.daemon()
            daemon.send(SIGTERM)
            try daemon.waitForEnd()
            #expect(!vault.isMounted)
            #expect(try asking.wait() != 0)
            try Command("sh", ["-c", ": > '\(fifo)'"]).run(expecting: 0)
        }
    }

    /// Attack 46: a vault that comes from somewhere else runs nothing here.
    @Test func attack46_commandsOfAVaultAreNotRunOnAnotherMachine() throws {
        let server = try Server(Apache(authentication: .digest(user: "ann", password: "keep-me-9")).recipe)
        try TestVault.with { vault in
            let mark = vault.home.file("it ran")
            let command = "touch '\(mark)'; echo keep-me-9"
            let url = "http://ann@127.0.0.1:\(server.port)/"
            try vault.opened("remote", "set", url, "--remote-password-command", command).run(expecting: 0)
            try FileManager.default.removeItem(atPath: vault.home.file(".local/state/coffer/commands"))
            try? FileManager.default.removeItem(atPath: mark)
            let refused = try vault.opened("sync").run()
            #expect(refused.code != 0 && refused.errorText.contains("nobody has allowed"), "\(refused.errorText)")
            try vault.mount()
            #expect(try vault.coffer(["sync"]).run().code != 0)
            try vault.lock()
            #expect(!FileManager.default.fileExists(atPath: mark))
            try vault.opened("remote", "set", url, "--remote-password-command", command).run(expecting: 0)
            try vault.sync()
            #expect(FileManager.default.fileExists(atPath: mark))
        }
    }
}
