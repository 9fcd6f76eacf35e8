internal import Sync

/// What a listing's `href` names (RFC 4918, 14.7), seen from the resource that was asked for.
enum Href: Equatable {
    /// The resource itself.
    case itself
    /// Something directly in it.
    case child(String)
    /// Anything else, on this host or another.
    case elsewhere

    /// Only the path decides, component by component after decoding; nothing is ever fetched from an href. Scheme and
    /// port may differ, since servers behind a proxy do not know what they are called outside.
    ///
    /// - Parameter base: the components of what was asked for.
    init(_ text: String, host: String, base: [[UInt8]]) {
        self = Href.read(text, host: host, base: base) ?? .elsewhere
    }

    private static func read(_ text: String, host: String, base: [[UInt8]]) -> Href? {
        var path = Substring(text)
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x3F || $0 == 0x23 || $0 == 0x5C }) else { return nil }
        if let scheme = ["http://", "https://"].first(where: { text.lowercased().hasPrefix($0) }) {
            path = path.dropFirst(scheme.count)
            let authority = path.prefix { $0 != "/" }
            guard isHost(authority, host) else { return nil }
            path = path.dropFirst(authority.count)
            if path.isEmpty { path = "/" }
        } else if text.hasPrefix("//") || text.prefix(while: { $0 != "/" }).contains(":") {
            return nil
        }
        var components: [[UInt8]] = path.hasPrefix("/") ? [] : base
        for part in path.split(separator: "/") {
            guard let bytes = Percent.decode(part.utf8), WebAddress.isComponent(bytes) else { return nil }
            components.append(bytes)
        }
        if components == base { return .itself }
        guard components.count == base.count + 1, components.starts(with: base), let last = components.last,
            let name = String(validating: last, as: UTF8.self)
        else { return nil }
        return .child(name)
    }

    private static func isHost(_ authority: Substring, _ host: String) -> Bool {
        guard !authority.contains("@") else { return false }
        let lower = authority.lowercased()
        if lower == host { return true }
        guard lower.hasPrefix(host + ":") else { return false }
        return lower.dropFirst(host.count + 1).utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
