internal import Dispatch
internal import SystemPackage

/// What happens once a second while a vault is open: changes that nobody flushed are committed, commits
/// are made durable, the log is moved into the file, the trash is emptied of what is too old.
final class Maintenance: Sendable {
    private let timer = Guarded<(any DispatchSourceTimer)?>(nil)
    private let queue = DispatchQueue(label: "coffer.maintenance", qos: .utility)
    /// The log is moved into the file above this many bytes.
    static let checkpointSize: Int64 = 8 << 20
    /// Above this many, whoever is writing waits for it: the log would grow without an end otherwise.
    static let checkpointForced: Int64 = 96 << 20

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

extension Vault {
    /// One round. Errors are met again by whoever asks for durability; here there is nobody to tell.
    func maintain() {
        commitOldContents()
        let counter = committer.withLock { committer in
            // The counter of what is in the store; none where the batch could not be committed.
            (try? committer.commitBatch()).map { committer.root.counter }
        }
        if durability.isBehind {
            do throws(Errno) {
                try durability.makeDurable()
                if let counter { file.save(counter: counter, readOnly: isReadOnly) }
            } catch {
                // Whoever asks for durability meets it again.
            }
        }
        purgeTrash()
        if durability.logSize > Maintenance.checkpointSize { checkpoint() }
    }

    /// Moves the log into the file. Takes the committer only when the log has grown out of bounds: a
    /// passive checkpoint works beside a writer, but while one keeps writing the log never restarts.
    func checkpoint() {
        if durability.logSize > Maintenance.checkpointForced {
            committer.withLock { committer in
                try? committer.commitBatch()
                try? committer.connection.checkpoint()
            }
        } else {
            checkpointer.withLock { try? $0?.checkpoint() }
        }
    }
}
