internal import Sync

/// The address of a WebDAV collection: `https://user@host:port/path/`.
public struct WebAddress: Hashable, Sendable, CustomStringConvertible {
    /// Whether it is `https`; else `http`.
    public let isSecure: Bool
    /// Who logs in; nil where the address does not say.
    public let user: String?
    /// In lower case; IPv6 in brackets.
    public let host: String
    /// nil for the scheme's own.
    public let port: Int?
    /// The decoded components of the collection's path.
    let components: [[UInt8]]

    /// Reads the address of a collection, with or without a slash at its end.
    public init(_ text: String) throws(RemoteAddressError) {
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw .controlCharacter }
        let scheme = text.prefix { $0 != ":" }
        var rest = text.dropFirst(scheme.count)
        guard ["http", "https"].contains(scheme.lowercased()) else { throw .unknownScheme(String(scheme)) }
        guard rest.hasPrefix("://") else { throw .badHost }
        if text.contains("?") { throw .hasQuery }
        if text.contains("#") { throw .hasFragment }
        isSecure = scheme.lowercased() == "https"
        rest = rest.dropFirst(3)
        let authority = rest.prefix { $0 != "/" }
        components = try WebAddress.components(rest.dropFirst(authority.count))
        var place = authority
        if let at = authority.lastIndex(of: "@") {
            user = try WebAddress.user(authority[..<at])
            place = authority[authority.index(after: at)...]
        } else {
            user = nil
        }
        (host, port) = try WebAddress.place(place, standard: isSecure ? 443 : 80)
    }

    private static func user(_ text: Substring) throws(RemoteAddressError) -> String? {
        if text.contains(":") { throw .hasPassword }
        guard let bytes = Percent.decode(text.utf8), let user = String(validating: bytes, as: UTF8.self),
            // Basic has no way to write a colon in a name (RFC 7617, 2).
            !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x3A })
        else { throw .badHost }
        return user.isEmpty ? nil : user
    }

    private static func place(
        _ text: Substring, standard: Int
    ) throws(RemoteAddressError) -> (host: String, port: Int?) {
        var host = text
        var port: Substring?
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        let lower = host.lowercased()
        let isLiteral = lower.hasPrefix("[") && lower.hasSuffix("]")
        let letters = Set((isLiteral ? "0123456789abcdef:." : "0123456789abcdefghijklmnopqrstuvwxyz-._").utf8)
        let name = isLiteral ? lower.dropFirst().dropLast() : lower[...]
        guard !name.isEmpty, name.utf8.count <= 253, name.utf8.allSatisfy(letters.contains),
            !isLiteral || name.contains(":"), !name.hasPrefix("-"), !name.hasPrefix(".")
        else { throw .badHost }
        guard let port, !port.isEmpty else { return (lower, nil) }
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(port), (1...65535).contains(number)
        else { throw .badPort }
        return (lower, number == standard ? nil : number)
    }

    private static func components(_ path: Substring) throws(RemoteAddressError) -> [[UInt8]] {
        var components: [[UInt8]] = []
        for part in path.split(separator: "/") {
            guard let bytes = Percent.decode(part.utf8), isComponent(bytes) else { throw .badPath }
            components.append(bytes)
        }
        return components
    }

    /// One decoded component that names something, and nothing above or beside it.
    static func isComponent(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && bytes != [0x2E] && bytes != [0x2E, 0x2E]
            && !bytes.contains { $0 < 0x20 || $0 == 0x7F || $0 == 0x2F || $0 == 0x5C }
    }

    /// The canonical form, with the user and never with a password.
    public var description: String { scheme + (user.map { Percent.encode($0.utf8) + "@" } ?? "") + tail }

    /// What requests and messages use: without the user.
    var url: String { scheme + tail }

    private var scheme: String { isSecure ? "https://" : "http://" }

    private var tail: String {
        host + (port.map { ":\($0)" } ?? "") + "/" + components.map { Percent.encode($0) + "/" }.joined()
    }

    /// Where an object stands.
    func url(of path: RemotePath) -> String { url + path.description }

    /// Where a folder stands; collections have a slash at their end (RFC 4918, 5.2).
    func url(ofFolder path: RemotePath) -> String { path.components.isEmpty ? url : url + path.description + "/" }

    /// Whether this machine talks only to itself. libcurl never asks a name server for `localhost`
    /// (<https://curl.se/docs/manpage.html>, since 7.77).
    var isLoopback: Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "localhost" || host == "[::1]"
            || (parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil })
    }
}
