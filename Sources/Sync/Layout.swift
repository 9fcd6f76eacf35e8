internal import Format
internal import Sealing

/// Where things stand at the remote. All below `v1`, so that a later protocol can stand beside this one.
///
///     v1/vault                        the genesis record
///     v1/canary/1, v1/canary/<epoch>.<name>
///     v1/log/<device>/<sequence>.<hash>
///     v1/head/<device>                a hint: the newest sequence and hash
///     v1/head/<device>.read           a receipt: how far the device has read the others' logs
///     v1/snap/<device>.<sequence>/<index>.<hash>
///     v1/chunk/<xx>/<name>.<hash>
///     v1/blob/<xx>/<name>.<hash>      the same, with the names that programs from before have given
enum Layout {
    static let top = path()
    static let vault = path("vault")
    static let canaries = path("canary")
    static let logs = path("log")
    static let heads = path("head")
    static let snapshots = path("snap")
    static let oldBlobs = path("blob")

    /// An epoch may have several keys, where devices rotated at the same time.
    static func canary(_ link: KeyRing.Link) -> RemotePath {
        guard link.epoch > 1 else { return path("canary", "1") }
        let name = Identifier(low: link.name.low, high: link.name.high)
        return path("canary", "\(link.epoch).\(name.hexadecimal)")
    }

    /// The epoch of an object in the folder of canaries; nil for a name that is none.
    static func canary(named name: String) -> (epoch: UInt32, path: RemotePath)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let epoch = UInt32(parts[0]), epoch > 0, String(epoch) == parts[0],
            let path = RemotePath(["v1", "canary", name])
        else { return nil }
        let isNamed = parts.count == 2 && Identifier(hexadecimal: parts[1]) != nil
        return isNamed == (epoch > 1) && parts.count <= 2 ? (epoch, path) : nil
    }

    static func log(_ device: Identifier) -> RemotePath { path("log", device.hexadecimal) }

    static func head(_ device: Identifier) -> RemotePath { path("head", device.hexadecimal) }

    static func receipt(_ device: Identifier) -> RemotePath { path("head", device.hexadecimal + receiptEnding) }

    /// Whose receipt has a name in the folder of hints; nil for any other name.
    static func receiptDevice(_ name: String) -> Identifier? {
        guard name.hasSuffix(receiptEnding) else { return nil }
        return Identifier(hexadecimal: Substring(name.dropLast(receiptEnding.count)))
    }

    private static let receiptEnding = ".read"

    static func segment(_ device: Identifier, _ sequence: UInt64, _ hash: Identifier) -> RemotePath {
        path("log", device.hexadecimal, "\(sequence).\(hash.hexadecimal)")
    }

    static func snapshot(_ name: SnapshotName) -> RemotePath {
        path("snap", "\(name.device.hexadecimal).\(name.sequence)")
    }

    static func part(_ name: SnapshotName, _ index: UInt32, _ hash: Identifier) -> RemotePath {
        path("snap", "\(name.device.hexadecimal).\(name.sequence)", "\(index).\(hash.hexadecimal)")
    }

    /// - Parameter name: a keyed hash of the chunk's slot, so that each device finds it and it tells nothing.
    static func blob(_ name: Identifier, _ hash: Identifier) -> RemotePath { blob("chunk", name, hash) }

    static func oldBlob(_ name: Identifier, _ hash: Identifier) -> RemotePath { blob("blob", name, hash) }

    private static func blob(_ folder: String, _ name: Identifier, _ hash: Identifier) -> RemotePath {
        path(folder, String(name.hexadecimal.prefix(2)), "\(name.hexadecimal).\(hash.hexadecimal)")
    }

    /// The number and the hash in the name of a segment or a part; nil for any other name.
    static func numbered(_ name: String) -> (number: UInt64, hash: Identifier)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = UInt64(parts[0]), String(number) == parts[0], number > 0,
            let hash = Identifier(hexadecimal: parts[1])
        else { return nil }
        return (number, hash)
    }

    static func snapshotName(_ name: String) -> SnapshotName? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let device = Identifier(hexadecimal: parts[0]), let sequence = UInt64(parts[1]),
            String(sequence) == parts[1], sequence > 0
        else { return nil }
        return SnapshotName(device: device, sequence: sequence)
    }

    private static func path(_ components: String...) -> RemotePath {
        // All components above are hexadecimal digits, numbers and fixed words.
        RemotePath(["v1"] + components) ?? .top
    }
}

extension Identifier {
    /// The identifier of 32 lower-case hexadecimal digits.
    init?(hexadecimal text: Substring) {
        guard text.utf8.count == 32 else { return nil }
        var words: [UInt64] = [0, 0]
        for (index, digit) in text.utf8.enumerated() {
            let value: UInt64
            switch digit {
            case 0x30...0x39: value = UInt64(digit - 0x30)
            case 0x61...0x66: value = UInt64(digit - 0x61 + 10)
            default: return nil
            }
            // Two digits a byte, the first byte in the lowest bits.
            let byte = index % 16 / 2
            words[index / 16] |= value << UInt64(8 * byte + (index % 2 == 0 ? 4 : 0))
        }
        self.init(low: words[0], high: words[1])
    }

    /// The identifier in 16 bytes; nil for another length.
    init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        func word(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) } }
        self.init(low: word(0), high: word(8))
    }

    /// The 16 bytes.
    var bytes: [UInt8] {
        [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    }

    /// The hash in an object's name.
    init(hashing bytes: [UInt8]) {
        let digest = unsafe Digest.blake2b128(bytes.span.bytes)
        self.init(low: digest.0, high: digest.1)
    }
}
