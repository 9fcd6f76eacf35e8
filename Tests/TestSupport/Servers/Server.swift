import Foundation
import Synchronization

/// A real WebDAV server on a loopback port, over a folder that tests look into. It ends with its last user.
public final class Server: Sendable {
    /// Its own home.
    public let home: TemporaryHome
    /// What it serves, as the address `http://127.0.0.1:PORT/`.
    public let folder: String
    /// Of loopback.
    public let port: Int
    private let child: ChildProcess

    /// How a kind of server is started and how one sees that it listens.
    public struct Recipe: Sendable {
        /// The server's program.
        public let command: Command
        /// A file of the home that appears, or that comes to hold `text`.
        public let sign: String
        /// See `sign`.
        public var text = ""
    }

    /// Starts a server. Between the choice of a free port and its use somebody else may take it: then another one is
    /// tried.
    public init(_ recipe: (TemporaryHome, _ folder: String, _ port: Int) throws -> Recipe) throws {
        var failure: any Error = TestFailure("no port")
        for _ in 0..<5 {
            let home = try TemporaryHome()
            let folder = try home.directory("served")
            try Self.open(home, folder)
            let port = try FreePort.find()
            let recipe = try recipe(home, folder, port)
            do {
                child = try Self.start(recipe, home)
                (self.home, self.folder, self.port) = (home, folder, port)
                return
            } catch {
                failure = error
            }
        }
        throw failure
    }

    deinit { child.kill() }

    /// What the server logged; for the message of a failed test.
    public var log: String { (try? String(contentsOfFile: home.file("log"), encoding: .utf8)) ?? "" }

    private static func start(_ recipe: Recipe, _ home: TemporaryHome) throws -> ChildProcess {
        let command = recipe.command
        let logged = Command(
            "sh", ["-c", "exec \"$@\" > '\(home.file("log"))' 2>&1", "sh", command.program] + command.arguments,
            environment: home.environment, directory: home.path)
        let child = try logged.start()
        do {
            let sign = URL(filePath: home.file(recipe.sign))
            try waitForFiles(in: sign.deletingLastPathComponent().path, "\(command) listens", by: child) {
                guard let bytes = FileManager.default.contents(atPath: sign.path) else { return false }
                return recipe.text.isEmpty || String(decoding: bytes, as: UTF8.self).contains(recipe.text)
            }
        } catch {
            child.kill()
            let log = (try? String(contentsOfFile: home.file("log"), encoding: .utf8)) ?? ""
            throw TestFailure("\(error): \(log)")
        }
        return child
    }

    /// Apache does not serve as root: then it becomes nobody, who must reach the folder and write in it.
    private static func open(_ home: TemporaryHome, _ folder: String) throws {
        guard getuid() == 0 else { return }
        for path in [TemporaryHome.parent, home.path] where path != "/tmp" {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
    }
}

/// Ports of loopback that nobody listens on.
enum FreePort {
    static func find() throws -> Int {
        let socket = try ListeningSocket()
        return socket.port
    }
}
