internal import Glibc

/// A picture of one byte a pixel, 0 black to 255 white, without gaps between its rows.
///
/// What it shows may be a kit, so its memory is wiped before it is given back. It has one owner and is never grown.
@safe
struct GreyPicture: ~Copyable {
    let width: Int
    let height: Int
    private let pixels: UnsafeMutablePointer<UInt8>

    var count: Int { width * height }

    /// A white picture; the only place where memory for pixels is taken, so that the limit holds for every file.
    init(width: Int, height: Int) throws(KitImageError) {
        guard width > 0, height > 0 else { throw .damagedPicture }
        guard width <= KitImage.maximumPixelCount / height else {
            throw .tooManyPixels(width: width, height: height)
        }
        guard let memory = unsafe malloc(width * height) else { throw .outOfMemory }
        unsafe memset(memory, 0xFF, width * height)
        (self.width, self.height) = (width, height)
        unsafe pixels = memory.assumingMemoryBound(to: UInt8.self)
    }

    deinit {
        unsafe explicit_bzero(pixels, width * height)
        unsafe free(pixels)
    }

    /// The pixels, row by row, from the top left.
    borrowing func withPixels<R, E: Error>(_ body: (UnsafePointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try unsafe body(pixels)
    }

    /// The pixels, to be overwritten.
    mutating func withMutablePixels<R, E: Error>(_ body: (UnsafeMutablePointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try unsafe body(pixels)
    }
}

extension GreyPicture {
    /// A symbol with its quiet zone, black on white.
    ///
    /// - Parameter scale: pixels along a module's edge.
    init(_ symbol: Symbol, scale: Int) throws(KitImageError) {
        let edge = (symbol.width + 2 * Symbol.quietZone) * scale
        try self.init(width: edge, height: edge)
        unsafe withMutablePixels { pixels in
            for row in 0..<edge {
                for column in 0..<edge
                where symbol.isDark(column: column / scale - Symbol.quietZone, row: row / scale - Symbol.quietZone) {
                    unsafe pixels[row * edge + column] = 0
                }
            }
        }
    }
}
