import Synchronization

/// What a remote can stand on; each of them really runs.
public enum RemoteKind: String, CaseIterable, Sendable {
    case directory, apache, nginx, rclone, wsgidav

    /// Those that talk HTTP.
    public static let servers = allCases.filter { $0 != .directory }

    /// Tests that run at the same time share a server, in folders of their own; not rclone's, which remembers what it
    /// has seen of the folder above.
    private static let running = Mutex<[RemoteKind: Weak]>([:])

    private struct Weak: Sendable {
        weak var server: Server?
    }

    /// A running server of this kind.
    public func server() throws -> Server {
        if self == .rclone { return try start() }
        return try Self.running.withLock { running in
            if let server = running[self]?.server { return server }
            let server = try start()
            running[self] = Weak(server: server)
            return server
        }
    }

    private func start() throws -> Server {
        switch self {
        case .directory: throw TestFailure("a directory has no server")
        case .apache: try Server(Apache().recipe)
        case .nginx: try Server(Server.nginx)
        case .rclone: try Server(Server.rclone)
        case .wsgidav: try Server(Server.wsgidav)
        }
    }
}
