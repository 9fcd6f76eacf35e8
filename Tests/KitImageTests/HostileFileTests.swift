import Foundation
import Glibc
import KitImage
import TestSupport
import Testing

/// Attack 30: files that are made to cost memory or time, or to lead a decoder astray.
@Suite struct HostileFileTests {
    /// What Python, which packs and sums for itself, writes to standard output.
    private static func python(_ script: String) throws -> [UInt8] {
        let prelude = """
            import struct, sys, zlib
            def chunk(kind, data): return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
            def head(w, h, depth=8, colour=0): return b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, colour, 0, 0, 0))
            write = sys.stdout.buffer.write

            """
        return try Command("python3", ["-c", prelude + script]).run(expecting: 0).output
    }

    private func read(_ file: [UInt8]) throws(KitImageError) -> [UInt8] {
        try KitImage.read(file, where: ReadingTests.isKit)
    }

    @Test func attack30PNGThatClaimsTooMuch() throws {
        let script = "write(head(100000, 100000) + chunk(b'IDAT', zlib.compress(bytes(1 << 20))) + chunk(b'IEND', b''))"
        let file = try Self.python(script)
        #expect(throws: KitImageError.tooManyPixels(width: 100_000, height: 100_000)) { try read(file) }
        // Within the limit of each edge, above that of both.
        let long = try Self.python("write(head(1000000, 68) + chunk(b'IDAT', b'') + chunk(b'IEND', b''))")
        #expect(throws: KitImageError.tooManyPixels(width: 1_000_000, height: 68)) { try read(long) }
    }

    @Test(arguments: [
        "head(0, 10) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')",
        "head(1 << 31, 1) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')",
        "head(8000, 8000) + chunk(b'IDAT', zlib.compress(bytes(100))) + chunk(b'IEND', b'')",
        "head(8, 8) + chunk(b'IEND', b'')", "head(8, 8) + struct.pack('>I', 0xFFFFFFFF) + b'IDAT' + bytes(100)",
        "head(8, 8, 8, 3) + chunk(b'IDAT', zlib.compress(bytes(72))) + chunk(b'IEND', b'')",
        "b'\\x89PNG\\r\\n\\x1a\\n'", "head(8, 8)[:-1]",
    ])
    func attack30PNGThatLies(_ bytes: String) throws {
        let file = try Self.python("write(\(bytes))")
        #expect(throws: KitImageError.damagedPicture) { try read(file) }
    }

    /// The seconds that this thread has had of a processor.
    private static func threadTime() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec
    }

    /// 900 texts of 7.9 MB each, packed into 7 MB: unpacking them took half a minute.
    @Test func attack30PNGWithTextsThatUnpackToGigabytes() throws {
        let file = try Self.python(
            """
            text = chunk(b'zTXt', b'a\\0\\0' + zlib.compress(bytes(7900000), 9))
            write(head(8, 8) + text * 900 + chunk(b'IDAT', zlib.compress(bytes(72))) + chunk(b'IEND', b''))
            """)
        #expect(file.count > 5 << 20)
        let before = Self.threadTime()
        #expect(throws: KitImageError.noKitInPicture) { try read(file) }
        #expect(Self.threadTime() - before < 10)
    }

    @Test func attack30JPEGThatLies() throws {
        let file = try ReadingTests.convert(KitImage.png(ReadingTests.text), ["-colorspace", "Gray"], to: "jpg")
        let frame = try #require(file.indices.dropLast(9).first { file[$0] == 0xFF && file[$0 + 1] == 0xC0 })
        var huge = file
        huge.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
        #expect(throws: KitImageError.tooManyPixels(width: 65500, height: 65500)) { try read(huge) }
        huge.replaceSubrange(frame + 5..<frame + 9, with: [0x10, 0, 0x10, 0])  // 4096 x 4096, and data for less
        #expect(throws: KitImageError.noKitInPicture) { try read(huge) }
        huge.replaceSubrange(frame + 5..<frame + 9, with: [0, 0, 0, 0])
        #expect(throws: KitImageError.damagedPicture) { try read(huge) }
    }

    /// A progressive file may ask for any number of passes over its pixels with a few bytes each.
    @Test func attack30JPEGOfEndlessScans() throws {
        let arguments = ["-resize", "3000x3000", "-colorspace", "Gray", "-interlace", "JPEG"]
        let file = try ReadingTests.convert(KitImage.png(ReadingTests.text), arguments, to: "jpg")
        let start = try #require(file.indices.dropLast(2).last { file[$0] == 0xFF && file[$0 + 1] == 0xDA })
        let scan = Array(file[start..<file.count - 2])
        var endless = Array(file[..<start])
        for _ in 0..<100 { endless += scan }
        #expect(throws: KitImageError.damagedPicture) { try read(endless + [0xFF, 0xD9]) }
    }

    /// Cut off anywhere: no crash, and a kit only where all of it is there.
    @Test(arguments: ["png", "jpg"]) func attack30CutOff(ending: String) throws {
        let file = try ReadingTests.convert(KitImage.png(ReadingTests.text, scale: 2), [], to: ending)
        for count in stride(from: 0, to: file.count, by: max(1, file.count / 15)) {
            guard let found = try? read(Array(file[..<count])) else { continue }
            #expect(found == ReadingTests.text)
        }
    }

    /// Changed anywhere, with sums that are right again: no crash.
    @Test(arguments: ["png", "jpg"]) func attack30ChangedBytes(ending: String) throws {
        let file = try ReadingTests.convert(KitImage.png(ReadingTests.text, scale: 2), [], to: ending)
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        for _ in 0..<20 {
            var changed = file
            for _ in 0..<4 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                changed[Int(state >> 33) % file.count] = UInt8(truncatingIfNeeded: state >> 25)
            }
            guard let found = try? read(changed) else { continue }
            #expect(found == ReadingTests.text)
        }
    }

    @Test func attack30EndlessText() {
        let limit = KitImage.maximumFileSize
        #expect(throws: KitImageError.fileTooLarge(limit: limit)) { try read(.init(repeating: 65, count: limit + 1)) }
        #expect(throws: KitImageError.noKitInText) { try read(.init(repeating: 65, count: limit)) }
        #expect(throws: KitImageError.noKitInText) { try read([]) }
    }

    /// Among them what some telephones write (HEIC), and a drawing that is no page of a kit.
    @Test func attack30OtherFormats() throws {
        #expect(throws: KitImageError.unknownFormat) { try read([0, 0, 0, 24] + Array("ftypheic".utf8)) }
        #expect(throws: KitImageError.unknownFormat) { try read([UInt8](repeating: 0, count: 1 << 20)) }
        #expect(throws: KitImageError.noKitInText) { try read(Array("<svg></svg>".utf8)) }
        #expect(throws: KitImageError.unknownFormat) { try read([0xFF, 0xFE] + Array("COFFER1:".utf8)) }
    }
}
