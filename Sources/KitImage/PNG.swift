/// Writes PNG (ISO/IEC 15948) with nothing but what a QR symbol needs: grey of 1 bit, no interlace, no filter.
enum PNG {
    static func encode(_ bitmap: Bitmap) -> [UInt8] {
        var scanlines: [UInt8] = []
        for row in bitmap.rows {
            for _ in 0..<bitmap.scale { scanlines += [0] + row }  // each line begins with its filter: none
        }
        let size = bigEndian(UInt32(bitmap.width))
        let depthAndKind: [UInt8] = [1, 0, 0, 0, 0]  // 1 bit, grey, deflate, adaptive filters, no interlace
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
            + chunk("IHDR", size + size + depthAndKind)
            + chunk("IDAT", zlibStored(scanlines))
            + chunk("IEND", [])
    }

    private static func chunk(_ kind: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(kind.utf8) + data
        return bigEndian(UInt32(data.count)) + body + bigEndian(CRC32.checksum(body))
    }

    /// A zlib stream (RFC 1950) of stored blocks (RFC 1951, 3.2.4): about 60 kB for a kit, and no dependency.
    private static func zlibStored(_ data: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        for start in stride(from: 0, to: data.count, by: 0xFFFF) {
            let end = min(start + 0xFFFF, data.count)
            let count = UInt16(end - start)
            stream.append(end == data.count ? 1 : 0)
            stream += littleEndian(count) + littleEndian(~count)
            stream += data[start..<end]
        }
        return stream + bigEndian(adler32(data))
    }

    /// RFC 1950, section 8.2.
    private static func adler32(_ data: [UInt8]) -> UInt32 {
        var a: UInt32 = 1
        var b: UInt32 = 0
        for byte in data {
            a = (a + UInt32(byte)) % 65521
            b = (b + a) % 65521
        }
        return b << 16 | a
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value >> 24), UInt8(truncatingIfNeeded: value >> 16)]
            + [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
    }

    private static func littleEndian(_ value: UInt16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
    }
}

/// The checksum of PNG's chunks (ISO/IEC 15948, annex D), bit by bit: a kit is small.
enum CRC32 {
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
