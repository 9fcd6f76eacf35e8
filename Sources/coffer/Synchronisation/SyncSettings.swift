internal import Foundation
internal import Glibc

/// What a vault keeps for synchronisation, sealed like everything else: a JSON object, whose `version` tells a later
/// program what it reads.
struct SyncSettings: Codable, Equatable, Sendable {
    var version = 1
    var remote: RemoteSettings?
    /// What people call this device.
    var deviceName: String
    /// When a backup was restored that the remote has not been compared with yet, in seconds since 1970.
    var restored: Int?
    /// When something new of another device came here last, by its id.
    var seen: [String: Seen] = [:]

    /// What other devices are called here, by their ids, where that is not as they call themselves; nil where nobody has
    /// said so.
    var names: [String: String]?

    struct Seen: Codable, Equatable, Sendable {
        var sequence: UInt64
        /// Since 1970.
        var seconds: Int
        /// How much its receipts have told of; nil before the first.
        var acknowledged: UInt64?
    }

    /// What is kept of what is not live any more; nil where nothing was set.
    var keeping: KeepingSettings?

    /// The account's e-mail address; nil where none is set.
    var account: Account?

    struct Account: Codable, Equatable, Sendable {
        var email: String
        /// Of two addresses the one with the higher clock counts; 0 for the one that this device has joined with.
        var clock: UInt64
    }

    init(deviceName: String? = nil) {
        self.deviceName = deviceName ?? SyncSettings.hostName
    }

    /// nil for what no version of the program has written that this one knows.
    init?(_ bytes: [UInt8]) {
        guard let read = try? JSONDecoder().decode(SyncSettings.self, from: Data(bytes)), read.version == 1
        else { return nil }
        self = read
    }

    var encoded: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { Array($0) } ?? []
    }

    /// The first label of the machine's name. gethostname(2) asks no name server.
    static var hostName: String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return "device" }
        let name = bytes.prefix { $0 != 0 && $0 != 0x2E }.map { UInt8(bitPattern: $0) }
        return cleaned(String(decoding: name, as: UTF8.self)) ?? "device"
    }

    /// The name of a device that goes on from a backup beside the one that it was taken of.
    static func restoredName(_ name: String) -> String {
        let suffix = " (restored \(Moment.today()))"
        var base = name
        while base.utf8.count + suffix.utf8.count > 40 { base.removeLast() }
        return base + suffix
    }

    /// A name that can stand in the name of a file: 1 to 40 bytes without slashes and control characters; nil for others.
    static func cleaned(_ name: String) -> String? {
        let isFit =
            (1...40).contains(name.utf8.count)
            && !name.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F || $0 == "/" }
        return isFit ? name : nil
    }
}

/// The remote as the user has set it. Its address never has a password in it.
struct RemoteSettings: Codable, Equatable, Sendable {
    /// In the canonical form of `RemoteAddress`.
    var url: String
    /// Its first line of output is the remote's password.
    var passwordCommand: String?
    /// Its first line of output is a token.
    var tokenCommand: String?
    /// The remote's password, where the vault is to keep it.
    var password: [UInt8]?
    /// Files of certificates and keys, absolute.
    var certificateAuthorities: String?
    var clientCertificate: String?
    var clientKey: String?
    var allowsInsecureHTTP = false
    /// The address came out of a kit, and nobody here has given it: what netrc has for every host is not for it. nil is
    /// false.
    var isFromKit: Bool?

    init(url: String) {
        self.url = url
    }

    /// Where the credential comes from, in words: never the credential.
    var login: String {
        if passwordCommand != nil { return "password command" }
        if tokenCommand != nil { return "token command" }
        return password != nil ? "password kept in the vault" : "netrc"
    }
}
