/// A kit as a page that says what it is: for whoever finds it in ten years, and has forgotten the program.
///
/// What it says is the caller's; this puts it on paper, with the kit as a symbol and as letters.
public struct KitPage: Sendable {
    /// Something that is known about the kit, and what that is called.
    public struct Fact: Sendable {
        let label: String
        let value: String

        public init(_ label: String, _ value: String) {
            (self.label, self.value) = (label, value)
        }
    }

    /// A heading with what stands below it.
    public struct Section: Sendable {
        let heading: String
        let paragraphs: [String]
        let isNumbered: Bool

        public init(_ heading: String, _ paragraphs: [String], isNumbered: Bool = false) {
            (self.heading, self.paragraphs, self.isNumbered) = (heading, paragraphs, isNumbered)
        }
    }

    public var title: String
    public var facts: [Fact]
    public var sections: [Section]
    /// Stands over the room to write on.
    public var notes: String
    /// Stands over the kit's letters.
    public var letters: String
    /// The kit's text.
    public var kit: [UInt8]

    public init(
        title: String, facts: [Fact], sections: [Section], notes: String, letters: String, kit: [UInt8]
    ) {
        (self.title, self.facts, self.sections) = (title, facts, sections)
        (self.notes, self.letters, self.kit) = (notes, letters, kit)
    }

    /// The same page in letters that can be drawn.
    private var drawn: KitPage {
        KitPage(
            title: PageText.drawn(title),
            facts: facts.map { Fact(PageText.drawn($0.label), PageText.drawn($0.value)) },
            sections: sections.map { section in
                Section(
                    PageText.drawn(section.heading), section.paragraphs.map(PageText.drawn),
                    isNumbered: section.isNumbered)
            }, notes: PageText.drawn(notes), letters: PageText.drawn(letters), kit: kit)
    }

    /// The lines above the kit.
    var lines: [String] {
        let widest = facts.map(\.label.count).max() ?? 0
        var lines = facts.flatMap { fact in
            let gap = String(repeating: " ", count: widest + 2 - fact.label.count)
            let indent = String(repeating: " ", count: widest + 2)
            return PageText.wrapped(fact.value, first: fact.label + gap, rest: indent)
        }
        for section in sections {
            lines += ["", section.heading.uppercased()]
            for (index, paragraph) in section.paragraphs.enumerated() {
                let number = section.isNumbered ? "\(index + 1). " : ""
                let indent = String(repeating: " ", count: number.count)
                lines += PageText.wrapped(paragraph, first: number, rest: indent)
            }
        }
        return lines
    }
}

extension KitPage {
    /// What the kit's letters stand between in a file of text: by these lines they are found in it.
    static let (beginning, end) = ("-----BEGIN COFFER KIT-----", "-----END COFFER KIT-----")

    /// A PNG picture of a sheet of A4 at 200 dots an inch, black on white; longer where the kit is.
    ///
    /// - Throws: ``KitImageError`` when the kit is empty, is no printed ASCII, or does not fit any symbol.
    public func png() throws(KitImageError) -> [UInt8] {
        let symbol = try Symbol(encoding: kit)
        return try PNG.encode(GreyPicture(PageLayout(drawn, symbol), symbol))
    }

    /// An SVG picture of the same sheet, UTF-8, with the viewer's letters; the kit's own are in it as a description, so
    /// that it is read back from the file as well as from paper.
    ///
    /// - Throws: as ``png()``.
    public func svg() throws(KitImageError) -> [UInt8] {
        let symbol = try Symbol(encoding: kit)
        return SVG.encode(PageLayout(self, symbol), symbol, self)
    }

    /// Lines of at most 72 characters, UTF-8, each ended by a line feed: printed as they are, and read back as a file.
    public func text() -> [UInt8] {
        let room = (0..<8).flatMap { _ in ["", String(repeating: "_", count: PageText.columns)] }
        let block = [KitPage.beginning] + PageText.grouped(kit) + [KitPage.end]
        return joined([title.uppercased(), ""] + lines + [""] + block + ["", notes] + room)
    }

    /// The same with the symbol in the letters' place, for a terminal: see ``KitImage/terminal(_:colors:)``.
    ///
    /// - Throws: as ``png()``.
    public func terminal(colors: Bool) throws(KitImageError) -> [UInt8] {
        joined([title.uppercased(), ""] + lines + [""]) + (try KitImage.terminal(kit, colors: colors))
    }

    private func joined(_ lines: [String]) -> [UInt8] { lines.flatMap { Array($0.utf8) + [0x0A] } }
}
