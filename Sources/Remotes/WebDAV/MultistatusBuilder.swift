/// Puts resources together from the elements of a multistatus: `response` with `href` and several `propstat`, each
/// with a `status` and the properties that it holds for (RFC 4918, 14.24, 14.22).
struct MultistatusBuilder {
    /// The text of the innermost element that is of use.
    var text: [UInt8] = []
    private(set) var isCollecting = false
    private var open: [String] = []
    private var entry = MultistatusParser.Entry()
    /// What the present `propstat` says, which counts only with its status.
    private var found = MultistatusParser.Entry()
    private var isFound = false

    private static let texts: Set<String> = [
        "DAV: href", "DAV: status", "DAV: getcontentlength", "DAV: getetag", "DAV: getlastmodified",
    ]

    var depth: Int { open.count }

    mutating func begin(_ name: String) {
        open.append(name)
        text = []
        isCollecting = Self.texts.contains(name)
        switch name {
        case "DAV: response": entry = MultistatusParser.Entry()
        case "DAV: propstat": (found, isFound) = (MultistatusParser.Entry(), false)
        case "DAV: collection" where open.dropLast().last == "DAV: resourcetype": found.isFolder = true
        default: break
        }
    }

    /// - Returns: a resource that is complete.
    mutating func end() -> MultistatusParser.Entry? {
        guard let name = open.popLast() else { return nil }
        let value = isCollecting ? String(decoding: text, as: UTF8.self).trimmingBlanks : ""
        isCollecting = false
        switch (name, open.last) {
        case ("DAV: href", "DAV: response"):
            if entry.href.isEmpty { entry.href = value }
        case ("DAV: status", "DAV: propstat"): isFound = Self.isOK(value)
        case ("DAV: getcontentlength", "DAV: prop"): found.size = Self.size(value)
        case ("DAV: getetag", "DAV: prop"): found.tag = value.isEmpty ? nil : value
        case ("DAV: getlastmodified", "DAV: prop"): found.modified = value.isEmpty ? nil : value
        case ("DAV: propstat", "DAV: response"): if isFound { take() }
        case ("DAV: response", "DAV: multistatus"): return entry
        default: break
        }
        return nil
    }

    private mutating func take() {
        entry.isFolder = entry.isFolder || found.isFolder
        entry.size = found.size ?? entry.size
        entry.tag = found.tag ?? entry.tag
        entry.modified = found.modified ?? entry.modified
    }

    /// A status line: `HTTP/1.1 200 OK`.
    private static func isOK(_ line: String) -> Bool { line.split(separator: " ").dropFirst().first == "200" }

    private static func size(_ text: String) -> UInt64? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt64(text) : nil
    }
}

extension String {
    /// Without the blanks and line ends around it.
    var trimmingBlanks: String {
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        var bytes = utf8[...]
        while let first = bytes.first, blanks.contains(first) { bytes.removeFirst() }
        while let last = bytes.last, blanks.contains(last) { bytes.removeLast() }
        return String(Substring(bytes))
    }
}
