import Foundation
import KitImage
import TestSupport
import Testing

@Suite struct TerminalTests {
    private static let text = PictureTests.kit(count: 480)

    /// The characters are turned back into pixels, as a terminal with black on white shows them.
    @Test func isReadWithColors() throws {
        let shown = String(decoding: try KitImage.terminal(Array(Self.text.utf8), colors: true), as: UTF8.self)
        let lines = try shown.split(separator: "\n").map { line in
            let start = try #require(line.range(of: "48;5;231m"))
            let end = try #require(line.range(of: "\u{1B}[0m"))
            return line[start.upperBound..<end.lowerBound]
        }
        #expect(try read(lines, drawn: 1) == Self.text)
    }

    /// Without colours the terminal's own are taken to be light on dark.
    @Test func isReadWithoutColors() throws {
        let shown = String(decoding: try KitImage.terminal(Array(Self.text.utf8), colors: false), as: UTF8.self)
        #expect(!shown.contains("\u{1B}"))
        #expect(try read(shown.split(separator: "\n"), drawn: 0) == Self.text)
    }

    @Test func everyLineIsEquallyWide() throws {
        let shown = String(decoding: try KitImage.terminal(Array(Self.text.utf8), colors: false), as: UTF8.self)
        #expect(Set(shown.split(separator: "\n").map(\.count)).count == 1)
        #expect(shown.hasSuffix("\n"))
    }

    /// Writes a plain PBM picture, in which 1 is black.
    private func read(_ lines: [Substring], drawn: Int) throws -> String {
        var rows: [[Int]] = []
        for line in lines {
            rows.append(line.map { "\u{2588}\u{2580}".contains($0) ? drawn : 1 - drawn })
            rows.append(line.map { "\u{2588}\u{2584}".contains($0) ? drawn : 1 - drawn })
        }
        let bits = rows.map { $0.map(String.init).joined(separator: " ") }.joined(separator: "\n")
        let home = try TemporaryHome()
        try home.write("P1\n\(rows[0].count) \(rows.count)\n\(bits)\n", to: "in.pbm")
        try home.command("convert", ["in.pbm", "-scale", "600%", "out.png"]).run(expecting: 0)
        let arguments = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "out.png"]
        return try home.command("zbarimg", arguments).run(expecting: 0).text.trimmingCharacters(in: .newlines)
    }
}
