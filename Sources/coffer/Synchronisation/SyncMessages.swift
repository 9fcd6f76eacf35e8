internal import Foundation
internal import VaultFileSystem

/// What the verbs ask of whoever has the vault open: this process, or the one behind the mount. A secret never stands in
/// it, but goes beside.
enum SyncRequest: Codable, Sendable {
    /// The remote as it is set.
    case showRemote
    /// The command that the remote's credential comes from, for who sits at a terminal and wants to see it.
    case showCommand
    /// Checks a remote and sets it. The secret: the master password, and on a line of its own, where there is one, the
    /// remote's password, to be kept in the vault. (Not `setRemote`, whose secret was the remote's password alone: a process
    /// of another version must not take the one for the other.)
    case putRemote(RemoteSettings, creates: Bool)
    /// The secret: the master password.
    case clearRemote
    case sync(SyncManner)
    case devices
    /// Those behind so many, where an answer does not have room for all.
    case devicesFrom(Int)
    /// Whether there is a device of that name or id that can be revoked.
    case find(String)
    /// By name or id. The secret: the master password.
    case revoke(String)
    /// The same, and undoes what the device did; of one that is revoked already only that. The secret: the master password.
    case revokeAndUndo(String, since: UndoSince)
    /// Gives a device another name.
    case rename(String, to: String)
    /// Takes this device out of the vault. The secret: the master password.
    case leave
    /// What a device did, the latest first, behind what was given before.
    case history(String, before: HistoryPart.Place?)
    /// The account's e-mail address.
    case account
    /// The secret: the master password.
    case setAddress(String)
    /// The secret: the master password.
    case rotate
    /// What the vault keeps of what is not live any more, changed first where there is a change.
    case keeping(KeepingChange?)
    case compact
    /// How a job is doing.
    case poll(job: UInt64)
    case cancel(job: UInt64)
}

/// How to synchronise.
enum SyncManner: String, Codable, Sendable {
    case plain
    /// What the remote has lost is put there again from here. The secret: the master password.
    case acceptingRollback
    /// The remote is written anew from what is here. The secret: the master password.
    case rebuilding
    /// This database goes on as another device. The secret: the master password.
    case asNewDevice
}

/// How a job is doing, or how it ended.
struct SyncReply: Codable, Sendable {
    /// nil where there is no such job any more.
    var job: UInt64?
    var isDone = false
    /// In words; changes while it runs.
    var progress: String?
    var outcome: SyncOutcome?
    var failure: Failure?
    /// It was cancelled before its end.
    var isCancelled = false

    /// At most what a control file carries.
    var encoded: [UInt8] {
        var reply = self
        while true {
            let bytes = (try? JSONEncoder().encode(reply)).map { Array($0) } ?? []
            guard bytes.count > 30_000, reply.outcome?.shorten() == true else { return bytes }
        }
    }
}

/// What a job has to say.
struct SyncOutcome: Codable, Sendable {
    var summary: SyncSummary?
    var remote: RemoteView?
    /// It may have a password in it: no other answer than that to ``SyncRequest/showCommand`` has it.
    var command: String?
    var devices: [SyncOverview.Device]?
    /// There are more of them; nil where there are not.
    var hasMoreDevices: Bool?
    var account: AccountView?
    var keeping: KeepingSettings?
    var compaction: CompactionView?
    var undo: UndoView?
    var history: HistoryPart?
    /// Sentences for people.
    var notes: [String] = []

    /// Leaves out a part of a list; false where there is nothing to leave out.
    mutating func shorten() -> Bool {
        summary?.shorten() ?? undo?.shorten() ?? history?.shorten() ?? false
    }
}

