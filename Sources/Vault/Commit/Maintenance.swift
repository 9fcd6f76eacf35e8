internal import Dispatch
internal import Synchronization
internal import SystemPackage

/// What happens twice a second while a vault is open: changes that nobody flushed are committed and made
/// durable, the journal moves into the store and the log into the file, the trash loses what is too old.
final class Maintenance: Sendable {
    private let timer = Guarded<(any DispatchSourceTimer)?>(nil)
    private let queue = DispatchQueue(label: "coffer.maintenance", qos: .utility)
    /// The log is moved into the file above this many bytes.
    static let checkpointSize: Int64 = 8 << 20
    /// Above this many, whoever is writing waits for it: the log would grow without an end otherwise.
    static let checkpointForced: Int64 = 96 << 20
    /// While a backup is taken the log stays. Above this many, the backup ends instead.
    static let heldLogLimit: Int64 = 4 << 30

    func start(_ vault: Vault) {
        let source = DispatchSource.makeTimerSource(queue: queue)
        source.schedule(deadline: .now() + 0.5, repeating: 0.5, leeway: .milliseconds(50))
        source.setEventHandler { [weak vault] in vault?.maintain() }
        timer.withLock { $0 = source }
        source.activate()
    }

    /// Returns when no round is running and none will come.
    func stop() {
        timer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
        queue.sync {}
    }
}

/// Not the lock's own value: see ``WaitNotice``.
struct TroubleListener {
    var call: (@Sendable (Trouble?) -> Void)?
    var last: Trouble?
}

extension Vault {
    /// One round. Errors are met again by whoever asks for durability; here only the log is told.
    func maintain() {
        let strayed = strayed()
        committer.withLock { $0.noteStrayed(!strayed.isEmpty) }
        commitOldContents()
        // What would go into the files now goes with them.
        guard strayed.isEmpty else { return report(.strayed(strayed)) }
        var trouble: Trouble?
        let (root, freed) = committer.withLock { ($0.root, $0.handOver()) }
        do throws(Errno) {
            try makeDurable()
            file.saveCounter(of: root, readOnly: isReadOnly)
            try applier.apply()
            chunks.release(freed)
        } catch {
            // Whoever asks for durability meets it again.
            committer.withLock { $0.keepCells(freed) }
            trouble = .behind(error)
        }
        applier.noteSpace()
        settleReserve()
        reserve.grow()
        keepBounds()
        endHoldWhereShort()
        if applier.durability.size > Maintenance.checkpointSize { checkpoint() }
        let failures = contents.withLock { Array($0.values) }.compactMap { content in
            content.withLockIfAvailable { $0.failure } ?? nil
        }
        if let reason = failures.first { trouble = .unsaved(failures.count, reason) }
        report(trouble)
    }

    /// Tells of what has begun or ended.
    private func report(_ trouble: Trouble?) {
        let call = troubles.withLock { troubles -> (@Sendable (Trouble?) -> Void)? in
            defer { troubles.last = trouble }
            let isKnown = trouble.map { $0.isLike(troubles.last) } ?? (troubles.last == nil)
            return isKnown ? nil : troubles.call
        }
        call?(trouble)
    }

    /// Calls `handler` when what a vault does by itself begins to fail, or fails for another reason, and with nil when all
    /// of it works again; on a thread that holds no lock.
    public func onTrouble(_ handler: @escaping @Sendable (Trouble?) -> Void) {
        troubles.withLock { $0.call = handler }
    }

    /// Moves the log into the file. Takes the writer only when the log has grown out of bounds: a passive
    /// checkpoint works beside one, but while it keeps writing the log never restarts.
    func checkpoint() {
        if applier.durability.size > Maintenance.checkpointForced {
            applier.writer.withLock { try? $0.connection.checkpoint() }
        } else {
            checkpointer.withLock { try? $0?.checkpoint() }
        }
    }
}
