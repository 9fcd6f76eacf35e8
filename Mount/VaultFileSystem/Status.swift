public import Vault

/// What `coffer status` tells; the control file `status` holds it as JSON.
public struct VaultStatus: Codable, Sendable {
    public var path: String
    public var isMounted: Bool
    public var mount: String?
    public var vault: String?
    public var fingerprint: String?
    public var isReadOnly: Bool?
    /// Names in the tree.
    public var entries: Int?
    /// Removed entries that are kept.
    public var trash: Int?
    /// Of the vault's file.
    public var fileBytes: UInt64?
    /// What unlocking took beyond deriving the key.
    public var unlockMilliseconds: Double?
    /// Of the process that serves the mount.
    public var residentBytes: UInt64?
    public var damage: [String]?

    public init(path: String, isMounted: Bool) {
        self.path = path
        self.isMounted = isMounted
    }
}

/// What `coffer verify` tells; the control file `verify` holds it as JSON.
public struct VerifyOutcome: Codable, Sendable {
    public var rows: Int
    public var contentBytes: UInt64
    /// A line for each thing that is damaged.
    public var damage: [String]

    public init(_ report: VerifyReport) {
        rows = report.rows
        contentBytes = report.contentBytes
        damage = report.damage.map { ($0.path.map { "\($0): " } ?? "") + $0.what }
    }
}
