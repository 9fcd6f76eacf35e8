import Foundation
import Remotes
import Sync
import Synchronization
import TestSupport

/// What a remote can stand on; each of them really runs.
enum Kind: String, CaseIterable, Sendable {
    case directory, apache, nginx, rclone, wsgidav

    static let servers = allCases.filter { $0 != .directory }

    /// Tests that run at the same time share a server, in folders of their own; not rclone's, which remembers what it
    /// has seen of the folder above.
    private static let running = Mutex<[Kind: Weak]>([:])

    private struct Weak: Sendable {
        weak var server: Server?
    }

    func server() throws -> Server {
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

/// An empty remote of its own for one test, whose folder the test may look into and write in.
final class Place: Sendable {
    let kind: Kind
    /// The remote's folder on this machine's disk.
    let folder: String
    /// Where a server has it; nil for a directory.
    let address: String?
    let server: Server?
    private let home: TemporaryHome?

    init(_ kind: Kind) throws {
        self.kind = kind
        let name = "remote-\(UUID().uuidString.prefix(8).lowercased())"
        if kind == .directory {
            let home = try TemporaryHome()
            (self.home, server, address) = (home, nil, nil)
            folder = home.file(name)
        } else {
            let server = try kind.server()
            (home, self.server, address) = (nil, server, "http://127.0.0.1:\(server.port)/\(name)/")
            folder = "\(server.folder)/\(name)"
        }
        try makeFolder(folder)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A remote as a new process would open it.
    func remote(_ options: WebDAVOptions = .quick) throws -> any Remote {
        guard let address else { return Placed(remote: DirectoryRemote(path: folder), place: self) }
        return Placed(remote: try WebDAVRemote(WebAddress(address), options: options), place: self)
    }

    /// Puts a file where a server or another machine would.
    func plant(_ bytes: [UInt8], at path: String) throws {
        let full = "\(folder)/\(path)"
        try makeFolder(String(full.prefix(upTo: full.lastIndex(of: "/") ?? full.endIndex)))
        try Posix.write(bytes, to: full)
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: full)
    }

    func makeFolder(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // Whoever the server runs as may write in it.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
    }

    func bytes(at path: String) throws -> [UInt8] { try Posix.read("\(folder)/\(path)") }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(path)") }
}

/// A remote that keeps its place, whose folder and server go with the last of those who use it.
private struct Placed: Remote {
    let remote: any Remote
    let place: Place

    func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] { try await remote.list(folder) }

    func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        try await remote.read(paths, limit: limit)
    }

    func create(_ objects: [RemoteObject]) async throws(RemoteError) { try await remote.create(objects) }

    func replace(_ hint: RemoteObject) async throws(RemoteError) { try await remote.replace(hint) }

    func remove(_ paths: [RemotePath]) async throws(RemoteError) { try await remote.remove(paths) }
}

extension RemotePath {
    /// A path as one writes it; for tests, which write only valid ones.
    init(path: String) throws {
        let components = path.split(separator: "/").map(String.init)
        guard let parsed = RemotePath(components) else { throw TestFailure("no path: \(path)") }
        self = parsed
    }
}

extension RemoteObject {
    init(_ path: String, _ bytes: [UInt8]) throws { self.init(path: try RemotePath(path: path), bytes: bytes) }

    init(_ path: String, _ text: String) throws { try self.init(path, Array(text.utf8)) }
}

extension Remote {
    func list(_ path: String) async throws -> [RemoteItem] {
        try await list(RemotePath(path: path)).sorted { $0.name < $1.name }
    }

    func read(_ path: String, limit: Int = 1 << 20) async throws -> RemoteBytes? {
        try await read([RemotePath(path: path)], limit: limit).first
    }
}
