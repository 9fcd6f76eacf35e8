internal import Glibc

/// Other views of the same picture, in which a reader may find what it did not find in the picture itself. None is
/// larger than the picture, but for ``enlarged()``.
extension GreyPicture {
    /// The longer edge, in pixels.
    var edge: Int { max(width, height) }

    /// Reduced by a whole number so that its longer edge has no more than `limit` pixels; each pixel is the mean of
    /// those that it stands for, which takes noise away.
    borrowing func reduced(to limit: Int) throws(KitImageError) -> GreyPicture {
        let factor = (edge + limit - 1) / limit
        var result = try GreyPicture(width: max(1, width / factor), height: max(1, height / factor))
        let (width, columns, rows) = (width, result.width, result.height)
        let (high, wide) = (min(factor, height), min(factor, width))
        unsafe withPixels { source in
            unsafe result.withMutablePixels { target in
                for row in 0..<rows {
                    for column in 0..<columns {
                        var sum = 0
                        for y in row * factor..<row * factor + high {
                            let line = unsafe source + (y * width + column * factor)
                            for x in 0..<wide { sum &+= unsafe Int(line[x]) }
                        }
                        unsafe target[row * columns + column] = UInt8(truncatingIfNeeded: sum / (high * wide))
                    }
                }
            }
        }
        return result
    }

    /// Twice as wide and high: modules of two pixels become large enough.
    borrowing func enlarged() throws(KitImageError) -> GreyPicture {
        try projected(width: width * 2, height: height * 2, lean: (0, 0))
    }

    /// As it would look with the sheet leaned back the other way: an upright view of a sheet that was photographed at
    /// that angle. zbar follows a slant, but only little of a perspective (measured: edges of a symbol of version 15
    /// whose lengths differ by 12 %).
    ///
    /// - Parameter lean: how much nearer, in the direction of the vector, points at half the longer edge are shown.
    borrowing func leaned(_ lean: (x: Double, y: Double)) throws(KitImageError) -> GreyPicture {
        try projected(width: width, height: height, lean: lean)
    }

    /// Each pixel of the result is looked up where the projection has it from, between its four neighbours; what is
    /// outside is white.
    private borrowing func projected(
        width newWidth: Int, height newHeight: Int, lean: (x: Double, y: Double)
    ) throws(KitImageError) -> GreyPicture {
        var result = try GreyPicture(width: newWidth, height: newHeight)
        let (oldWidth, oldHeight) = (width, height)
        let half = Double(max(newWidth, newHeight)) / 2
        let scale = Double(edge) / Double(max(newWidth, newHeight))
        let (middleX, middleY) = (Double(oldWidth) / 2, Double(oldHeight) / 2)
        unsafe withPixels { source in
            unsafe result.withMutablePixels { target in
                for row in 0..<newHeight {
                    let y = Double(row) + 0.5 - Double(newHeight) / 2
                    for column in 0..<newWidth {
                        let x = Double(column) + 0.5 - Double(newWidth) / 2
                        let depth = scale / (1 + (x * lean.x + y * lean.y) / half)
                        let (fromX, fromY) = (middleX + x * depth - 0.5, middleY + y * depth - 0.5)
                        guard fromX >= 0, fromY >= 0, fromX < Double(oldWidth - 1), fromY < Double(oldHeight - 1)
                        else { continue }
                        unsafe target[row * newWidth + column] = GreyPicture.between(source, oldWidth, fromX, fromY)
                    }
                }
            }
        }
        return result
    }

    /// The value at a point between four pixels; all four are inside.
    @inline(__always)
    private static func between(_ pixels: UnsafePointer<UInt8>, _ width: Int, _ x: Double, _ y: Double) -> UInt8 {
        let (left, top) = (Int(x), Int(y))
        let (right, down) = (Int((x - Double(left)) * 256), Int((y - Double(top)) * 256))
        let corner = unsafe pixels + (top * width + left)
        let upper = unsafe Int(corner[0]) &* (256 &- right) &+ Int(corner[1]) &* right
        let lower = unsafe Int(corner[width]) &* (256 &- right) &+ Int(corner[width &+ 1]) &* right
        return UInt8(truncatingIfNeeded: (upper &* (256 &- down) &+ lower &* down) >> 16)
    }

    /// Black where a pixel is darker than the mean of the square of `window` pixels around it, else white: makes edges
    /// of what is out of focus, and takes shadows away.
    borrowing func sharpened(window: Int) throws(KitImageError) -> GreyPicture {
        var result = try GreyPicture(width: width, height: height)
        let (width, height, reach) = (width, height, window / 2)
        var columns = [Int](repeating: 0, count: width)  // the sum of each column within reach of the row
        unsafe withPixels { source in
            unsafe result.withMutablePixels { target in
                for row in -reach..<height {
                    if row + reach < height {
                        for x in 0..<width { columns[x] &+= unsafe Int(source[(row + reach) * width + x]) }
                    }
                    if row - reach > 0 {
                        for x in 0..<width { columns[x] &-= unsafe Int(source[(row - reach - 1) * width + x]) }
                    }
                    guard row >= 0 else { continue }
                    let high = min(height - 1, row + reach) - max(0, row - reach) + 1
                    var sum = columns[..<min(width, reach)].reduce(0, +)
                    for x in 0..<width {
                        if x + reach < width { sum &+= columns[x + reach] }
                        if x - reach > 0 { sum &-= columns[x - reach - 1] }
                        let wide = min(width - 1, x + reach) - max(0, x - reach) + 1
                        let isDark = unsafe Int(source[row * width + x]) &* (high &* wide) < sum
                        unsafe target[row * width + x] = isDark ? 0 : 255
                    }
                }
            }
        }
        return result
    }
}
