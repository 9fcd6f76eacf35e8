/// Writes SVG 1.1: a white square, and the dark modules as one path of horizontal bars.
enum SVG {
    /// User units a module: a viewer that shows one unit as one pixel shows a symbol that readers find.
    private static let unit = 8

    static func encode(_ symbol: Symbol) -> [UInt8] {
        let edge = symbol.width + 2 * Symbol.quietZone
        let size = edge * unit
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(size)" height="\(size)" viewBox="0 0 \(edge) \(edge)">
            <title>Coffer kit</title>
            <rect width="\(edge)" height="\(edge)" fill="#fff"/>
            <path fill="#000" shape-rendering="crispEdges" d="\(path(symbol))"/>
            </svg>

            """
        return Array(text.utf8)
    }

    private static func path(_ symbol: Symbol) -> String {
        var path = ""
        for row in 0..<symbol.width {
            var column = 0
            while column < symbol.width {
                let start = column
                while symbol.isDark(column: column, row: row) { column += 1 }
                if column > start {
                    let (left, top) = (start + Symbol.quietZone, row + Symbol.quietZone)
                    path += "M\(left) \(top)h\(column - start)v1h\(start - column)z"
                }
                column += 1
            }
        }
        return path
    }
}
