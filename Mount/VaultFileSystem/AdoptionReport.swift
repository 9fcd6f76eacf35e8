internal import SystemPackage

/// What there is to say about the folder below a mount.
public struct FolderReport: Sendable {
    var directory = ""
    var protection = MountPoint.Protection.nobody
    /// What stands in it, in plaintext.
    var names: [String] = []
    /// nil where nothing was to be adopted.
    public internal(set) var adoption: AdoptionReport?

    /// A sentence for each thing that is not as it should be.
    public var warnings: [String] {
        var warnings: [String] = []
        if !names.isEmpty {
            warnings.append(
                "Below the mount there is plaintext: \(MountError.list(names)). To move it into the vault: lock it, "
                    + "then coffer mount --adopt \(directory)")
        }
        switch protection {
        case .nobody: break
        case .root:
            warnings.append(
                "Root can write to the folder while the vault is locked: its file system has no immutable flag.")
        case .everybody:
            warnings.append(
                "Programs can write to the folder while the vault is locked: its file system keeps no modes.")
        }
        return warnings
    }
}

/// What became of the plaintext that lay below a mount.
public struct AdoptionReport: Sendable {
    /// The folder of the vault that it is in now; nil where nothing was taken.
    public internal(set) var folder: String?
    /// How many files were taken, links and FIFOs too.
    public internal(set) var taken = 0
    /// What is still in the folder below, in plaintext.
    public internal(set) var left: [Left] = []

    /// Something that was left where it is.
    public struct Left: Sendable {
        /// From the mount point on.
        public let name: String
        public let reason: String
    }
}

/// Why something cannot be moved into the vault.
enum Obstacle: Error {
    case system(Errno)
    case device
    case socket
    /// Another file system is mounted there.
    case mounted
    case inUse
    case changed
    case tooDeep
    /// It is in the vault, but cannot be removed.
    case remains(Errno)

    var text: String {
        switch self {
        case .system(let errno): "\(errno)"
        case .device: "it is a device"
        case .socket: "it is a socket"
        case .mounted: "another file system is mounted there"
        case .inUse: "a program has it open for writing"
        case .changed: "it was changed meanwhile"
        case .tooDeep: "it lies too deep"
        case .remains(let errno): "it is in the vault now, but cannot be removed here: \(errno)"
        }
    }
}
