/// Names as one can give them to a shell again, in the way of `ls --quoting-style=shell-escape` of the GNU coreutils: as
/// they are where that is safe, else in quotes, and what cannot be shown as an escape in `$'…'`: `'a'$'\377'`.
enum ShellQuoting {
    static func quoted(_ name: [UInt8]) -> String {
        let text = String(validating: name, as: UTF8.self)
        if let text, !text.isEmpty, text.unicodeScalars.allSatisfy(isSafe) { return text }
        var result = "'"
        var isEscaped = false
        for scalar in RawArguments.text(of: name).unicodeScalars {
            let escape = escape(scalar)
            if (escape != nil) != isEscaped { result += isEscaped ? "''" : "'$'" }
            isEscaped = escape != nil
            result += escape ?? (scalar == "'" ? "'\\''" : String(scalar))
        }
        return result + "'"
    }

    /// What a shell takes as it is, wherever it stands.
    private static func isSafe(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.isASCII else { return escape(scalar) == nil && !scalar.properties.isWhitespace }
        return scalar.properties.isAlphabetic || "0123456789_-+./,:@%".unicodeScalars.contains(scalar)
    }

    /// Its bytes as escapes, where it must not be shown.
    private static func escape(_ scalar: Unicode.Scalar) -> String? {
        let isText = RawArguments.isText(String(scalar))
        guard !isText || !Console.isShown(scalar) else { return nil }
        switch scalar {
        case "\n": return "\\n"
        case "\t": return "\\t"
        case "\r": return "\\r"
        default:
            return RawArguments.bytes(of: String(scalar)).map { byte in
                "\\" + [byte >> 6, byte >> 3 & 7, byte & 7].map { String($0) }.joined()
            }.joined()
        }
    }
}
