/// Writes SVG 1.1: a page as a white sheet, its words as text, and the dark modules as one path of horizontal bars.
enum SVG {
    static func encode(_ layout: PageLayout, _ symbol: Symbol, _ page: KitPage) -> [UInt8] {
        let (width, height) = (PageLayout.width, layout.height)
        let kit = String(decoding: page.kit, as: UTF8.self)
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="210mm" height="\(height * 210 / width)mm" \
            viewBox="0 0 \(width) \(height)">
            <title>\(escaped(page.title))</title>
            <desc>
            \(KitPage.beginning)
            \(escaped(kit))
            \(KitPage.end)
            </desc>
            <rect width="\(width)" height="\(height)" fill="#fff"/>
            <g font-family="monospace" fill="#000" xml:space="preserve">
            \(layout.marks.map { element($0, symbol) }.joined(separator: "\n"))
            </g>
            </svg>

            """
        return Array(text.utf8)
    }

    private static func element(_ mark: PageLayout.Mark, _ symbol: Symbol) -> String {
        switch mark {
        case .text(let text, let x, let y, let scale):
            // The letters of most fonts of one width are 0.6 as wide as the font is high.
            let (size, base) = (PageFont.advance * scale * 5 / 3, y + 7 * scale)
            let length = text.count * PageFont.advance * scale
            return "<text x=\"\(x)\" y=\"\(base)\" font-size=\"\(size)\" textLength=\"\(length)\">"
                + escaped(text) + "</text>"
        case .rule(let x, let y, let width):
            return "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"2\"/>"
        case .symbol(let x, let y, let module):
            return "<path transform=\"translate(\(x) \(y)) scale(\(module))\" shape-rendering=\"crispEdges\" "
                + "d=\"\(path(symbol))\"/>"
        }
    }

    private static func path(_ symbol: Symbol) -> String {
        var path = ""
        for row in 0..<symbol.width {
            var column = 0
            while column < symbol.width {
                let start = column
                while symbol.isDark(column: column, row: row) { column += 1 }
                if column > start { path += "M\(start) \(row)h\(column - start)v1h\(start - column)z" }
                column += 1
            }
        }
        return path
    }

    /// Text as XML 1.0 takes it (2.2, 2.4); what no document may have in it is a question mark.
    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { escaped, scalar in
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\u{FFFE}", "\u{FFFF}": escaped += "?"
            case _ where scalar.properties.generalCategory == .control: escaped += "?"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }
}
