import CZbar

/// Finds QR symbols in a picture and reads their bytes; zbar does both.
@safe
struct SymbolReader: ~Copyable {
    private let scanner: OpaquePointer

    init() throws(KitImageError) {
        guard let scanner = unsafe zbar_image_scanner_create() else { throw .outOfMemory }
        unsafe self.scanner = scanner
        // It can tell all programs of the desktop what it reads.
        unsafe zbar_image_scanner_request_dbus(scanner, 0)
        // Only the code that a kit is in: what is not called cannot be attacked.
        unsafe zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0)
        unsafe zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1)
        // A terminal with dark characters on light ground shows the kit inverted.
        unsafe zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_TEST_INVERTED, 1)
    }

    deinit { unsafe zbar_image_scanner_destroy(scanner) }

    /// The text of each symbol that was found, none longer than ``KitImage/maximumTextSize``.
    borrowing func texts(in picture: borrowing GreyPicture) throws(KitImageError) -> [[UInt8]] {
        guard let image = unsafe zbar_image_create() else { throw .outOfMemory }
        defer { unsafe zbar_image_destroy(image) }
        return unsafe picture.withPixels { pixels in
            unsafe zbar_image_set_format(image, SymbolReader.grey)
            unsafe zbar_image_set_size(image, UInt32(picture.width), UInt32(picture.height))
            // Without a function to free them the pixels stay ours; they outlive the image's use of them.
            unsafe zbar_image_set_data(image, pixels, UInt(picture.count), nil)
            guard unsafe zbar_scan_image(scanner, image) > 0 else { return [] }
            return unsafe SymbolReader.texts(of: image)
        }
    }

    /// "Y800": grey of 8 bits, the only format that is scanned.
    private static let grey = UInt(0x3030_3859)

    private static func texts(of image: OpaquePointer) -> [[UInt8]] {
        var texts: [[UInt8]] = []
        var symbol = unsafe zbar_image_first_symbol(image)
        while let found = unsafe symbol {
            let count = unsafe Int(zbar_symbol_get_data_length(found))
            if count <= KitImage.maximumTextSize, let data = unsafe zbar_symbol_get_data(found) {
                texts.append(unsafe UnsafeBufferPointer(start: data, count: count).map { UInt8(bitPattern: $0) })
            }
            unsafe symbol = zbar_symbol_next(found)
        }
        return texts
    }
}
