internal import SystemPackage

/// The address of a folder, as a path and as a `file:` URL (RFC 8089).
enum FolderAddress {
    /// The absolute form of a path, without `.`, `..` and doubled slashes.
    static func path(_ text: String, relativeTo base: String?) throws(RemoteAddressError) -> String {
        let path = FilePath(text)
        if path.isAbsolute { return path.lexicallyNormalized().string }
        guard let base, FilePath(base).isAbsolute else { throw .relativePath }
        return FilePath(base).pushing(path).lexicallyNormalized().string
    }

    /// The path of a `file:` URL, whose host can only be this machine.
    static func path(fileURL text: String) throws(RemoteAddressError) -> String {
        var rest = text.dropFirst("file:".count)
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let host = rest.prefix { $0 != "/" }
            if host.contains("@") { throw .hasPassword }
            guard host.isEmpty || host.lowercased() == "localhost" else { throw .badHost }
            rest = rest.dropFirst(host.count)
        }
        if rest.contains("?") { throw .hasQuery }
        if rest.contains("#") { throw .hasFragment }
        guard rest.hasPrefix("/"), let bytes = Percent.decode(rest.utf8), !bytes.contains(where: { $0 < 0x20 }),
            let path = String(validating: bytes, as: UTF8.self)
        else { throw .badPath }
        return FilePath(path).lexicallyNormalized().string
    }

    static func url(_ path: String) -> String {
        "file://"
            + path.split(separator: "/", omittingEmptySubsequences: false).map { Percent.encode($0.utf8) }
            .joined(separator: "/")
    }
}
