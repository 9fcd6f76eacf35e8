internal import Sync

/// Objects, each call one try.
extension WebDAVRemote {
    func get(_ path: RemotePath, limit: Int) async throws(RemoteError) -> Step<RemoteBytes> {
        _ = try path.objectParts()
        let url = address.url(of: path)
        let response: Response
        switch try await exchange("GET", url, limit: max(0, limit)) {
        case .lost(let sentence): return .again(sentence)
        case .response(let answer): response = answer
        }
        switch response.status {
        case 200 where !["", "identity"].contains(response.fields["content-encoding", default: ""].lowercased()):
            // We asked for none (RFC 9110, 12.5.3), and unpack nothing that others packed.
            throw .malformed("\(url): the server sends it packed")
        case 200: return .done(response.isTooLong ? .tooLong : .bytes(response.body))
        case 404, 410: return .done(.missing)
        // A folder: servers know no GET for it, or lead to the address with a slash.
        case 405: return .done(.missing)
        case 300..<400 where response.leadsToFolder(path): return .done(.missing)
        default: return try judge(response, "GET", path)
        }
    }

    /// Looks for an object and writes it where it is missing or torn.
    ///
    /// - Parameter confirms: looks again after it was written: an earlier try whose connection broke may still be under
    ///   way on a server that writes what has come of it, over what came since.
    func createOnce(_ object: RemoteObject, confirms: Bool) async throws(RemoteError) -> Step<Void> {
        let step = try await write(object)
        guard confirms, case .done(true) = step else { return step.map { _ in } }
        switch try await find(object.path) {
        case .done(.file(let size)) where size == nil || size == UInt64(object.bytes.count): return .done(())
        case .done: return .again("\(address.url(of: object.path)): what was written is not there whole")
        case .again(let sentence, let after): return .again(sentence, after: after)
        }
    }

    /// - Returns: whether it had to be written.
    private func write(_ object: RemoteObject) async throws(RemoteError) -> Step<Bool> {
        switch try await find(object.path) {
        case .again(let sentence, let after): return .again(sentence, after: after)
        case .done(.missing): return try await put(object, onlyIfMissing: true).map { true }
        case .done(.folder):
            throw .malformed("\(address.url(of: object.path)) is a folder where an object belongs")
        case .done(.file(let size)):
            let isWhole = size == nil || size == UInt64(object.bytes.count)
            return isWhole ? .done(false) : try await put(object, onlyIfMissing: false).map { true }
        }
    }

    func put(_ object: RemoteObject, onlyIfMissing: Bool) async throws(RemoteError) -> Step<Void> {
        let url = address.url(of: object.path)
        var headers = ["Content-Type: application/octet-stream"]
        if onlyIfMissing { headers.append("If-None-Match: *") }
        let response: Response
        switch try await exchange("PUT", url, headers: headers, body: object.bytes) {
        case .lost(let sentence): return .again(sentence)
        case .response(let answer): response = answer
        }
        let (folder, _) = try object.path.objectParts()
        switch response.status {
        case 200, 201, 204: return .done(())
        case 412 where onlyIfMissing:
            // Somebody was faster, or our own last try was, whose answer did not come: what is there is looked at.
            return .again("\(url): the server says that it is there, and that it is not", after: .zero)
        case 404, 409:
            // The folder is gone (RFC 4918, 9.7.1; others say 404).
            forget(folder)
            try await makeSure(of: folder)
            return .again("\(url): the server does not find its folder, which is there")
        case 413: throw .malformed("\(url): \(object.bytes.count) bytes are too many for the server")
        default: return try judge(response, "PUT", object.path)
        }
    }

    func delete(_ path: RemotePath) async throws(RemoteError) -> Step<Void> {
        switch try await exchange("DELETE", address.url(of: path)) {
        case .lost(let sentence): return .again(sentence)
        case .response(let response) where [200, 202, 204, 404, 410].contains(response.status): return .done(())
        case .response(let response): return try judge(response, "DELETE", path)
        }
    }
}
