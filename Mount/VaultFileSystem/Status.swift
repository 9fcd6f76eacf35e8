public import Vault

/// What `coffer status` tells; the control file `status` holds it as JSON.
public struct VaultStatus: Codable, Sendable {
    public var path: String
    public var isMounted: Bool
    public var mount: String?
    /// Not mounted, but some process has it open.
    public var isInUse: Bool?
    /// The process that has it open, where that is known and it has not told more itself.
    public var process: Int32?
    /// Whose mount it is, where it is another user's.
    public var user: String?
    /// The process behind the mount does not answer.
    public var isSilent: Bool?
    public var vault: String?
    public var fingerprint: String?
    public var isReadOnly: Bool?
    /// Names in the tree.
    public var entries: Int?
    /// Removed entries that are kept.
    public var trash: Int?
    /// Of the vault's file and its chunks.
    public var fileBytes: UInt64?
    /// What unlocking took beyond deriving the key.
    public var unlockMilliseconds: Double?
    /// Of the process that serves the mount.
    public var residentBytes: UInt64?
    /// Whether that process can run no program, and reach little else of the system (``Confinement``).
    public var isConfined: Bool?
    public var damage: [String]?
    /// What is not as it should be about the folder below the mount.
    public var folder: [String]?
    /// Paths of entries whose content could not be saved so far, and why.
    public var unsaved: [String]?
    public var unsavedReason: String?
    /// Paths of entries whose content was lost when the vault was locked last.
    public var lost: [String]?
    /// Files of the vault that were replaced, moved or deleted while it is mounted.
    public var strayed: [String]?
    /// Whether it locks when the machine is suspended; nil as long as that is not known yet.
    public var onSuspend: Suspend?
    /// nil where the mount does not synchronise.
    public var synchronisation: SyncOverview?

    public init(path: String, isMounted: Bool) {
        self.path = path
        self.isMounted = isMounted
    }

    /// What becomes of an open vault when the machine is suspended.
    public enum Suspend: String, Codable, Sendable {
        case locks
        /// It stays open: nothing tells that the machine is about to sleep.
        case noLogind
        /// It stays open: whoever mounted it wanted that (`--no-lock-on-suspend`).
        case ignored
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

/// What `coffer status` tells of synchronisation. It comes from whoever runs it: this module knows nothing of it.
public struct SyncOverview: Codable, Sendable {
    /// The remote's address; nil where none is set.
    public var remote: String?
    /// The last run that ended well, in ISO 8601.
    public var lastSync: String?
    public var isRunning = false
    /// Changes wait to be pushed, or are being pushed.
    public var hasUnpushedChanges = false
    /// Why the last run did not end well; automatic synchronisation goes on where it is only unreachable.
    public var trouble: String?
    /// Synchronisation has stopped until somebody decides.
    public var alarms: [Alarm] = []
    /// Entries that two devices have changed differently.
    public var conflicts: [String] = []
    public var devices: [Device] = []
    /// What is not at the remote yet though something there speaks of it; nil from a version that does not look.
    public var awaited: [Awaited]?
    /// The command that the remote's credential comes from has not been allowed on this machine; nil from a version that runs
    /// any.
    public var hasWaitingCommand: Bool?
    /// Changes of other devices that the vault cannot take in; nil from a version that does not set them aside.
    public var setAside: [SetAside]?

    /// A change that waits, and is tried again with each run.
    public struct SetAside: Codable, Sendable, Equatable {
        /// The entry that it is of.
        public var path: String
        /// The device that has made it.
        public var device: String

        public init(path: String, device: String) { (self.path, self.device) = (path, device) }
    }

    /// The next segment of a device's log, which has not come yet.
    public struct Awaited: Codable, Sendable, Equatable {
        /// The device that has written it.
        public var name: String
        public var id: String
        public var segment: UInt64
        /// The last segment of the device that anything speaks of.
        public var last: UInt64
        /// A later segment is at the remote.
        public var isFollowed: Bool

        public init(name: String, id: String, segment: UInt64, last: UInt64, isFollowed: Bool) {
            (self.name, self.id, self.segment, self.last) = (name, id, segment, last)
            self.isFollowed = isFollowed
        }
    }

    /// What is wrong with the remote, or with this copy of the vault. It has paths of entries, which are secret.
    public struct Alarm: Codable, Sendable {
        /// What happened, and what to do.
        public var message: String
        /// The device that it is about; nil where it is about none.
        public var device: String?
        /// When something of that device was read here last, in ISO 8601.
        public var lastRead: String?
        /// The object at the remote that shows it.
        public var object: String?
        /// The folder in which what shows it is kept.
        public var evidence: String?
        /// Paths of the entries that it is about, those that were changed last first.
        public var entries: [String] = []
        /// How many there are besides ``entries``…
        public var notListed = 0
        /// …at the least, where not everything that would tell of them can be read.
        public var isIncomplete = false
        /// When the latest content of these entries was saved, in ISO 8601, by the clock of the device that did.
        public var time: String?

        public init(message: String) { self.message = message }
    }

    /// One device of the vault.
    public struct Device: Codable, Sendable {
        public var name: String
        public var id: String
        public var isThisOne: Bool
        public var isRevoked: Bool
        /// When something new of it came here last, in ISO 8601; nil for this device and where nothing did.
        public var lastSeen: String?
        /// It has not said yet that it has read all that this device has: it says so some seconds after it has.
        public var isBehind: Bool

        public init(name: String, id: String, isThisOne: Bool, isRevoked: Bool, lastSeen: String?, isBehind: Bool) {
            (self.name, self.id, self.isThisOne, self.isRevoked) = (name, id, isThisOne, isRevoked)
            (self.lastSeen, self.isBehind) = (lastSeen, isBehind)
        }
    }

    public init() {}
}
