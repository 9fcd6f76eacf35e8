public import SystemPackage

/// Why a mount point cannot be used.
public enum MountError: Error, Sendable {
    case missing(FilePath)
    case notADirectory(FilePath)
    /// With what is in it; protected as a mount point, or not.
    case notEmpty(FilePath, [String], isProtected: Bool)
    case notYours(FilePath)
    /// Root has mounted there, and the folder is immutable since.
    case protectedByRoot(FilePath)
    case alreadyMounted(FilePath)
    /// libfuse refused; it has said why on standard error.
    case refused(FilePath)
    case unknownOptions
    /// The user may not let others in.
    case othersRefused
    /// The process behind it does not answer, or with nothing that can be used.
    case notResponding(FilePath, SilentProcess?)
    /// It was told to lock the vault, and has not ended.
    case stillLocking(FilePath)
    /// It was asked to lock the vault, and something is not saved.
    case notSaved(LockRefusal)

    /// What happened.
    public var message: String {
        switch self {
        case .missing(let path): "The folder \(path) does not exist."
        case .notADirectory(let path): "\(path) is no folder."
        case .notEmpty(let path, let names, _):
            "The folder \(path) is not empty. What is in it is plaintext, outside of the vault, and would be hidden: "
                + MountError.list(names) + "."
        case .notYours(let path): "The folder \(path) is not yours to mount on."
        case .protectedByRoot(let path): "The folder \(path) was made immutable by a mount of root's."
        case .alreadyMounted(let path): "Something is mounted on \(path) already."
        case .refused(let path): "Mounting on \(path) was refused."
        case .unknownOptions: "The mount options were refused."
        case .othersRefused:
            "-o allow_other is for root only here: the line `user_allow_other` is not in /etc/fuse.conf."
        case .notResponding(let path, nil): "The process behind \(path) does not answer."
        case .notResponding(let path, let process?):
            "The process \(process.identifier) behind \(path) does not answer"
                + (process.isStopped ? ": it is stopped." : ".")
        case .stillLocking(let path): "The process behind \(path) is still writing to the vault."
        case .notSaved(let refusal): "\(refusal.isLocked ? "The vault is locked. " : "")\(refusal.sentence)"
        }
    }

    /// What to do.
    public var hint: String {
        switch self {
        case .missing(let path): "Make it with: mkdir -p \(path)"
        case .notADirectory: "Name an empty folder."
        case .notEmpty(let path, _, let isProtected):
            "Move it into the vault with: coffer mount --adopt \(path)"
                + (isProtected ? " (or take it elsewhere, after: coffer mount --release \(path))" : "")
        case .notYours: "Name a folder that belongs to you and that you may write to."
        case .protectedByRoot(let path): "Have root give it back with: coffer mount --release \(path)"
        case .alreadyMounted(let path): "Lock it with: coffer lock \(path)"
        case .refused: "Check that /dev/fuse is there and that fusermount3 (package fuse3) is installed."
        case .unknownOptions: "See mount(8) and mount.fuse3(8) for what -o takes."
        case .othersRefused: "Have root add that line, or mount without this option."
        case .notResponding(let path, nil): "Take the mount away with: fusermount3 -u -z \(path)"
        case .notResponding(_, let process?):
            (process.isStopped ? "Let it go on with: kill -CONT \(process.identifier). " : "Wait for it. ")
                + "To end it (kill -KILL \(process.identifier)) loses what programs have not saved yet."
        case .stillLocking: "Wait for it with `coffer lock`. Ending it would lose what is not on the disk yet."
        case .notSaved(let refusal) where refusal.isLocked:
            "What there was room for comes back when it is mounted again."
        case .notSaved(let refusal) where !refusal.strayed.isEmpty:
            "The vault is not locked. Put the file back under its name, or copy what you need out of the mount; then "
                + "lock again. `coffer lock --discard` locks without it."
        case .notSaved:
            "The vault is not locked. Free some space, or copy what you need out of the mount; then lock again. "
                + "`coffer lock --discard` locks and drops what is not saved."
        }
    }

    /// The first few of them.
    static func list(_ names: [String]) -> String {
        let more = names.count > 5 ? " and \(names.count - 5) more" : ""
        return names.prefix(5).joined(separator: ", ") + more
    }
}
