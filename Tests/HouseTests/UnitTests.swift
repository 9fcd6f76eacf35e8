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
    }

    @Test func startsNotifiesAndStops() throws {
        let home = try TemporaryHome()
        let directory = try home.directory("a folder")
        let password = try home.write("seven-Quiet-otters-paint\n", to: "password")
        let source = ["--password-file", password, "--kdf-memory", "64", "--kdf-passes", "3"]
        try home.command(try Program.coffer(), ["init"] + source).run(expecting: 0)

        let socket = try NotifySocket(path: home.file("run/notify"))
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

/// The receiving end of sd_notify(3).
private final class NotifySocket {
    let path: String
    private let number: Int32

    init(path: String) throws {
        self.path = path
        number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemFailure("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw TestFailure("long path: \(path)")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw SystemFailure("bind \(path)") }
    }

    deinit { close(number) }

    /// The next message.
    func receive(timeout: Duration) throws -> String {
        var descriptors = [pollfd(fd: number, events: Int16(POLLIN), revents: 0)]
        let milliseconds = Int32(timeout / .milliseconds(1))
        guard unsafe poll(&descriptors, 1, milliseconds) == 1 else {
            throw TestFailure("no notification in \(timeout)")
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(number, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
