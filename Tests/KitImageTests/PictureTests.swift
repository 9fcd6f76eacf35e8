import Foundation
import KitImage
import TestSupport
import Testing

/// Real readers read the pictures: zbar for the symbol, ImageMagick to turn and scale it.
@Suite struct PictureTests {
    /// A kit's alphabet (base32 after "COFFER1:"), at the sizes that kits have and up to the limits.
    static let counts = [1, 64, 420, 600, 1200, 2300, 3380]

    static func kit(count: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        return "COFFER1:" + String((0..<count).map { alphabet[($0 * $0 + 7 * $0) % 32] })
    }

    @Test(arguments: counts) func pngIsRead(count: Int) throws {
        let text = Self.kit(count: count)
        #expect(try read(Data(KitImage.png(Array(text.utf8)))) == text)
    }

    @Test(arguments: [90, 180, 270, 45]) func turnedPNGIsRead(degrees: Int) throws {
        let text = Self.kit(count: 480)
        let png = try convert(Data(KitImage.png(Array(text.utf8))), ["-rotate", "\(degrees)"])
        #expect(try read(png) == text)
    }

    @Test(arguments: [50, 200]) func scaledPNGIsRead(percent: Int) throws {
        let text = Self.kit(count: 480)
        let png = try convert(Data(KitImage.png(Array(text.utf8))), ["-resize", "\(percent)%"])
        #expect(try read(png) == text)
    }

    @Test func aStainIsCorrected() throws {
        let text = Self.kit(count: 480)
        let png = try convert(
            Data(KitImage.png(Array(text.utf8))), ["-fill", "white", "-draw", "circle 400,420 400,500"])
        #expect(try read(png) == text)
    }

    /// Lower case and punctuation need a larger symbol, nothing else.
    @Test func anyPrintableText() throws {
        let text = "coffer kit ~ {a-z} \"quoted\" \\ %"
        #expect(try read(Data(KitImage.png(Array(text.utf8), scale: 3))) == text)
    }

    private func convert(_ picture: Data, _ arguments: [String]) throws -> Data {
        let home = try TemporaryHome()
        try picture.write(to: URL(filePath: home.file("in.png")))
        try home.command("convert", ["in.png"] + arguments + ["out.png"]).run(expecting: 0)
        return try Data(contentsOf: URL(filePath: home.file("out.png")))
    }

    private func read(_ picture: Data) throws -> String {
        let home = try TemporaryHome()
        try picture.write(to: URL(filePath: home.file("kit.png")))
        let arguments = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "kit.png"]
        return try home.command("zbarimg", arguments).run(expecting: 0).text.trimmingCharacters(in: .newlines)
    }
}
