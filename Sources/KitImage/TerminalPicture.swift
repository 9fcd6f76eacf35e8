/// Draws two rows of modules in each line of text with Unicode's half blocks, as a terminal's character is
/// about twice as high as wide.
enum TerminalPicture {
    /// Black on white from the fixed part of the 256-colour palette: themes change colours 0 to 15, not these.
    private static let blackOnWhite = "\u{1B}[38;5;16;48;5;231m"
    private static let reset = "\u{1B}[0m"

    static func encode(_ symbol: Symbol, colors: Bool) -> [UInt8] {
        let margin = Symbol.quietZone
        let last = symbol.width + margin
        var text = ""
        for row in stride(from: -margin, to: last, by: 2) {
            let line = (-margin..<last).map { column in
                let top = symbol.isDark(column: column, row: row)
                let bottom = symbol.isDark(column: column, row: row + 1)
                return block(top: top == colors, bottom: bottom == colors)
            }.joined()
            text += colors ? blackOnWhite + line + reset + "\n" : line + "\n"
        }
        return Array(text.utf8)
    }

    /// The character whose halves are drawn in the foreground colour where asked.
    private static func block(top: Bool, bottom: Bool) -> String {
        switch (top, bottom) {
        case (true, true): "\u{2588}"
        case (true, false): "\u{2580}"
        case (false, true): "\u{2584}"
        case (false, false): " "
        }
    }
}
