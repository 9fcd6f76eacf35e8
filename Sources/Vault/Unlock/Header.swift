internal import Format
internal import Sealing

/// The rows of the header table: what is there before any key is.
struct Header {
    /// The vault's identifier, 16 bytes.
    static let identifier = "vault"
    /// The account key, wrapped by the master password.
    static let unlockWrap = "wrap.unlock"
    /// The admin key, wrapped by master password and account key together.
    static let adminWrap = "wrap.admin"
    /// A known text under the account key: proves the key.
    static let canary = "canary"
    /// Who made the vault: signed by the admin key and the first device.
    static let genesis = "genesis"
    /// This device's secret keys, sealed under the local key: 40 bytes of seal, then ciphertext.
    static let device = "device"

    static let names = [canary, device, genesis, identifier, adminWrap, unlockWrap]
    /// The longest value that is read, in bytes.
    static let limit = 4096

    var values: [String: [UInt8]] = [:]

    subscript(name: String) -> [UInt8] {
        get { values[name] ?? [] }
        set { values[name] = newValue }
    }

    /// BLAKE2b-256 over all rows in the order of their names, each with its lengths: the root has it,
    /// so that an older wrap or canary in the header is found.
    var digest: [UInt8] {
        var bytes: [UInt8] = []
        for name in Header.names {
            let value = self[name]
            bytes.append(UInt8(name.utf8.count))
            bytes.append(contentsOf: name.utf8)
            unsafe withUnsafeBytes(of: UInt32(value.count).littleEndian) { unsafe bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: value)
        }
        return unsafe Digest.blake2b256(bytes.span.bytes)
    }

    static func read(_ connection: Connection) throws(DatabaseFailure) -> Header {
        var header = Header()
        let statement = try connection.prepare(
            "SELECT name, value FROM header WHERE length(value) <= \(limit) LIMIT 16")
        while try statement.step() {
            let name = unsafe String(decoding: statement.bytes(0), as: UTF8.self)
            header[name] = unsafe [UInt8](statement.bytes(1))
        }
        statement.reset()
        return header
    }

    static func write(_ name: String, _ value: [UInt8], in connection: Connection) throws(DatabaseFailure) {
        let statement = try connection.prepare("INSERT OR REPLACE INTO header (name, value) VALUES (?1, ?2)")
        try statement.bindText(1, name) { () throws(DatabaseFailure) in
            try statement.bind(2, value)
        }
    }
}

extension Identifier {
    /// The identifier in 16 bytes, nil for any other length.
    init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        func word(_ offset: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        }
        self.init(low: word(0), high: word(8))
    }

    /// The 16 bytes.
    var bytes: [UInt8] {
        [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    }
}
