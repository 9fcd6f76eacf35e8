public import SystemPackage

/// Why a mount point cannot be used.
public enum MountError: Error, Sendable {
    case missing(FilePath)
    case notADirectory(FilePath)
    case notEmpty(FilePath)
    case notYours(FilePath)
    case alreadyMounted(FilePath)
    /// libfuse refused; it has said why on standard error.
    case refused(FilePath)
    case unknownOptions
    case notResponding(FilePath)
    /// It was told to lock the vault, and has not ended.
    case stillLocking(FilePath)

    /// What happened.
    public var message: String {
        switch self {
        case .missing(let path): "The folder \(path) does not exist."
        case .notADirectory(let path): "\(path) is no folder."
        case .notEmpty(let path): "The folder \(path) is not empty; what is in it would be hidden."
        case .notYours(let path): "The folder \(path) is not yours to mount on."
        case .alreadyMounted(let path): "Something is mounted on \(path) already."
        case .refused(let path): "Mounting on \(path) was refused."
        case .unknownOptions: "The mount options were refused."
        case .notResponding(let path): "The process behind \(path) does not answer."
        case .stillLocking(let path): "The process behind \(path) is still writing to the vault."
        }
    }

    /// What to do.
    public var hint: String {
        switch self {
        case .missing(let path): "Make it with: mkdir -p \(path)"
        case .notADirectory, .notEmpty: "Name an empty folder."
        case .notYours: "Name a folder that belongs to you and that you may write to."
        case .alreadyMounted(let path): "Lock it with: coffer lock \(path)"
        case .refused: "Check that /dev/fuse is there and that fusermount3 (package fuse3) is installed."
        case .unknownOptions: "See mount.fuse3(8) for what -o takes."
        case .notResponding(let path): "Take the mount away with: fusermount3 -u -z \(path)"
        case .stillLocking: "Wait for it with `coffer lock`. Ending it would lose what is not on the disk yet."
        }
    }
}
