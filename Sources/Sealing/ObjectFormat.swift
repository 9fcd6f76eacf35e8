/// What everything that is stored begins with, in all versions of the format: four letters that say what it is, and the
/// format. So an older program tells what is newer from what is damaged.
public enum ObjectFormat {
    /// The format that this program writes.
    public static let current: UInt8 = 1
    /// A number that is higher than this is damage: formats are raised one by one, and a bit that has changed is no reason to
    /// refuse a vault.
    public static let believed: UInt8 = 32

    /// The format of bytes that a newer program has written; nil for all others.
    public static func newer(_ bytes: [UInt8], magic: [UInt8]) -> Int? {
        guard bytes.count > magic.count, bytes.starts(with: magic) else { return nil }
        let format = bytes[magic.count]
        return format > current && format <= believed ? Int(format) : nil
    }

    /// The same of the bytes of a canary, of keys that are kept sealed, or of a genesis record.
    public static func newerRecord(_ bytes: [UInt8]) -> Int? {
        for magic in ["CFRC", "CFRA", "CFRG"] {
            if let format = newer(bytes, magic: Array(magic.utf8)) { return format }
        }
        return nil
    }
}
