extension GreyPicture {
    /// A page, black on white.
    init(_ layout: PageLayout, _ symbol: Symbol) throws(KitImageError) {
        try self.init(width: PageLayout.width, height: layout.height)
        for mark in layout.marks {
            switch mark {
            case .text(let text, let x, let y, let scale): draw(text, x: x, y: y, scale: scale)
            case .rule(let x, let y, let width): fill(x: x, y: y, width: width, height: 2)
            case .symbol(let x, let y, let module): draw(symbol, x: x, y: y, module: module)
            }
        }
    }

    private mutating func draw(_ text: String, x: Int, y: Int, scale: Int) {
        for (place, character) in text.enumerated() {
            let left = x + place * PageFont.advance * scale
            for row in 0..<PageFont.height {
                for column in 0..<PageFont.width
                where PageFont.isDark(character, column: column, row: row) {
                    fill(x: left + column * scale, y: y + row * scale, width: scale, height: scale)
                }
            }
        }
    }

    private mutating func draw(_ symbol: Symbol, x: Int, y: Int, module: Int) {
        for row in 0..<symbol.width {
            for column in 0..<symbol.width where symbol.isDark(column: column, row: row) {
                fill(x: x + column * module, y: y + row * module, width: module, height: module)
            }
        }
    }

    /// Makes a rectangle black, as far as it is inside of the picture.
    private mutating func fill(x: Int, y: Int, width: Int, height: Int) {
        let columns = max(0, x)..<max(0, x, min(self.width, x + width))
        let rows = max(0, y)..<max(0, y, min(self.height, y + height))
        let line = self.width
        unsafe withMutablePixels { pixels in
            for row in rows {
                for column in columns { unsafe pixels[row * line + column] = 0 }
            }
        }
    }
}
