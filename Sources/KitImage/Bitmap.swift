/// A square picture of one bit a pixel: 0 is black, 1 is white (as PNG's grey of depth 1 has it).
struct Bitmap {
    /// Pixels along an edge.
    let width: Int
    /// One row of pixels for each row of modules (quiet zone included), most significant bit leftmost, padded
    /// with white to whole bytes. Each is to be shown `scale` times.
    let rows: [[UInt8]]
    let scale: Int

    init(_ symbol: Symbol, scale: Int) {
        let margin = Symbol.quietZone
        self.scale = scale
        width = (symbol.width + 2 * margin) * scale
        rows = (-margin..<symbol.width + margin).map { row in
            var pixels = [UInt8](repeating: 0xFF, count: ((symbol.width + 2 * margin) * scale + 7) / 8)
            for column in 0..<symbol.width where symbol.isDark(column: column, row: row) {
                let left = (column + margin) * scale
                for pixel in left..<left + scale { pixels[pixel / 8] &= ~(0x80 >> UInt8(pixel % 8)) }
            }
            return pixels
        }
    }
}
