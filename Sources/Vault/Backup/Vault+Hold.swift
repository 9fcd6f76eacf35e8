internal import Synchronization
internal import SystemPackage

/// Keeps an open vault's files as they are, while another process copies them.
///
/// The vault's file itself changes only when SQLite's log moves into it, which no checkpoint does under a reader that has
/// read from the file alone (<https://www.sqlite.org/wal.html#checkpointing>). Cells that become free are neither cleared
/// nor used again. The vault goes on meanwhile; its log grows.
public final class BackupHold: Sendable {
    private let held: Guarded<Held?>

    private struct Held {
        let reader: Connection
        let chunks: ChunkFile
    }

    fileprivate init(_ reader: Connection, _ chunks: ChunkFile) {
        held = Guarded(Held(reader: reader, chunks: chunks))
    }

    deinit { end() }

    /// Nothing has changed since the hold began.
    public var isHeld: Bool { held.withLock { $0 != nil } }

    /// Lets the vault change its files again.
    public func end() {
        held.withLock { held in
            try? held?.reader.execute("ROLLBACK")
            held?.reader.close()
            held?.chunks.letGo()
            held = nil
        }
    }
}

/// The hold that there is, without keeping it.
struct CurrentHold {
    weak var hold: BackupHold?
}

extension Vault {
    /// Puts everything into the vault's file and keeps that as it is until the hold ends, or the vault is closed, or its
    /// disk is nearly full.
    ///
    /// - Throws: `inUse` where another backup is being taken.
    public func holdForBackup() throws(VaultError) -> BackupHold {
        do throws(Errno) { try synchronizeAll() } catch { throw .io(error, "writing what is open") }
        return try hold.withLock { (current) throws(VaultError) in
            guard state.withLock({ $0 == .open }) else { throw .io(.socketNotConnected, "taking a backup") }
            guard current.hold?.isHeld != true else { throw .inUse }
            chunks.hold()
            do throws(Errno) {
                let hold = BackupHold(
                    try committer.withLock { (committer) throws(Errno) in try settle(committer) }, chunks)
                current.hold = hold
                return hold
            } catch {
                chunks.letGo()
                throw .io(error, "taking a backup")
            }
        }
    }

    /// A backup is being taken.
    public var isHeldForBackup: Bool { hold.withLock { $0.hold?.isHeld ?? false } }

    /// Moves all there is into the file, and reads from that before anybody writes again.
    private func settle(_ committer: Committer) throws(Errno) -> Connection {
        try committer.drain()
        return try applier.writer.withLock { (writer) throws(Errno) in
            try Vault.database { () throws(DatabaseFailure) in
                if !writer.connection.isImmutable { try writer.connection.emptyLog() }
                let reader = try Connection(path: path, readOnly: true, cacheKiB: 64)
                try reader.execute("BEGIN")
                _ = try reader.integer("SELECT count(*) FROM root")
                return reader
            }
        }
    }

    /// A backup that is slow gives way before the log fills the disk.
    func endHoldWhereShort() {
        guard applier.isShortOfSpace || applier.durability.size > Maintenance.heldLogLimit else { return }
        endHold()
    }

    func endHold() { hold.withLock { $0.hold?.end() } }
}
