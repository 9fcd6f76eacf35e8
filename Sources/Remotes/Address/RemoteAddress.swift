/// Where a remote is, as the user wrote it: a folder or a WebDAV collection. It never holds a password.
public enum RemoteAddress: Hashable, Sendable, CustomStringConvertible {
    /// The absolute path of a folder.
    case directory(String)
    case web(WebAddress)

    /// Reads `https://…`, `http://…`, `file:///…` or a path.
    ///
    /// - Parameter base: the folder that a relative path is relative to; nil refuses such paths.
    public init(_ text: String, relativeTo base: String? = nil) throws(RemoteAddressError) {
        guard !text.isEmpty else { throw .empty }
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw .controlCharacter }
        guard let scheme = RemoteAddress.scheme(of: text) else {
            self = .directory(try FolderAddress.path(text, relativeTo: base))
            return
        }
        switch scheme.lowercased() {
        case "http", "https": self = .web(try WebAddress(text))
        case "file": self = .directory(try FolderAddress.path(fileURL: text))
        default: throw .unknownScheme(scheme)
        }
    }

    /// The canonical form, which gives the same address when it is read again.
    public var description: String {
        switch self {
        case .directory(let path): FolderAddress.url(path)
        case .web(let address): address.description
        }
    }

    /// What stands before `://`, and before the `:` of the schemes we know; nil for a path.
    private static func scheme(of text: String) -> String? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let scheme = text[..<colon]
        let isWord = scheme.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E].contains(byte)
        }
        guard isWord, !scheme.isEmpty else { return nil }
        let isOurs = ["http", "https", "file"].contains(scheme.lowercased())
        return isOurs || text[colon...].hasPrefix("://") ? String(scheme) : nil
    }
}

/// Why a text is no address of a remote.
public enum RemoteAddressError: Error, Hashable, Sendable {
    case empty
    case controlCharacter
    /// Neither of `https`, `http` and `file`.
    case unknownScheme(String)
    /// A password in an address ends up in histories, logs and lists of processes.
    case hasPassword
    case hasQuery
    case hasFragment
    /// No host, or one with letters that DNS does not know; such names are written in ASCII (`xn--…`).
    case badHost
    case badPort
    /// A wrong percent-encoding, or `..` in the address of a collection.
    case badPath
    /// A relative path where nothing says what it is relative to.
    case relativePath
}
