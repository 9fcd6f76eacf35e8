/// The functions of a file with their lengths.
struct Function {
    let name: String
    /// The line of its declaration, from 1.
    let line: Int
    /// From the declaration to the closing brace.
    let lines: Int

    /// Finds every `func`, `init`, `deinit` and `subscript` that has a body, in code without comments and strings.
    static func all(in code: String) -> [Function] {
        let characters = Array(code)
        let declaration = #/\b(func\s+[^\s(<]+|(?:init|subscript)[?]?\s*[(<]|deinit\s*\{)/#
        return code.matches(of: declaration).compactMap { match in
            let start = code.distance(from: code.startIndex, to: match.range.lowerBound)
            guard !isCall(characters, start), let open = body(characters, after: start),
                let close = closing(characters, open)
            else { return nil }
            return Function(
                name: String(match.1.prefix { !"(<{".contains($0) }),
                line: newlines(characters[..<start]) + 1, lines: newlines(characters[start..<close]) + 1)
        }
    }

    private static func newlines(_ characters: ArraySlice<Character>) -> Int { characters.count { $0.isNewline } }

    /// `self.init(` and `.init(` call, they do not declare.
    private static func isCall(_ characters: [Character], _ start: Int) -> Bool {
        start > 0 && characters[start - 1] == "."
    }

    /// The brace that opens the body; nil for a requirement of a protocol.
    private static func body(_ characters: [Character], after start: Int) -> Int? {
        var depth = 0
        var word = ""
        var words = 0
        for index in start..<characters.count {
            let character = characters[index]
            if character.isLetter || character.isNumber {
                word.append(character)
                continue
            }
            if depth == 0, ["func", "init", "subscript", "var", "let", "case", "deinit"].contains(word) {
                words += 1
                if words > 1 { return nil }
            }
            word = ""
            if "([".contains(character) { depth += 1 }
            if ")]".contains(character) { depth -= 1 }
            if depth == 0, character == "{" { return index }
            if depth < 0 || (depth == 0 && character == "}") { return nil }
        }
        return nil
    }

    private static func closing(_ characters: [Character], _ open: Int) -> Int? {
        var depth = 0
        for index in open..<characters.count {
            if characters[index] == "{" { depth += 1 }
            if characters[index] == "}" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }
}
