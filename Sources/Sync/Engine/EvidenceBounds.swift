/// How much is kept of what shows an alarm.
///
/// Whoever can write to the remote can put any number of objects beside those that matter. What a device has signed proves
/// something, and is not crowded out: what nobody has signed gets a small part.
public struct EvidenceBounds: Sendable {
    /// The most objects of an alarm…
    public static let objectsMost = 256
    /// …and their bytes.
    public static let bytesMost = 64 << 20
    /// Of these, the most that nobody has signed…
    static let unsignedMost = 32
    /// …and their bytes.
    static let unsignedBytesMost = 8 << 20
    /// The most objects that are looked at.
    static let readMost = 1024
    /// The most bytes of the list of names.
    static let namesMost = 1 << 20

    private var (objects, bytes) = (0, 0)
    private var (unsigned, unsignedBytes) = (0, 0)

    init() {}

    /// Whether an object of that many bytes is kept.
    mutating func take(_ count: Int, isSigned: Bool) -> Bool {
        guard objects < EvidenceBounds.objectsMost, count <= EvidenceBounds.bytesMost - bytes else { return false }
        if !isSigned {
            guard unsigned < EvidenceBounds.unsignedMost, count <= EvidenceBounds.unsignedBytesMost - unsignedBytes
            else { return false }
            (unsigned, unsignedBytes) = (unsigned + 1, unsignedBytes + count)
        }
        (objects, bytes) = (objects + 1, bytes + count)
        return true
    }
}
