/// Where everything on a page stands: in pixels of 1/200 inch, from the upper left corner.
struct PageLayout {
    enum Mark {
        /// - Parameter scale: pixels along the edge of one of ``PageFont``'s.
        case text(String, x: Int, y: Int, scale: Int)
        /// A line to write on.
        case rule(x: Int, y: Int, width: Int)
        /// The symbol without its quiet zone.
        case symbol(x: Int, y: Int, module: Int)
    }

    private(set) var marks: [Mark] = []
    private(set) var height = 0

    /// A4 is 1654 wide and 2339 high.
    static let (width, leastHeight) = (1654, 2339)
    /// White on each side of the lines; there is room for 72 characters between.
    private static let margin = (width - PageText.columns * PageFont.advance * scale) / 2
    private static let (scale, titleScale) = (3, 6)
    private static let line = PageFont.lineHeight * scale

    init(_ page: KitPage, _ symbol: Symbol) {
        height = PageLayout.margin
        marks.append(.text(page.title, x: PageLayout.margin, y: height, scale: PageLayout.titleScale))
        height += 2 * PageLayout.line
        add(page.lines)
        height += PageLayout.line
        add(symbol, beside: page.notes)
        height += PageLayout.line
        add(PageText.wrapped(page.letters) + PageText.grouped(page.kit))
        height = max(PageLayout.leastHeight, height + PageLayout.margin)
    }

    private mutating func add(_ lines: [String]) {
        for line in lines {
            if !line.isEmpty { marks.append(.text(line, x: PageLayout.margin, y: height, scale: PageLayout.scale)) }
            height += PageLayout.line
        }
    }

    /// The symbol is up to ten centimetres wide. Nine pixels a module at most, so that a line's height is enough for
    /// the quiet zone above and below.
    private mutating func add(_ symbol: Symbol, beside notes: String) {
        let module = max(1, min(9, 800 / (symbol.width + 2 * Symbol.quietZone)))
        let edge = module * symbol.width
        marks.append(.symbol(x: PageLayout.margin, y: height, module: module))
        let left = PageLayout.margin + edge + 2 * PageLayout.line
        let room = PageLayout.width - PageLayout.margin - left
        var y = height
        for line in PageText.wrapped(notes, columns: room / (PageFont.advance * PageLayout.scale)) {
            marks.append(.text(line, x: left, y: y, scale: PageLayout.scale))
            y += PageLayout.line
        }
        while y + 2 * PageLayout.line <= height + edge {
            y += 2 * PageLayout.line
            marks.append(.rule(x: left, y: y, width: room))
        }
        height += edge
    }
}
