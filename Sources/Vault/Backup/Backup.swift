public import Format
internal import Sealing
public import SystemPackage

/// A backup: one file with all that a vault consists of, as it was at one moment.
///
/// It has ciphertext only, and is made without a key. Digests without a key tell a backup that is cut or damaged; what
/// somebody has changed on purpose is found by the seals, when it is verified with the password, or opened.
public enum Backup {
    /// What can be told of a backup without the password.
    public struct Summary: Sendable {
        /// The vault's identifier.
        public var vault: Identifier
        /// When it was taken, in seconds since 1970.
        public var seconds: Int64
        /// Of the vault's files in it, in bytes.
        public var bytes: UInt64
    }

    /// Told how many bytes are done and how many there are; false ends what is under way, and nothing is left of it.
    public typealias Progress = (_ done: UInt64, _ all: UInt64) -> Bool
}

/// Why a backup could not be taken, verified or restored.
public enum BackupError: Error {
    /// There is no file.
    case missing
    /// The file is something else.
    case notABackup
    /// A later version of the program has made it, in this format.
    case newerFormat(Int)
    /// It is cut short or was changed; the text says where.
    case damaged(String)
    /// Another vault is where it is to be restored.
    case otherVault
    /// Something is there already, where it is to be written.
    case exists
    /// The file would belong to the vault itself.
    case withinVault
    /// Another backup of the vault is being taken.
    case isBeingTaken
    /// The vault was locked, or the disk became full, before all of it was read.
    case cutOff
    /// Progress has asked for it.
    case interrupted
    /// The vault itself could not be read.
    case vault(VaultError)
    /// The system refused: why, and what was being done.
    case io(Errno, String)
}

/// The first bytes of a backup; the byte table is in the document *Format*. These 96 bytes stay the same in all versions.
struct BackupHeader {
    static let magic = Array("CFBACKUP".utf8)
    static let format: UInt32 = 1
    static let size = 96
    private static let digestOffset = 64

    let summary: Backup.Summary

    init(_ summary: Backup.Summary) { self.summary = summary }

    var encoded: [UInt8] {
        var bytes = BackupHeader.magic
        bytes.append(integer: BackupHeader.format)
        bytes.append(integer: UInt32(0))
        bytes += summary.vault.bytes
        bytes.append(integer: summary.seconds)
        bytes.append(integer: summary.bytes)
        bytes += [UInt8](repeating: 0, count: BackupHeader.digestOffset - bytes.count)
        return bytes + (unsafe Digest.blake2b256(bytes.span.bytes))
    }

    /// - Parameter bytes: what the file begins with, at most ``size``.
    init(_ bytes: [UInt8]) throws(BackupError) {
        let isNamed =
            BackupHeader.magic.starts(with: bytes.prefix(8)) && bytes.count < 8
            || bytes.starts(with: BackupHeader.magic)
        guard bytes.count == BackupHeader.size else {
            throw isNamed ? .damaged("its beginning is cut short") : .notABackup
        }
        let claimed = BackupHeader.magic + bytes[8..<BackupHeader.digestOffset]
        let isWhole = unsafe Digest.blake2b256(claimed.span.bytes) == Array(bytes[BackupHeader.digestOffset...])
        guard isWhole || isNamed else { throw .notABackup }
        guard isWhole, isNamed else { throw .damaged("its beginning was changed") }
        let format: UInt32 = RowSet.integer(bytes, 8)
        guard format <= BackupHeader.format else { throw .newerFormat(Int(format)) }
        guard format > 0, let vault = Identifier(bytes: Array(bytes[16..<32])) else {
            throw .damaged("its beginning has no sense")
        }
        summary = Backup.Summary(
            vault: vault, seconds: RowSet.integer(bytes, 32), bytes: RowSet.integer(bytes, 40))
    }
}

/// A piece of one of the vault's files. Each has a digest over itself and the digest before it, so that no piece can be
/// left out, doubled or moved.
struct BackupPiece {
    /// Which file it is of; the numbers are part of the format.
    enum Kind: UInt8, CaseIterable {
        case database = 1
        case journal = 2
        case chunks = 3
        case reserve = 4
        case end = 255

        /// What the file's name has behind the vault's.
        var suffix: String {
            switch self {
            case .database, .end: ""
            case .journal: "-redo"
            case .chunks: "-chunks"
            case .reserve: "-reserve"
            }
        }
    }

    static let headSize = 16
    static let digestSize = 32
    /// The most bytes of one piece.
    static let limit = 1 << 20
    /// Beyond this no file goes: 64 PiB.
    private static let endLimit: UInt64 = 1 << 56

    let kind: Kind
    /// Of the bytes.
    let count: Int
    /// Where in the file they stand; of the last piece, how many there are before it.
    let offset: UInt64

    init(_ kind: Kind, count: Int, offset: UInt64) { (self.kind, self.count, self.offset) = (kind, count, offset) }

    var head: [UInt8] {
        var bytes: [UInt8] = [kind.rawValue, 0, 0, 0]
        bytes.append(integer: UInt32(truncatingIfNeeded: count))
        bytes.append(integer: offset)
        return bytes
    }

    /// nil for what no version of the program writes.
    init?(head bytes: [UInt8]) {
        guard bytes.count == BackupPiece.headSize, let kind = Kind(rawValue: bytes[0]), bytes[1...3] == [0, 0, 0]
        else { return nil }
        let (count, offset): (UInt32, UInt64) = (RowSet.integer(bytes, 4), RowSet.integer(bytes, 8))
        let isRight = kind == .end ? count == 0 : (1...UInt32(BackupPiece.limit)).contains(count)
        guard isRight, offset < BackupPiece.endLimit else { return nil }
        self.init(kind, count: Int(count), offset: offset)
    }
}

extension [UInt8] {
    /// Appends an integer, little-endian.
    mutating func append(integer: some FixedWidthInteger) {
        var integer = integer.littleEndian
        unsafe Swift.withUnsafeBytes(of: &integer) { unsafe append(contentsOf: $0) }
    }
}
