public import Sync
internal import Synchronization

/// A remote that is a WebDAV collection (RFC 4918) on any server: Nextcloud, Apache, nginx, Caddy, rclone.
///
/// Servers differ in what they promise. Many write a body where it belongs while it comes, so that a broken upload
/// leaves a part of it, and many know no `If-None-Match`. So an object that is to be created is looked for first, and
/// one of another length is written anew. Only what is new by its name is sent at once: it costs one request.
public final class WebDAVRemote: Remote {
    let address: WebAddress
    let credential: WebDAVCredential
    let options: WebDAVOptions
    let transfers: Transfers
    /// Folders that were seen.
    let known = Mutex<Set<RemotePath>>([])
    /// The schemes that logins use: all we allow, until the server has said which ones it knows.
    let schemes: Mutex<Int>

    /// - Throws: ``RemoteError/unreachable(_:)`` where the address would send secrets in the clear.
    public init(
        _ address: WebAddress, credential: WebDAVCredential = .none, options: WebDAVOptions = WebDAVOptions()
    ) throws(RemoteError) {
        guard address.isSecure || address.isLoopback || options.allowsInsecureHTTP else {
            throw .unreachable("\(address.url) is not encrypted: give an address with https://")
        }
        let settings = TransferSettings(
            isSecure: address.isSecure, isLoopback: address.isLoopback,
            certificateAuthorities: options.certificateAuthorities, clientCertificate: options.clientCertificate,
            connectTimeout: max(1, options.connectTimeout), stallTimeout: max(1, options.stallTimeout),
            leastRate: max(1, options.leastRate),
            parallel: min(max(1, options.parallelTransfers), 64))
        guard let transfers = Transfers(settings) else { throw .unreachable("libcurl cannot be started") }
        self.address = address
        self.credential = credential
        self.options = options
        self.transfers = transfers
        schemes = Mutex(WebDAVRemote.allSchemes)
    }

    public func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] {
        try await makeSure(of: .top)
        return try await retrying { () async throws(RemoteError) in try await self.listing(folder) }
    }

    public func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        try await makeSure(of: .top)
        return try await inParallel(paths) { (path) async throws(RemoteError) in
            try await self.retrying { () async throws(RemoteError) in try await self.get(path, limit: limit) }
        }
    }

    public func create(_ objects: [RemoteObject]) async throws(RemoteError) {
        var seen: Set<RemotePath> = []
        let objects = objects.filter { seen.insert($0.path).inserted }
        for folder in try folders(of: objects) { try await makeSure(of: folder) }
        _ = try await inParallel(objects) { (object) async throws(RemoteError) in
            var isFirst = true
            try await self.retrying { () async throws(RemoteError) in
                defer { isFirst = false }
                // Where it is there after all the server says 412, and the next try looks at it; one that knows no condition
                // has written the same bytes over it.
                if isFirst, object.isNew { return try await self.put(object, onlyIfMissing: true) }
                return try await self.createOnce(object, confirms: !isFirst)
            }
        }
    }

    public func replace(_ hint: RemoteObject) async throws(RemoteError) {
        let (folder, _) = try hint.path.objectParts()
        try await makeSure(of: folder)
        try await retrying { () async throws(RemoteError) in try await self.put(hint, onlyIfMissing: false) }
    }

    public func remove(_ paths: [RemotePath]) async throws(RemoteError) {
        for path in paths { _ = try path.objectParts() }
        try await makeSure(of: .top)
        _ = try await inParallel(paths) { (path) async throws(RemoteError) in
            try await self.retrying { () async throws(RemoteError) in try await self.delete(path) }
        }
    }

    private func folders(of objects: [RemoteObject]) throws(RemoteError) -> [RemotePath] {
        var folders: Set<RemotePath> = [.top]
        for object in objects { folders.insert(try object.path.objectParts().folder) }
        return folders.sorted()
    }
}