/// What a run moved: the JSON of `coffer sync --json`.
struct SyncSummary: Codable, Sendable {
    var pushedChanges = 0
    var pushedSegments = 0
    var pulledChanges = 0
    var pulledSegments = 0
    var conflicts: [ConflictView] = []
    /// Segments that wait for others which are not there yet.
    var waiting = 0
    /// Segments that are not there though something speaks of them; nil from a version that does not look.
    var awaited: [SyncOverview.Awaited]? = []
    /// Objects at the remote that are not what was written there.
    var damaged: [String] = []
    /// Objects that a newer program has written; nil from a version that does not tell them apart.
    var newer: [String]? = []
    /// Segments of devices that had been revoked.
    var refused = 0
    /// Objects that others speak of and that have not come for long: somebody may be keeping them back.
    var withheld: [String] = []
    /// The other devices that ``damaged`` and ``withheld`` are about. Which entries those hold cannot be known.
    var sources: [SourceView] = []
    /// Changes that this vault cannot take in yet; nil from a version that does not set them aside.
    var setAside: [SyncOverview.SetAside]? = []
    /// More conflicts, damaged objects or changes that wait than are listed.
    var notListed = 0

    /// Leaves out half of the longest list; false where there is nothing to leave out.
    mutating func shorten() -> Bool {
        let longest = max(conflicts.count, damaged.count, setAside?.count ?? 0)
        guard longest > 0 else { return false }
        let less = (longest + 1) / 2
        if conflicts.count == longest {
            conflicts.removeLast(less)
        } else if damaged.count == longest {
            damaged.removeLast(less)
        } else {
            setAside?.removeLast(less)
        }
        notListed += less
        return true
    }
}

/// A device of which something is damaged or does not come.
struct SourceView: Codable, Sendable, Equatable {
    var name: String
    var id: String
    /// When something new of it was read here last, in ISO 8601.
    var lastRead: String?

    /// Whether an object of the remote is one that it has written.
    func wrote(_ object: String) -> Bool {
        let parts = object.split(separator: "/", maxSplits: 3)
        return parts.count > 2 && parts[2].prefix { $0 != "." } == id
    }

    var sentence: String {
        let who = Console.printable(name)
        return lastRead.map { "Something new of \(who) was read here last at \($0)." }
            ?? "Nothing of \(who) was ever read here."
    }
}

/// One thing that two devices had done differently, and what became of it.
struct ConflictView: Codable, Sendable, Equatable {
    enum Kind: String, Codable, Sendable {
        /// Both edits are in the entry.
        case merged
        /// The entry has one edit, `copy` the other.
        case copied
        /// Two entries had one name, and this one has another now.
        case renamed
        /// Two folders had one name, and are one now.
        case joined
        /// A folder would have been within itself, and is where it was.
        case movedBack
        /// It had been removed on one device and changed on another, and is there again.
        case revived
        /// Devices showed it differently, and it was kept.
        case settled
    }

    var kind: Kind
    var path: String
    var copy: String?

    var sentence: String {
        switch kind {
        case .merged: "\(path): both edits are in it"
        case .copied: copy.map { "\(path): the other edit is in \($0)" } ?? "\(path): both edits are kept"
        case .renamed: "\(path): another entry has its name now"
        case .joined: "\(path): two folders of this name are one now"
        case .movedBack: "\(path): moved back, it would have been within itself"
        case .revived: "\(path): there again, one device had removed what another one has changed"
        case .settled: "\(path): kept, another device showed it differently"
        }
    }
}

/// The account: the JSON of `coffer account --json`.
struct AccountView: Codable, Sendable {
    /// nil where none is set.
    var email: String?
}

/// The remote: the JSON of `coffer remote show --json`.
struct RemoteView: Codable, Sendable {
    /// nil where none is set.
    var url: String?
    var login: String?
    /// The command for the login came with the vault, and nobody has allowed it on this machine; nil where there is none.
    var hasWaitingCommand: Bool?
}

extension SyncOverview.SetAside {
    var sentence: String {
        "\(path): a change by \(Console.printable(device)) cannot be applied here; it is kept, and tried again each time"
    }
}

extension SyncOverview.Awaited {
    var sentence: String {
        let why =
            isFollowed
            ? "it is not at the remote yet, though a later one is"
            : "it is not at the remote yet, though something there tells of it"
        return "segment \(segment) of \(Console.printable(name)): \(why)"
    }
}
