import CPNG

/// PNG (ISO/IEC 15948) through libpng's simplified interface.
enum PNG {
    static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    static func encode(_ picture: borrowing GreyPicture) throws(KitImageError) -> [UInt8] {
        var description = unsafe png_image()
        unsafe description.version = png_uint_32(PNG_IMAGE_VERSION)
        unsafe description.format = png_uint_32(PNG_FORMAT_GRAY)
        unsafe description.width = png_uint_32(picture.width)
        unsafe description.height = png_uint_32(picture.height)
        // Stored blocks would need no more than this; the library refuses to write behind it.
        var size = picture.count + picture.count / 8 + 1024
        var file = [UInt8](repeating: 0, count: size)
        let isWritten = unsafe picture.withPixels { pixels in
            unsafe png_image_write_to_memory(&description, &file, &size, 0, pixels, 0, nil)
        }
        unsafe png_image_free(&description)
        guard isWritten != 0, size <= file.count else { throw .outOfMemory }
        return Array(file[..<size])
    }

    /// Any colours, depth and interlacing as grey, on white where it is transparent.
    static func decode(_ file: [UInt8]) throws(KitImageError) -> GreyPicture {
        let file = try essential(file)
        var description = unsafe png_image()
        unsafe description.version = png_uint_32(PNG_IMAGE_VERSION)
        defer { unsafe png_image_free(&description) }
        // It keeps the address of the bytes.
        return try unsafe file.span.withUnsafeBufferPointer { bytes throws(KitImageError) in
            guard unsafe png_image_begin_read_from_memory(&description, bytes.baseAddress, bytes.count) != 0 else {
                throw .damagedPicture
            }
            unsafe description.format = png_uint_32(PNG_FORMAT_GRAY)
            var picture = try unsafe GreyPicture(width: Int(description.width), height: Int(description.height))
            let isRead = unsafe picture.withMutablePixels { pixels in
                unsafe png_image_finish_read(&description, nil, pixels, 0, nil)
            }
            guard isRead != 0 else { throw .damagedPicture }
            return picture
        }
    }

    /// The same picture with the chunks only that its pixels need. libpng reads all the others too: a file of 7 MB with
    /// 900 compressed texts kept it busy for 37 s (measured).
    private static func essential(_ file: [UInt8]) throws(KitImageError) -> [UInt8] {
        let wanted: Set = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]
        var result = signature
        var rest = file[signature.count...]
        while rest.count >= 12 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard length <= rest.count - 12 else { throw .damagedPicture }
            let kind = String(decoding: rest.dropFirst(4).prefix(4), as: UTF8.self)
            if wanted.contains(kind) { result += rest.prefix(length + 12) }
            if kind == "IEND" { return result }
            rest = rest.dropFirst(length + 12)
        }
        throw .damagedPicture
    }
}
