import CTurboJPEG

/// JPEG (ISO/IEC 10918-1) through libjpeg-turbo.
enum JPEG {
    static let signature: [UInt8] = [0xFF, 0xD8, 0xFF]

    /// Passes over the pixels that a progressive file may ask for. Cameras and converters write about ten; a pass may
    /// take five bytes of the file, and unpacking 480 of them at 2000 x 2000 took 2.5 s (measured).
    private static let maximumScanCount = 64

    /// Only the brightness is unpacked. What a file that was cut off still shows is enough: the kit has a checksum.
    static func decode(_ file: [UInt8]) throws(KitImageError) -> GreyPicture {
        guard scanCount(file) <= maximumScanCount else { throw .damagedPicture }
        guard let decoder = unsafe tjInitDecompress() else { throw .outOfMemory }
        defer { unsafe tjDestroy(decoder) }
        var (width, height, sampling, colours): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
        let size = UInt(file.count)
        guard unsafe tjDecompressHeader3(decoder, file, size, &width, &height, &sampling, &colours) == 0 else {
            throw .damagedPicture
        }
        var picture = try GreyPicture(width: Int(width), height: Int(height))
        let outcome = unsafe picture.withMutablePixels { pixels in
            unsafe tjDecompress2(
                decoder, file, size, pixels, width, 0, height, Int32(TJPF_GRAY.rawValue), 0)
        }
        guard unsafe outcome == 0 || tjGetErrorCode(decoder) == Int32(TJERR_WARNING.rawValue) else {
            throw .damagedPicture
        }
        return picture
    }

    /// How often a scan begins. Inside of one, a byte of 0xFF is never followed by this marker's second byte.
    private static func scanCount(_ file: [UInt8]) -> Int {
        unsafe file.withUnsafeBufferPointer { bytes in
            var count = 0
            for index in 1..<bytes.count where unsafe bytes[index] == 0xDA && bytes[index - 1] == 0xFF { count += 1 }
            return count
        }
    }
}
