public import SystemPackage

/// Why a vault could not be made, opened or checked. Each case holds what the caller needs to act;
/// the sentence for people is made where people are spoken to.
public enum VaultError: Error {
    /// There is no file at the path.
    case notFound
    /// There is one already.
    case alreadyExists
    /// Another process has it open.
    case inUse
    /// The file is something else.
    case notAVault
    /// Made by a later version of the program, in this format.
    case newerFormat(Int)
    /// A later version of the program has put something into it that this one does not know.
    case newerRecords
    /// The password does not open it. One error for every cause.
    case wrongPassword
    /// The stored parameters of the key derivation are below the floor or above the cap.
    case parametersOutOfBounds
    /// There is not enough memory, for the key derivation or for what the vault needs of it.
    case outOfMemory
    /// The password is empty or easily guessed; the text says which.
    case weakPassword(String)
    /// Rows are missing, changed, swapped or older.
    case damaged([Damage])
    /// Damage of which SQLite can read nothing: the first hundred bytes are not as it writes them.
    case unreadable
    /// Where a vault is to be made, a part of another one lies, whose only copy it may be.
    case partOfAnother(FilePath)
    /// The file was copied while the vault was in use, without these, in which its latest changes stand.
    case incomplete([FilePath])
    /// Where a file of the vault's belongs, something lies that is none: `kind` says what, as in "a folder".
    case planted(FilePath, kind: String)
    /// The whole file is older than the one last used on this machine, by this many transactions.
    case rolledBack(by: UInt64)
    /// No file can be made in the vault's folder, which changes need. Where `isBehind`, reading does, too: changes that
    /// were acknowledged are in files beside the vault's still.
    case unwritableFolder(isBehind: Bool)
    /// The system refused: why, and what was being done.
    case io(Errno, String)
}

/// One thing that is wrong with a vault's file.
public struct Damage: Sendable, Equatable {
    /// The path of the entry concerned, where it is known.
    public var path: String?
    /// What is wrong with it.
    public var what: String

    public init(path: String? = nil, _ what: String) {
        self.path = path
        self.what = what
    }
}

extension VaultError {
    init(_ failure: DatabaseFailure, _ doing: String) {
        switch failure {
        case .corrupt, .notADatabase: self = .damaged([Damage("the file's structure is damaged (\(doing))")])
        case .busy: self = .inUse
        case .noMemory: self = .outOfMemory
        case .readOnly: self = .unwritableFolder(isBehind: true)
        default: self = .io(failure.errno, doing)
        }
    }

    /// Runs what talks to the database, in the terms of this layer.
    static func translating<R>(
        _ doing: String, _ body: () throws(DatabaseFailure) -> R
    ) throws(VaultError) -> R {
        do throws(DatabaseFailure) { return try body() } catch { throw VaultError(error, doing) }
    }
}
