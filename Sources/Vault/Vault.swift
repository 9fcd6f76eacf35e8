public import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// An open vault: the tree of entries in memory, their contents in one encrypted SQLite file.
///
/// **Vocabulary.** An *entry* is a name in a directory (dentry); a *file* is an inode with content,
/// attributes and history. A *row* is a sealed record of the store under a random *slot*. The *root*
/// is the row that says which rows there are.
///
/// **Locks**, always taken in this order, never the other way:
/// 1. the content of one file (``OpenContent/lock``),
/// 2. the committer: whoever changes the store, one at a time,
/// 3. the table of open contents, a reader, or the tree: each held for microseconds, and nothing is
///    taken inside them.
///
/// Only the holder of the committer changes the shape of the tree, so what it has read there stays
/// true until it has committed; readers never wait for the disk.
///
/// **Never here**: the network, the terminal, FUSE.
public final class Vault: Sendable {
    /// The vault's identifier, made at its creation.
    public let identifier: Identifier
    /// This device, as it stands in stamps.
    public var device: Identifier { deviceNow.withLock { $0 } }
    /// Where the file is.
    public let path: FilePath
    /// The endings of the files that a vault consists of, its own, the last, included; some are there only at times.
    public static let fileSuffixes = ["-chunks", "-wal", "-shm", "-redo", "-reserve", ""]
    /// Nothing can be changed: asked for, or because the file is damaged.
    public let isReadOnly: Bool
    /// What was found damaged when the vault was opened regardless.
    public let damage: [Damage]
    /// What lay beside the file and belonged to another state of it, by the names that it has now.
    public let setAside: [FilePath]
    /// The state is one that ``Backup/restore(_:to:stateDirectory:progress:)`` has brought back.
    public let isRestored: Bool
    /// How long opening took beyond deriving the key from the password, in milliseconds.
    public let unlockMilliseconds: Double
    /// Six words by which people compare vaults: a digest of the genesis record.
    public let fingerprint: [String]

    /// Changes only where this copy of the vault goes on as another device.
    let deviceNow: Mutex<Identifier>
    let keys: Keys
    let tree: Mutex<Tree>
    let committer: Guarded<Committer>
    let trash: Mutex<Trash>
    let contents = Mutex<[UInt32: OpenContent]>([:])
    /// How many have been opened since the vault was.
    let contentsOpened = Atomic<UInt64>(0)
    let ahead = Mutex(ReadAhead())
    let readers: ReaderPool
    let applier: Applier
    let willWait: WaitNotice
    let chunks: ChunkFile
    let journal: Journal
    let maintenance = Maintenance()
    /// The maintenance thread's own connection: a checkpoint beside a running writer.
    let checkpointer: Guarded<Connection?>
    let file: VaultFile
    let hold = Mutex(CurrentHold())
    /// Who "the owner" of the entries is on this machine.
    let mounter: (user: UInt32, group: UInt32)
    let state = Mutex<Lifecycle>(.open)
    /// Beyond this many bytes nothing grows: ``setShared(_:)``.
    let largestFile = Atomic<UInt64>(Limits.fileSize)
    /// Hears what synchronisation has changed.
    let replicated = Mutex(ReplicationListener())
    /// Open files that other devices' changes took the last name of.
    let displaced = Mutex(DisplacedFiles())
    /// Names that files have just lost to others.
    let departures = Mutex(Departures())
    /// Hears what does not work.
    let troubles = Mutex(TroubleListener())
    /// The vault's file under its name; nil where nothing is written.
    let named: NamedFile?
    /// Room that is set aside, for a full disk.
    let reserve: Reserve
    let reserveReport = Mutex(ReserveReport())
    /// What may be kept, and what gives way next.
    let kept = Mutex(KeptState())
    /// Held by whoever makes room.
    let giving = Mutex(())
    /// What the pages of the store take that are in use, as of the last look.
    let storedBytes = Atomic<UInt64>(0)
    /// What became of contents that could not be saved before the vault was locked last.
    public var restored: ReserveReport { reserveReport.withLock { $0 } }

