/// The bounds of the format, checked before anything is allocated for what is read.
public enum Limits {
    /// The version of the stored format that this program writes; a higher one is refused.
    public static let formatVersion: UInt8 = 1
    /// The longest name of an entry, in bytes (NAME_MAX of Linux).
    public static let nameLength = 255
    /// The longest target of a symbolic link, in bytes (PATH_MAX of Linux without its NUL).
    public static let symbolicLinkLength = 4095
    /// Contents up to this many bytes stand in the file's own row.
    public static let inlineContent = 1024
    /// Larger contents are cut into chunks of this many bytes.
    public static let chunkSize = 65536
    /// The largest file, in bytes: 1 TiB, whose chunk list is 128 MiB.
    public static let fileSize: UInt64 = 1 << 40
    /// All extended attributes of one file together, in bytes (names and values).
    public static let extendedAttributes = 65536
    /// The largest sealed metadata of a row, in bytes.
    public static let metadata = 131_072
    /// The least padded size of a record, in bytes.
    public static let recordFloor = 256
    /// How many earlier versions of a file are kept before they are thinned by age…
    public static let versionsMost = 64
    /// …and how many stay then.
    public static let versionsKept = 48
    /// Versions older than this many seconds are dropped (one year).
    public static let versionAge: Int64 = 365 * 86400
    /// What another device's edit took the place of does not give way for this many seconds (30 days)…
    public static let protectedAge: Int64 = 30 * 86400
    /// …and of each file at most so many of these versions, the latest.
    public static let versionsProtected = 16
    /// Removed entries stay in the trash this many seconds (30 days)…
    public static let trashAge: Int64 = 30 * 86400
    /// …and at most this many of them, the latest.
    public static let trashCount = 10_000
    /// Operations kept while no remote is set: the first push then starts from the state itself.
    public static let operationsKept: Int64 = 4096
    /// The most operations kept for a segment; with more, segments are made from all rows.
    public static let operationsWaiting: Int64 = 65_536
    /// The most operations in one row.
    public static let operationsInRow = 1024
    /// The longest state of the engine that is kept, in bytes.
    public static let syncState = 4 << 20
    /// The account keys of later epochs, sealed, in bytes.
    public static let syncKeys = 131_072
    /// The longest settings of synchronisation, in bytes.
    public static let syncSettings = 262_144
    /// The most chunks in one row of those that wait for a segment's upload.
    public static let pinnedChunks = 8192
    /// The largest sealed record of the table `sync`, in bytes…
    public static let syncRecord = 524_288
    /// …but for the engine's state, with its padding.
    public static let syncStateRecord = 5 << 20
    /// The largest reserve beside a vault, in bytes.
    public static let reserve = 4 << 20
    /// The longest path in the reserve, in bytes.
    public static let reservedPath = 4096
    /// How many paths a record of the reserve lists of what had no room.
    public static let reservedNames = 256
}

/// The tables whose rows are summed into the root; the number is part of what is hashed.
public enum Table: UInt8, Sendable, CaseIterable {
    case entry = 1
    case file = 2
    case chunk = 3
    case version = 4
    case operation = 5
    case sync = 6
    case outbox = 7
}

/// What a sealed piece is, as its associated data names it.
public enum SealedType: UInt8, Sendable {
    case entry = 1
    case file = 2
    case chunk = 3
    case version = 4
    case operation = 5
    case inlineContent = 6
    case chunkList = 7
    case root = 8
    case device = 9
    case sync = 10
    case reserve = 11
}
