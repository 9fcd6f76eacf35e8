import KitImage
import Testing

@Suite struct RefusalTests {
    @Test func emptyText() {
        #expect(throws: KitImageError.emptyText) { try KitImage.png([]) }
    }

    @Test(arguments: [UInt8(0), 0x0A, 0x7F, 0xC3]) func unprintableText(byte: UInt8) {
        #expect(throws: KitImageError.unprintable(offset: 2)) { try KitImage.png([65, 66, byte]) }
    }

    @Test func textAboveEverySymbol() {
        // Level M holds 3,391 alphanumeric characters (ISO/IEC 18004, table 7).
        #expect(throws: KitImageError.tooLong(count: 3392)) { try KitImage.png(.init(repeating: 65, count: 3392)) }
        #expect(throws: KitImageError.tooLong(count: 4097)) { try KitImage.png(.init(repeating: 65, count: 4097)) }
        #expect(throws: Never.self) { try KitImage.png(.init(repeating: 65, count: 3391)) }
    }

    @Test(arguments: [0, -1, 33]) func scaleOutOfBounds(scale: Int) {
        #expect(throws: KitImageError.invalidScale(scale)) { try KitImage.png([65], scale: scale) }
    }
}