    enum Lifecycle { case open, closed }

    init(_ unlocked: Unlocked) {
        identifier = unlocked.keys.vault
        deviceNow = Mutex(unlocked.committer.root.device)
        path = unlocked.file.path
        isReadOnly = unlocked.isReadOnly
        named = unlocked.isReadOnly ? nil : unlocked.file.named
        damage = unlocked.damage
        (setAside, isRestored) = (unlocked.setAside, unlocked.isRestored)
        unlockMilliseconds = unlocked.milliseconds
        fingerprint = unlocked.fingerprint
        keys = unlocked.keys
        readers = unlocked.readers
        chunks = unlocked.chunks
        file = unlocked.file
        mounter = unlocked.mounter
        let (orphans, hollow) = (unlocked.orphans, unlocked.hollow)
        tree = Mutex(unlocked.tree)
        trash = Mutex(unlocked.trash)
        applier = unlocked.committer.applier
        journal = unlocked.committer.journal
        willWait = unlocked.committer.willWait
        checkpointer = Guarded(unlocked.checkpointer)
        committer = Guarded(unlocked.committer, willWait: unlocked.committer.willWait)
        reserve = Reserve(vault: unlocked.file.path, keys: unlocked.keys, isReadOnly: unlocked.isReadOnly)
        applier.use(reserve)
        if !isReadOnly {
            file.forgetRestoring(isRestored, committer.withLock { $0.root })
            erase(orphans: orphans, hollow: hollow)
            maintenance.start(self)
        }
    }

    /// Before a call waits for another one or for the disk, it calls `action`, on its own thread and perhaps more than
    /// once.
    public func beforeWaiting(_ action: @escaping @Sendable () -> Void) { willWait.set(action) }

    /// Calls `action` with each operation that other devices are to hear of, on its thread and under the committer's
    /// lock: it neither waits nor asks the vault anything.
    public func onChange(_ action: @escaping @Sendable () -> Void) {
        committer.withLock { $0.didChange = action }
    }

    /// Commits what is open, makes it durable, moves the log into the file and lets go of it. The
    /// second call does nothing.
    ///
    /// - Parameters:
    ///   - keepsLock: the file stays locked against other processes until this one ends, which is about to: files beside
    ///     it are open until then.
    ///   - discarding: what cannot be saved is dropped; else it goes into the reserve.
    public func close(keepsLock: Bool = false, discarding: Bool = false) throws(VaultError) {
        let first = state.withLock { state in
            defer { state = .closed }
            return state == .open
        }
        guard first else { return }
        maintenance.stop()
        endHold()
        let unsaved = save()
        kept.withLock { $0.lookAgain() }
        keepBounds()
        closeReserve(unsaved, discarding: discarding)
        // Of a file that has lost its name, the logs are the last trace: they stay.
        let isInPlace = unsaved.strayed.isEmpty
        let isSettled = committer.withLock { committer in
            let isSettled = isInPlace && (try? committer.drain()) != nil
            if isSettled, unsaved.isEmpty { chunks.release(committer.handOver()) }
            committer.refusal = .socketNotConnected
            if !isReadOnly, isInPlace { applier.writer.withLock { try? $0.connection.checkpoint(truncate: true) } }
            if isSettled, unsaved.isEmpty { file.saveCounter(of: committer.root, readOnly: isReadOnly) }
            return isSettled
        }
        contents.withLock { $0.removeAll() }
        ahead.withLock { $0.clear() }
        readers.close()
        checkpointer.withLock { $0?.close() }
        // What is only in the journal was acknowledged: the next opening puts it into the store.
        committer.withLock { $0.close(isWhole: !isReadOnly && isSettled) }
        if keepsLock { file.keepLock() } else { file.unlock() }
        if !unsaved.isEmpty, !discarding {
            throw .io(unsaved.reason ?? .staleNFSFileHandle, "the last changes could not be written")
        }
    }
}
