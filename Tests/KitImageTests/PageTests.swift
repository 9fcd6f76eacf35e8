import Foundation
import KitImage
import TestSupport
import Testing

/// The page that a kit is printed on.
@Suite struct PageTests {
    /// With facts that are long, foreign, or look like markup.
    static func page(_ kit: [UInt8], address: String = "ann@example.org") -> KitPage {
        KitPage(
            title: "A kit",
            facts: [KitPage.Fact("Address", address), KitPage.Fact("Words", "hinul jahid ralaz dolum gusap juzoh")],
            sections: [
                KitPage.Section("What it is", ["First of all, " + String(repeating: "and so on ", count: 30)]),
                KitPage.Section("Steps", ["Do this.", "And then that."], isNumbered: true),
            ],
            notes: "Notes:", letters: "Letters:", kit: kit)
    }

    private func rendered(_ page: KitPage, _ arguments: [String], in home: TemporaryHome) throws -> [UInt8] {
        try Data(page.svg()).write(to: URL(filePath: home.file("kit.svg")))
        try home.command("rsvg-convert", arguments + ["--output", "kit.png", "kit.svg"]).run(expecting: 0)
        return [UInt8](try Data(contentsOf: URL(filePath: home.file("kit.png"))))
    }

    /// Kits of all lengths, up to the largest symbol, from each form.
    @Test(arguments: PictureTests.counts) func everyFormIsReadBack(count: Int) throws {
        let kit = Array(PictureTests.kit(count: count).utf8)
        let page = Self.page(kit)
        func isKit(_ text: [UInt8]) -> Bool { text.filter { $0 > 0x20 } == kit }
        let home = try TemporaryHome()
        for file in try [page.png(), page.svg(), page.text(), rendered(page, ["-w", "1654"], in: home)] {
            #expect(try KitImage.read(file, where: isKit).filter { $0 > 0x20 } == kit)
        }
    }

    /// zbar, by itself, from what a viewer shows of the drawing.
    @Test func svgIsReadByOthers() throws {
        let home = try TemporaryHome()
        _ = try rendered(Self.page(ReadingTests.text), [], in: home)
        let arguments = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "kit.png"]
        let found = try home.command("zbarimg", arguments).run(expecting: 0).text
        #expect(Array(found.trimmingCharacters(in: .newlines).utf8) == ReadingTests.text)
    }

    /// Letters that look alike are other pictures, so that an address can be told from one that is made to look like it;
    /// letters that are not drawn are written as numbers.
    @Test func lettersAreTold() throws {
        let letters = "O0QD1lIi|!5S8B2Z.,'`rnma\u{430}\u{E4}".map(String.init) + ["a\u{308}", "<U+00E4>"]
        let pictures = try letters.map { try Self.page(ReadingTests.text, address: $0).png() }
        #expect(Set(pictures).count == letters.count - 1, "one is written like the other's number")
    }

    @Test func textIsForPrinting() throws {
        let long = String(repeating: "long-", count: 50) + "@example.org"
        let text = String(decoding: Self.page(ReadingTests.text, address: long).text(), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.allSatisfy { $0.count <= 72 } && lines.last?.isEmpty == true)
        #expect(lines.first == "A KIT" && lines.contains("1. Do this.") && lines.contains("2. And then that."))
        #expect(lines.joined().filter { $0 != " " }.contains(long))
        #expect(lines.filter { $0.hasPrefix("____") }.count == 8)
    }

    /// No text gets out of its element, and what XML cannot have is not there.
    @Test func svgIsWellFormed() throws {
        let odd = "<b>&\"'\u{1}\u{FFFE}]]> \u{1F600} \u{E4}"
        let home = try TemporaryHome()
        try Data(Self.page(ReadingTests.text, address: odd).svg()).write(to: URL(filePath: home.file("kit.svg")))
        let script = """
            import xml.etree.ElementTree as tree
            print([e.text for e in tree.parse('kit.svg').iter() if e.text and e.text.startswith('Address')][0])
            """
        let found = try home.command("python3", ["-c", script]).run(expecting: 0).text
        #expect(found == "Address  <b>&\"'??]]> \u{1F600} \u{E4}\n")
    }

    @Test func terminalShowsThePageWithTheCode() throws {
        let shown = String(decoding: try Self.page(ReadingTests.text).terminal(colors: false), as: UTF8.self)
        #expect(shown.hasPrefix("A KIT\n") && shown.contains("1. Do this.") && shown.contains("\u{2588}"))
    }

    /// Attack 30: lines that look like the page's, without a kit, without an end, or with too much between them.
    @Test func attack30LinesWithoutAKit() throws {
        let (begin, end) = ("-----BEGIN COFFER KIT-----\n", "-----END COFFER KIT-----\n")
        let kit = String(decoding: ReadingTests.text, as: UTF8.self) + "\n"
        let refused = [
            begin, begin + kit, kit + end, end + kit + begin, begin + end, String(repeating: begin, count: 30_000),
            begin + String(repeating: " ", count: 20_000) + kit + end,
        ]
        for text in refused {
            #expect(throws: KitImageError.noKitInText) {
                try KitImage.read(Array(text.utf8)) { $0.filter { $0 > 0x20 } == ReadingTests.text }
            }
        }
        let second = begin + "another\n" + end + "between\n" + begin + kit + end
        let found = try KitImage.read(Array(second.utf8)) { $0.filter { $0 > 0x20 } == ReadingTests.text }
        #expect(found.filter { $0 > 0x20 } == ReadingTests.text)
    }
}
