/// A 128-bit identifier drawn at random: of a vault, a device, an entry or a file.
///
/// Random rather than counted, so that devices that never met draw different ones and so that an
/// identifier says nothing about when or in which order things were made.
public struct Identifier: Hashable, Sendable {
    /// The first eight bytes, read as a little-endian integer.
    public let low: UInt64
    /// The last eight bytes, read as a little-endian integer.
    public let high: UInt64

    /// Both halves as the sealing layer takes them.
    public var pair: (UInt64, UInt64) { (low, high) }

    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// An identifier from `generator`; the system's generator where nothing is to be replayed.
    public init(using generator: inout some RandomNumberGenerator) {
        self.init(low: generator.next(), high: generator.next())
    }

    /// A fresh identifier from the kernel's random source.
    public static func random() -> Identifier {
        var generator = SystemRandomNumberGenerator()
        return Identifier(using: &generator)
    }

    /// The identifier that stands for "none".
    public static let none = Identifier(low: 0, high: 0)

    /// 32 hexadecimal digits, in the order of the bytes.
    public var hexadecimal: String {
        func digits(_ word: UInt64) -> String {
            let text = String(word.byteSwapped, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits(low) + digits(high)
    }

    /// The identifier is already uniform, so its own bits are its hash.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(low)
    }
}
