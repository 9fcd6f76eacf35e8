/// Replaces comments and string literals by blanks: what is left is code, line for line.
struct Blanker {
    private let input: [Character]
    private var position = 0
    private var output = ""

    private init(_ text: String) { input = Array(text) }

    static func blank(_ text: String) -> String {
        var blanker = Blanker(text)
        blanker.code(until: nil)
        return blanker.output
    }

    private func starts(_ text: String) -> Bool { input[position...].starts(with: text) }

    private mutating func keep() {
        output.append(input[position])
        position += 1
    }

    private mutating func drop(_ count: Int = 1) {
        for _ in 0..<count where position < input.count {
            output.append(input[position].isNewline ? "\n" : " ")
            position += 1
        }
    }

    /// Reads code to the end, or to the parenthesis that closes an interpolation.
    private mutating func code(until end: Character?) {
        var depth = 0
        while position < input.count {
            if starts("//") {
                while position < input.count, !input[position].isNewline { drop() }
            } else if starts("/*") {
                comment()
            } else if let hashes = literalHashes() {
                literal(hashes)
            } else {
                if input[position] == "(" { depth += 1 }
                if input[position] == ")" { depth -= 1 }
                if end != nil, depth < 0 { return }
                keep()
            }
        }
    }

    private mutating func comment() {
        var depth = 0
        repeat {
            if starts("/*") { depth += 1 }
            if starts("*/") { depth -= 1 }
            drop(starts("/*") || starts("*/") ? 2 : 1)
        } while depth > 0 && position < input.count
    }

    /// How many `#` open the string literal that begins here; nil where none begins.
    private func literalHashes() -> Int? {
        let hashes = input[position...].prefix { $0 == "#" }.count
        let quote = position + hashes
        return quote < input.count && input[quote] == "\"" ? hashes : nil
    }

    private mutating func literal(_ hashes: Int) {
        let fence = String(repeating: "#", count: hashes)
        drop(hashes)
        let quotes = starts("\"\"\"") ? "\"\"\"" : "\""
        drop(quotes.count)
        while position < input.count, !starts(quotes + fence) {
            if starts("\\" + fence + "(") {
                drop(2 + hashes)
                code(until: ")")
                drop()
            } else if starts("\\" + fence) {
                drop(2 + hashes)
            } else {
                drop()
            }
        }
        drop(quotes.count + hashes)
    }
}
