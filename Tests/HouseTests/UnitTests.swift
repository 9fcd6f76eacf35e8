import Foundation
import TestSupport
import Testing

/// The systemd unit's own commands, run as systemd would run them, up to the notification that it waits for.
@Suite struct UnitTests {
    /// What `key=` says in the unit, with the specifiers and variables that it uses filled in.
    private func setting(_ key: String, directory: String, passwordCommand: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(Program.root)/Mount/coffer@.service", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(key)=") })
        return line.dropFirst(key.count + 1).split(separator: " ").map { word in
            String(word).replacing("%f", with: directory).replacing("${COFFER_PASSWORD_COMMAND}", with: passwordCommand)
        }
    }

    @Test func isWellFormed() throws {
        let text = try String(contentsOfFile: "\(Program.root)/Mount/coffer@.service", encoding: .utf8)
        #expect(text.contains("\nType=notify\n"))
        #expect(text.contains("\nWantedBy=default.target\n"))
        #expect(text.contains("\nLimitCORE=0\n"))
        #expect(text.contains("\nKillMode=mixed\n"), "the process that unmounts is not ended with the one that serves")
    }

    /// fusermount3 is set-user-id, and other programs are to see the mount: settings that need a name space, or imply
    /// NoNewPrivileges for services of users (systemd.exec(5)), would keep it from mounting or hide what it has mounted.
    @Test func needsNoNameSpaceAndNoPrivilegesTaken() throws {
        let text = try String(contentsOfFile: "\(Program.root)/Mount/coffer@.service", encoding: .utf8)
        let kinds = [
            "Protect", "Private", "Restrict", "SystemCall", "NoNew", "MemoryDeny", "LockPersonality", "ReadOnly",
            "ReadWrite", "Inaccessible", "NoExec", "ExecPaths", "Bind", "TemporaryFileSystem", "Root", "Mount",
            "ProcSubset", "DynamicUser", "Device",
        ]
        for line in text.split(separator: "\n") {
            #expect(!kinds.contains { line.hasPrefix($0) }, "\(line)")
        }
    }

    @Test func startsNotifiesAndStops() throws {
        let home = try TemporaryHome()
        let directory = try home.directory("a folder")
        let password = try home.write("seven-Quiet-otters-paint\n", to: "password")
        let source = ["--password-file", password, "--kdf-memory", "64", "--kdf-passes", "3"]
        try home.command(try Program.coffer(), ["init"] + source).run(expecting: 0)

        let socket = try DatagramSocket(path: home.file("run/notify"))
        let start = try setting("ExecStart", directory: directory, passwordCommand: "cat '\(password)'")
        var command = home.command(try Program.coffer(), Array(start.dropFirst()))
        command.environment?["NOTIFY_SOCKET"] = socket.path
        let service = try command.start()
        #expect(try socket.receive(timeout: .patience).split(separator: "\n").contains("READY=1"))
        #expect(try Mount.below(directory).map(\.type) == ["fuse.coffer"])

        let stop = try setting("ExecStop", directory: directory, passwordCommand: "")
        try home.command(try Program.coffer(), Array(stop.dropFirst())).run(expecting: 0)
        #expect(try service.wait() == 0)
        #expect(try Mount.below(directory).isEmpty)
    }
}
