internal import Sync

extension RemotePath {
    /// The folder an object stands in and its name there; nil for the top, which is no object.
    var parts: (folder: RemotePath, name: String)? {
        guard let name = components.last, let folder = RemotePath(Array(components.dropLast())) else { return nil }
        return (folder, name)
    }

    /// The same as ``parts``, for callers that were given an object.
    func objectParts() throws(RemoteError) -> (folder: RemotePath, name: String) {
        guard let parts else { throw .malformed("an object needs a name") }
        return parts
    }

    /// All folders from the first below the top down to this one.
    var chain: [RemotePath] {
        components.indices.compactMap { RemotePath(Array(components[...$0])) }
    }
}

extension RemoteItem {
    /// Whether a listed name can be one of ours. Syncthing's copies of a file that changed on two sides fit the grammar
    /// when their device id happens to be all digits; objects never change, so such a copy is nobody's.
    static func isOurs(_ name: String) -> Bool {
        RemotePath.isComponent(name) && !name.contains(".sync-conflict-")
    }

    /// More names than a folder of ours ever holds: beyond it, listing stops with an error.
    static let limit = 200_000
}
