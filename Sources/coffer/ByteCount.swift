/// Sizes for people, and from them.
enum ByteCount {
    private static let units: [(name: String, letter: Character, shift: UInt64)] = [
        ("TiB", "T", 40), ("GiB", "G", 30), ("MiB", "M", 20), ("KiB", "K", 10),
    ]

    /// `1.5 MiB`, `20 KiB`, `17 bytes`.
    static func text(_ bytes: UInt64) -> String {
        guard let unit = units.first(where: { bytes >= 1 << $0.shift }) else { return "\(bytes) bytes" }
        let tenths = bytes / (1 << unit.shift) * 10 + bytes % (1 << unit.shift) * 10 / (1 << unit.shift)
        return tenths < 100 && tenths % 10 != 0
            ? "\(tenths / 10).\(tenths % 10) \(unit.name)" : "\(tenths / 10) \(unit.name)"
    }

    /// `64M`, `64 MiB`, `1g`, `1000`; nil for anything else, and for what is no number of bytes.
    static func parse(_ text: String) -> UInt64? {
        let words = text.filter { $0 != " " }.uppercased()
        let digits = words.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        let ending = words.dropFirst(digits.count)
        guard !ending.isEmpty, ending != "B" else { return number }
        guard let unit = units.first(where: { ending == "\($0.letter)" || ending == $0.name.uppercased() }) else {
            return nil
        }
        let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: 1 << unit.shift)
        return isTooMuch ? nil : bytes
    }
}
