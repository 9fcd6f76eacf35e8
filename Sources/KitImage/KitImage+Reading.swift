/// Reading a kit back: from a photograph, or from a file with its text.
///
/// What is read is anybody's. The limits are checked before memory is taken for what they bound, the libraries that
/// unpack pictures are Debian's, patched with the system, and what comes out is only a text: whether it is a kit,
/// and whose, is decided above.
extension KitImage {
    /// The largest file that is read, in bytes.
    public static let maximumFileSize = 32 << 20
    /// The most pixels that are unpacked, a byte each.
    public static let maximumPixelCount = 64 << 20
    /// The largest file that is taken for a text, in bytes; a page as SVG has about 100,000.
    static let maximumTextFileSize = 1 << 20

    /// The text of a kit.
    ///
    /// - Parameters:
    ///   - file: a PNG or JPEG picture in which the kit is one of the symbols, at any angle; the text itself; or a page
    ///     as text or SVG, with the kit between two lines of its own.
    ///   - isKit: whether a text is a whole kit; the first that is one is taken.
    /// - Throws: ``KitImageError``; only `noKitInPicture` and `noKitInText` come after everything was tried.
    public static func read(
        _ file: [UInt8], where isKit: (_ text: [UInt8]) -> Bool
    ) throws(KitImageError) -> [UInt8] {
        guard file.count <= maximumFileSize else { throw .fileTooLarge(limit: maximumFileSize) }
        if file.starts(with: PNG.signature) { return try find(in: try PNG.decode(file), isKit) }
        if file.starts(with: JPEG.signature) { return try find(in: try JPEG.decode(file), isKit) }
        guard isText(file) else { throw .unknownFormat }
        guard file.count <= maximumTextFileSize else { throw .noKitInText }
        if file.count <= 4 * maximumTextSize, isKit(file) { return file }
        guard let kit = blocks(in: file).first(where: isKit) else { throw .noKitInText }
        return kit
    }

    /// UTF-8 without control characters but blanks and line ends.
    private static func isText(_ file: [UInt8]) -> Bool {
        file.allSatisfy { $0 >= 0x20 && $0 != 0x7F || (0x09...0x0D).contains($0) }
            && String(validating: file, as: UTF8.self) != nil
    }

    /// What stands between the lines that a page has its kit between.
    private static func blocks(in file: [UInt8]) -> [[UInt8]] {
        String(decoding: file, as: UTF8.self).split(separator: KitPage.beginning).dropFirst().compactMap { rest in
            guard let end = rest.firstRange(of: KitPage.end) else { return nil }
            let block = Array(rest[..<end.lowerBound].utf8)
            return block.count <= 4 * maximumTextSize ? block : nil
        }
    }

    /// Looks at one view of the picture after the other, those first that cost little and find much.
    private static func find(
        in picture: consuming GreyPicture, _ isKit: ([UInt8]) -> Bool
    ) throws(KitImageError) -> [UInt8] {
        let reader = try SymbolReader()
        func kit(in view: consuming GreyPicture) throws(KitImageError) -> [UInt8]? {
            try reader.texts(in: view).first(where: isKit)
        }
        let sheet = try picture.reduced(to: 1600)
        if let kit = try reader.texts(in: sheet).first(where: isKit) { return kit }
        // A kit in a corner of a large picture, and one in a small picture.
        if picture.edge > 1600, let kit = try kit(in: picture.reduced(to: 4000)) { return kit }
        if picture.edge < 800, let kit = try kit(in: picture.enlarged()) { return kit }
        // Noise, and a shadow or a focus that missed.
        if picture.edge > 400, let kit = try kit(in: picture.reduced(to: max(400, min(800, picture.edge / 2)))) {
            return kit
        }
        for window in [24, 48, 96] { if let kit = try kit(in: sheet.sharpened(window: window)) { return kit } }
        // The code is a part of a page: what is out of focus there needs the pixels that there are.
        if picture.edge > 1600 {
            let page = try picture.reduced(to: 3000)
            for window in [24, 48] { if let kit = try kit(in: page.sharpened(window: window)) { return kit } }
        }
        for lean in leans { if let kit = try kit(in: sheet.leaned(lean)) { return kit } }
        throw .noKitInPicture
    }

    /// Eight directions, and two angles in each.
    private static let leans: [(x: Double, y: Double)] = {
        let directions: [(x: Double, y: Double)] = [
            (0, 1), (0, -1), (1, 0), (-1, 0), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7),
        ]
        return [0.12, 0.24].flatMap { much in directions.map { ($0.x * much, $0.y * much) } }
    }()
}
