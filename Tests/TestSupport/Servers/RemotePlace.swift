import Foundation

/// An empty remote of its own for one test, whose folder the test may look into and write in.
public final class RemotePlace: Sendable {
    /// What it stands on.
    public let kind: RemoteKind
    /// The remote's folder on this machine's disk.
    public let folder: String
    /// Where a server has it; nil for a directory.
    public let address: String?
    /// nil for a directory.
    public let server: Server?
    private let home: TemporaryHome?

    /// Makes an empty one.
    public init(_ kind: RemoteKind) throws {
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

    /// Puts a file where a server or another machine would.
    public func plant(_ bytes: [UInt8], at path: String) throws {
        let full = "\(folder)/\(path)"
        try makeFolder(String(full.prefix(upTo: full.lastIndex(of: "/") ?? full.endIndex)))
        try Posix.write(bytes, to: full)
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: full)
    }

    /// Makes a folder that a server may write in.
    public func makeFolder(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // Whoever the server runs as may write in it.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
    }

    /// What a file of it holds.
    public func bytes(at path: String) throws -> [UInt8] { try Posix.read("\(folder)/\(path)") }

    /// Whether it has such a file or folder.
    public func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(path)") }
}
