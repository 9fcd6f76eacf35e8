import Foundation
import Remotes
import Sync
import TestSupport

typealias Kind = RemoteKind
typealias Place = RemotePlace

extension RemotePlace {
    /// A remote as a new process would open it.
    func remote(_ options: WebDAVOptions = .quick) throws -> any Remote {
        guard let address else { return Placed(remote: DirectoryRemote(path: folder), place: self) }
        return Placed(remote: try WebDAVRemote(WebAddress(address), options: options), place: self)
    }
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
