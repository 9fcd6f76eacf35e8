/// Words of a page in lines.
enum PageText {
    /// Characters in a line.
    static let columns = 72

    /// Lines of at most `columns` characters, broken at blanks, and inside of a word that is longer than a line.
    ///
    /// - Parameters:
    ///   - first: what stands before the first line.
    ///   - rest: what stands before the others; as long as `first`.
    static func wrapped(_ text: String, first: String = "", rest: String = "", columns: Int = columns) -> [String] {
        let width = max(1, columns - first.count)
        var lines: [Substring] = []
        var line: Substring = ""
        for word in text.split(separator: " ") {
            var word = word
            if !line.isEmpty, line.count + 1 + word.count <= width {
                line += " " + word
                continue
            }
            if !line.isEmpty { lines.append(line) }
            while word.count > width {
                lines.append(word.prefix(width))
                word = word.dropFirst(width)
            }
            line = word
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line) }
        return lines.enumerated().map { ($0.offset == 0 ? first : rest) + $0.element }
    }

    /// A kit's letters in groups of five, as people copy them, below what stands before them up to the colon.
    static func grouped(_ kit: [UInt8]) -> [String] {
        let first = kit.prefix((kit.firstIndex(of: UInt8(ascii: ":")) ?? -1) + 1)
        let groups = stride(from: first.count, to: kit.count, by: 5).map { start in
            String(decoding: kit[start..<min(start + 5, kit.count)], as: UTF8.self)
        }
        let perLine = (columns + 1) / 6
        let lines = stride(from: 0, to: groups.count, by: perLine).map { start in
            groups[start..<min(start + perLine, groups.count)].joined(separator: " ")
        }
        return (first.isEmpty ? [] : [String(decoding: first, as: UTF8.self)]) + lines
    }

    /// With what is no printed ASCII written as its code point: for letters that are drawn.
    static func drawn(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { drawn, scalar in
            if (0x20...0x7E).contains(scalar.value) {
                drawn.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                drawn += "<U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + ">"
            }
        }
    }
}
