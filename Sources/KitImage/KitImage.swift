/// Pictures of a kit: its text as a QR symbol, as PNG or characters for a terminal, and read back from a photograph.
///
/// A kit's text holds the account key only wrapped by the master password (see Sealing's `Kit`), so it may
/// live in ordinary arrays. This module knows pixels and nothing of keys: libqrencode places the modules, zbar finds
/// them, libpng and libjpeg-turbo pack and unpack pictures. A ``KitPage`` has the symbol on a sheet of paper that says
/// what it is.
///
/// Terms are those of ISO/IEC 18004: a *module* is one dark or light square, a *symbol* is all of them, the
/// *quiet zone* is the light margin of four modules without which readers do not find the symbol.
public enum KitImage {
    /// The longest text that is taken: more than the largest symbol holds in any mode at level M.
    public static let maximumTextSize = 4096

    /// A PNG picture, black on white.
    ///
    /// - Parameters:
    ///   - text: the kit's text, printed ASCII; upper case, digits and `:` only give the smallest symbol.
    ///   - scale: pixels along a module's edge, 1 to 32.
    /// - Throws: ``KitImageError`` when the text is empty, is no printed ASCII, or does not fit any symbol.
    public static func png(_ text: [UInt8], scale: Int = 8) throws(KitImageError) -> [UInt8] {
        guard (1...32).contains(scale) else { throw .invalidScale(scale) }
        let symbol = try Symbol(encoding: text)
        return try PNG.encode(GreyPicture(symbol, scale: scale))
    }

    /// Lines of half-block characters, UTF-8, each ended by a line feed.
    ///
    /// - Parameters:
    ///   - text: as for ``png(_:scale:)``.
    ///   - colors: sets black and white explicitly, so that the picture is the same on a dark and on a light
    ///     background. Without them (`NO_COLOR`, see no-color.org) the light modules are drawn in the text's
    ///     colour, which is right on a dark background; on a light one the picture is inverted, and most
    ///     readers take that too.
    /// - Throws: as ``png(_:scale:)``.
    public static func terminal(_ text: [UInt8], colors: Bool) throws(KitImageError) -> [UInt8] {
        TerminalPicture.encode(try Symbol(encoding: text), colors: colors)
    }
}

/// Why there is no picture of a text, or no kit in a file.
public enum KitImageError: Error, Equatable {
    /// There is nothing to show.
    case emptyText
    /// The byte at this offset is no printed ASCII character (0x20 to 0x7E).
    case unprintable(offset: Int)
    /// The text does not fit the largest symbol at error correction level M.
    case tooLong(count: Int)
    /// The scale is not between 1 and 32.
    case invalidScale(Int)
    /// There was no memory.
    case outOfMemory
    /// The file has more bytes than are read.
    case fileTooLarge(limit: Int)
    /// The file is no PNG, no JPEG and no text.
    case unknownFormat
    /// The picture cannot be unpacked.
    case damagedPicture
    /// The picture says that it has more pixels than are unpacked.
    case tooManyPixels(width: Int, height: Int)
    /// Nothing that was found in the picture is a whole kit.
    case noKitInPicture
    /// The text is no whole kit.
    case noKitInText
}
