internal import Sync
internal import Synchronization

/// What a server knows about a path.
enum Found: Sendable, Equatable {
    case missing
    case folder
    /// nil where the server does not say the length.
    case file(UInt64?)
}

/// Listings and folders.
extension WebDAVRemote {
    private static let question = Array(
        """
        <?xml version="1.0" encoding="utf-8"?>
        <propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getetag/><getlastmodified/></prop></propfind>
        """.utf8)

    /// One try of a listing.
    func listing(_ folder: RemotePath) async throws(RemoteError) -> Step<[RemoteItem]> {
        let listing = Listing(host: address.host, base: address.components + folder.components.map { Array($0.utf8) })
        switch try await propfind(folder, isFolder: true, depth: 1, listing) {
        case .again(let sentence, let after): return .again(sentence, after: after)
        case .done(false): return .done([])
        case .done(true):
            guard let itself = listing.itself else { throw noAnswer(about: folder) }
            return .done(itself.isFolder ? listing.items : [])
        }
    }

    /// One look at what is at a path.
    func find(_ path: RemotePath, isFolder: Bool = false) async throws(RemoteError) -> Step<Found> {
        let listing = Listing(host: address.host, base: address.components + path.components.map { Array($0.utf8) })
        switch try await propfind(path, isFolder: isFolder, depth: 0, listing) {
        case .again(let sentence, let after): return .again(sentence, after: after)
        case .done(false): return .done(.missing)
        case .done(true):
            guard let itself = listing.itself else { throw noAnswer(about: path) }
            return .done(itself.isFolder ? .folder : .file(itself.size))
        }
    }

    private func noAnswer(about path: RemotePath) -> RemoteError {
        // An empty listing would mean that everything is gone; so what may be the answer of another folder is none.
        .malformed("\(address.url(of: path)): the server's listing is not of what was asked for")
    }

    /// - Returns: whether there is such a resource.
    private func propfind(
        _ path: RemotePath, isFolder: Bool, depth: Int, _ listing: Listing
    ) async throws(RemoteError) -> Step<Bool> {
        let url = isFolder ? address.url(ofFolder: path) : address.url(of: path)
        let headers = ["Depth: \(depth)", "Content-Type: application/xml; charset=utf-8"]
        let parser = MultistatusParser { listing.take($0) }
        let exchanged = try await exchange(
            "PROPFIND", url, headers: headers, body: Self.question, limit: .max, sink: parser)
        let response: Response
        switch exchanged {
        case .lost(let sentence): return .again(sentence)
        case .response(let answer): response = answer
        }
        switch response.status {
        case 207:
            guard parser.finish() else { throw .malformed("\(url): \(parser.refusal ?? "its listing is no XML")") }
            return .done(true)
        case 404, 410: return .done(false)
        // A folder that was asked for as an object, which the server knows only with its slash.
        case 300..<400 where !isFolder && response.leadsToFolder(path):
            throw .malformed("\(url) is a folder where an object belongs")
        default: return try judge(response, "PROPFIND", path)
        }
    }

    /// Makes a folder with those above it, unless it was seen before.
    func makeSure(of folder: RemotePath) async throws(RemoteError) {
        if known.withLock({ $0.contains(folder) }) { return }
        let found = try await retrying { () async throws(RemoteError) in
            try await self.find(folder, isFolder: true)
        }
        switch found {
        case .folder: break
        case .file: throw .malformed("\(address.url(of: folder)) is a file where a folder belongs")
        case .missing:
            if let parent = folder.parts?.folder {
                try await makeSure(of: parent)
            } else if !options.createsFolder {
                throw .unreachable("there is no collection at \(address.url)")
            }
            try await retrying { () async throws(RemoteError) in try await self.makeFolder(folder) }
        }
        known.withLock { _ = $0.insert(folder) }
    }

    func forget(_ folder: RemotePath) {
        known.withLock { known in
            for path in folder.chain { known.remove(path) }
        }
    }

    private func makeFolder(_ folder: RemotePath) async throws(RemoteError) -> Step<Void> {
        switch try await exchange("MKCOL", address.url(ofFolder: folder)) {
        case .lost(let sentence): return .again(sentence)
        case .response(let response):
            switch response.status {
            // 405 is what RFC 4918, 9.3.1 has for one that is there.
            case 200, 201, 204, 405: return .done(())
            case 404, 409:
                guard let parent = folder.parts?.folder else {
                    throw .unreachable("there is no collection above \(address.url)")
                }
                forget(parent)
                try await makeSure(of: parent)
                return .again("\(address.url(of: folder)): the server does not find its folder, which is there")
            default:
                // Somebody may have been faster, which Apache calls forbidden.
                if case .done(.folder) = try await find(folder, isFolder: true) { return .done(()) }
                return try judge(response, "MKCOL", folder)
            }
        }
    }
}
