import Foundation
import KitImage
import TestSupport
import Testing

/// A kit is read back from what people have of it. ImageMagick takes the photographs.
@Suite struct ReadingTests {
    static let text = Array(PictureTests.kit(count: 394).utf8)

    /// A name, what ImageMagick does to the picture of the kit, and the file's ending.
    struct Photograph: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let arguments: [String]
        var ending = "png"

        init(_ name: String, _ arguments: String, _ ending: String = "png") {
            (testDescription, self.arguments, self.ending) = (
                name, arguments.split(separator: " ").map(String.init), ending
            )
        }
    }

    private static let border = "-bordercolor white -border 60"
    /// What a pinhole camera about two sheets away sees of a sheet that is leaned back: where each corner is.
    private static let leaned: [Photograph] = [
        ("22 degrees", "0,0,735,1865,800,0,278,836,800,800,1220,280,0,800,1885,1200"),
        ("30 degrees", "0,0,1694,1539,800,0,405,1669,800,800,361,503,0,800,1421,525"),
        ("34 degrees", "0,0,652,206,800,0,1525,745,800,800,1332,1759,0,800,195,1389"),
    ].map { name, corners in
        Photograph(
            "leaned back by \(name)",
            "\(border) -virtual-pixel background -background #654 -define distort:viewport=2000x2000+0+0 "
                + "-distort Perspective \(corners) -blur 0x1.5 -seed 3 -attenuate 0.7 +noise Gaussian -quality 60",
            "jpg")
    }

    static let photographs: [Photograph] =
        [
            Photograph("as it is", "-depth 8"),
            Photograph("JPEG", "-quality 90", "jpg"),
            Photograph("JPEG of quality 40", "-quality 40", "jpg"),
            Photograph("progressive JPEG", "-interlace JPEG -quality 60", "jpg"),
            Photograph("interlaced PNG of 16 bits", "-depth 16 -interlace PNG -colorspace sRGB -type TrueColorMatte"),
            Photograph("turned by 7 degrees on a table", "\(border) -background #556 -rotate 7"),
            Photograph("turned by 33 degrees", "-background white -rotate 33"),
            Photograph("turned by 90 degrees", "-rotate 90"),
            Photograph("turned by 180 degrees", "-rotate 180", "jpg"),
            Photograph("half as large", "-resize 50%"),
            Photograph("a quarter as large", "-resize 25%"),
            Photograph("three times as large", "-resize 300%"),
            Photograph("five times as large, with noise", "-resize 500% -seed 3 -attenuate 2 +noise Gaussian", "jpg"),
            Photograph("out of focus", "-blur 0x4"),
            Photograph("with noise", "-colorspace Gray -seed 3 -attenuate 4 +noise Gaussian"),
            Photograph("inverted", "-negate"),
            Photograph("in a shadow", "\(border) ( -size 800x800 gradient:#fff-#333 ) -compose multiply -composite"),
            Photograph("on transparent ground", "-transparent white"),
            Photograph(
                "small, in the corner of a large picture",
                "-resize 700x700 -bordercolor white -border 60 ( -size 6000x4000 xc:#776 ) +swap -geometry +4700+2900 "
                    + "-composite -blur 0x2 -quality 40", "jpg"),
        ] + leaned

    /// The same of a page, on paper of A4: the code is a third of its width.
    static let photographsOfPages: [Photograph] =
        [
            Photograph("as it is", "-depth 8"),
            Photograph("JPEG of quality 40", "-quality 40", "jpg"),
            Photograph("upside down", "-rotate 180", "jpg"),
            Photograph("lying on its side", "-rotate 90 -quality 60", "jpg"),
            Photograph("turned by 7 degrees on a table", "\(border) -background #556 -rotate 7"),
            Photograph("turned by 33 degrees", "-background white -rotate 33"),
            Photograph("half as large", "-resize 50%"),
            Photograph("a third as large", "-resize 33%"),
            Photograph("twice as large, with noise", "-resize 200% -seed 3 -attenuate 2 +noise Gaussian", "jpg"),
            Photograph("out of focus", "-blur 0x4"),
            Photograph("with noise", "-colorspace Gray -seed 3 -attenuate 4 +noise Gaussian"),
            Photograph(
                "in a shadow", "( -size 1654x2339 gradient:#fff-#333 ) -compose multiply -composite -quality 60", "jpg"),
            Photograph("black on yellow", "-fill #ffe9a0 -opaque white -quality 70", "jpg"),
        ]
        + [22, 30].map { angle in
            Photograph(
                "leaned back by \(angle) degrees",
                "-virtual-pixel background -background #654 -distort Perspective \(corners(leanedBy: angle)) -blur 0x1 "
                    + "-quality 60", "jpg")
        }

    /// Where a pinhole camera two sheets away sees the corners of a page that is leaned back.
    private static func corners(leanedBy angle: Double) -> String {
        let (width, height, turn) = (1654.0, 2339.0, angle * .pi / 180)
        return [(0.0, 0.0), (1, 0), (0, 1), (1, 1)].map { corner in
            let (x, y) = ((corner.0 - 0.5) * width, (corner.1 - 0.5) * height)
            let scale = 0.85 * 2 * height / (2 * height - y * sin(turn))
            let seen = (width / 2 + x * scale, height / 2 + y * cos(turn) * scale)
            return [corner.0 * width, corner.1 * height, seen.0, seen.1].map { "\(Int($0))" }.joined(separator: ",")
        }.joined(separator: ",")
    }

    @Test(arguments: photographsOfPages) func photographOfAPageIsRead(_ photograph: Photograph) throws {
        let file = try Self.convert(PageTests.page(Self.text).png(), photograph.arguments, to: photograph.ending)
        #expect(try KitImage.read(file, where: Self.isKit) == Self.text)
    }

    @Test(arguments: photographs) func photographIsRead(_ photograph: Photograph) throws {
        let file = try Self.convert(KitImage.png(Self.text), photograph.arguments, to: photograph.ending)
        #expect(try KitImage.read(file, where: Self.isKit) == Self.text)
    }

    /// Other codes on the sheet, a longer one and one that looks like a kit, are passed over.
    @Test func theSymbolThatIsAKit() throws {
        let home = try TemporaryHome()
        for (index, text) in [Array("https://example.org".utf8), Array("COFFER1:AAAA".utf8), Self.text].enumerated() {
            try Data(KitImage.png(text)).write(to: URL(filePath: home.file("\(index).png")))
        }
        try home.command("convert", ["0.png", "1.png", "2.png", "-background", "white", "+append", "all.jpg"])
            .run(expecting: 0)
        let file = [UInt8](try Data(contentsOf: URL(filePath: home.file("all.jpg"))))
        #expect(try KitImage.read(file, where: Self.isKit) == Self.text)
    }

    @Test func textIsRead() throws {
        for text in [Self.text, Self.text + [0x0D, 0x0A]] {
            #expect(try KitImage.read(text) { $0.starts(with: Self.text) } == text)
        }
    }

    @Test func pictureWithoutAKit() throws {
        for text in ["https://example.org", "COFFER1:AAAA"] {
            let file = try KitImage.png(Array(text.utf8))
            #expect(throws: KitImageError.noKitInPicture) { try KitImage.read(file, where: Self.isKit) }
        }
        let noise = try Self.convert(KitImage.png(Self.text), ["-colorspace", "Gray", "+noise", "Random"], to: "png")
        #expect(throws: KitImageError.noKitInPicture) { try KitImage.read(noise, where: Self.isKit) }
    }

    static func isKit(_ text: [UInt8]) -> Bool { text == Self.text }

    static func convert(_ picture: [UInt8], _ arguments: [String], to ending: String) throws -> [UInt8] {
        let home = try TemporaryHome()
        try Data(picture).write(to: URL(filePath: home.file("in.png")))
        try home.command("convert", ["in.png"] + arguments + ["out.\(ending)"]).run(expecting: 0)
        return [UInt8](try Data(contentsOf: URL(filePath: home.file("out.\(ending)"))))
    }
}
