public import Sync

/// How a WebDAV remote is reached. The defaults fit any server on the Internet.
public struct WebDAVOptions: Sendable {
    /// Makes the collection itself too, in one that exists. Without it a missing collection is an error: the address
    /// may be mistyped.
    public var createsFolder = false
    /// Sends everything, the password too, in the clear to machines other than this one.
    public var allowsInsecureHTTP = false
    /// A file of certificates (PEM) that are trusted instead of the system's.
    public var certificateAuthorities: String?
    /// Who we are to a server that asks for a certificate.
    public var clientCertificate: ClientCertificate?
    /// The most transfers at a time, and the most connections that are kept.
    public var parallelTransfers = 8
    /// In seconds.
    public var connectTimeout = 20
    /// In seconds, after which a transfer that does next to nothing counts as broken.
    public var stallTimeout = 60
    /// In bytes a second, of a transfer: less than that counts as next to nothing. Eight at a time, as on a slow mobile line,
    /// need 4 KiB a second.
    public var leastRate = 512
    /// Told of each object, listing and removal that is through.
    public var patience: Patience?
    /// When and how often something is tried again.
    public var pacing = Pacing()

    public init() {}
}

/// A certificate with its key, by the paths of their files (PEM, the key without a password).
public struct ClientCertificate: Sendable, Hashable {
    public var certificate: String
    public var key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// Where a WebDAV remote has its credential from. Secrets are asked for when a request needs them and not kept;
/// no message ever quotes them.
public enum WebDAVCredential: Sendable {
    case none
    /// The password of the address's user, for Basic or Digest (RFC 7617, 7616) as the server wishes.
    case password(@Sendable () throws(RemoteError) -> [UInt8])
    /// A token (RFC 6750).
    case bearer(@Sendable () throws(RemoteError) -> [UInt8])
    /// What a file of netrc(5) says for the host; nil is `~/.netrc`. Its entry `default`, which is for every host, counts
    /// only where it is taken: not for an address that somebody else has named.
    case netrc(file: String?, takesDefault: Bool)
}
