import CQRencode
import Glibc

/// The modules of one QR symbol, without its quiet zone.
struct Symbol {
    /// Modules along an edge: 21 (version 1) to 177 (version 40).
    let width: Int
    private let dark: [Bool]

    /// The light margin that ISO/IEC 18004 (section 9.1) asks for, in modules.
    static let quietZone = 4

    /// Above this version modules on a printed sheet or a phone's screen become so small that fewer of them
    /// help a reader more than the stronger correction does.
    private static let largestComfortableVersion: Int32 = 20

    /// Places the modules. Correction level Q (a quarter of the symbol may be unreadable: a fold, a stain) while
    /// the symbol stays comfortable, else M.
    init(encoding text: [UInt8]) throws(KitImageError) {
        try Self.check(text)
        if let symbol = try Self.encode(text, QR_ECLEVEL_Q, upTo: Self.largestComfortableVersion) {
            self = symbol
        } else if let symbol = try Self.encode(text, QR_ECLEVEL_M, upTo: QRSPEC_VERSION_MAX) {
            self = symbol
        } else {
            throw .tooLong(count: text.count)
        }
    }

    private init(width: Int, dark: [Bool]) {
        self.width = width
        self.dark = dark
    }

    /// Whether the module is dark; everything outside of the symbol is light.
    func isDark(column: Int, row: Int) -> Bool {
        guard (0..<width).contains(column), (0..<width).contains(row) else { return false }
        return dark[row * width + column]
    }

    private static func check(_ text: [UInt8]) throws(KitImageError) {
        guard !text.isEmpty else { throw .emptyText }
        guard text.count <= KitImage.maximumTextSize else { throw .tooLong(count: text.count) }
        if let offset = text.firstIndex(where: { !(0x20...0x7E).contains($0) }) { throw .unprintable(offset: offset) }
    }

    /// Nil when the text needs a larger version. The library reads a C string and chooses the densest mode
    /// for each run of characters; "case sensitive" keeps it from changing any.
    private static func encode(
        _ text: [UInt8], _ level: QRecLevel, upTo version: Int32
    ) throws(KitImageError) -> Symbol? {
        let characters = (text + [0]).map { CChar(bitPattern: $0) }
        guard let code = unsafe QRcode_encodeString(characters, 0, level, QR_MODE_8, 1) else {
            // ERANGE: no version holds that much; see qrencode.h.
            guard errno == ERANGE else { throw .outOfMemory }
            return nil
        }
        defer { unsafe QRcode_free(code) }
        guard unsafe code.pointee.version <= version else { return nil }
        let width = unsafe Int(code.pointee.width)
        // Bit 0 of each byte is the colour; the other bits say what the module is for.
        let dark = (0..<width * width).map { unsafe code.pointee.data[$0] & 1 == 1 }
        return Symbol(width: width, dark: dark)
    }
}
