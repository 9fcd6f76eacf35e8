internal import Dispatch
internal import Format
internal import Synchronization
internal import SystemPackage

/// The writer of the store: the one connection that changes it.
///
/// Not `Sendable`: it lives in the ``Applier``'s lock.
final class StoreWriter {
    let connection: Connection
    let rows: RowStatements

    init(_ connection: Connection) throws(DatabaseFailure) {
        self.connection = connection
        rows = try RowStatements(connection)
    }

    /// Runs `body` in one transaction of SQLite's.
    func transaction<R, E: Error>(
        translating: (DatabaseFailure) -> E, _ body: () throws(E) -> R
    ) throws(E) -> R {
        do throws(DatabaseFailure) { try rows.begin.run() } catch { throw translating(error) }
        let result: R
        do throws(E) { result = try body() } catch {
            try? rows.rollback.run()
            throw error
        }
        do throws(DatabaseFailure) { try rows.commit.run() } catch {
            try? rows.rollback.run()
            throw translating(error)
        }
        return result
    }

    /// Makes the changes part of the store, each row once.
    ///
    /// In the order of slots, which walks each table's tree from one end to the other; versions first, since they
    /// may take over what the store has of a file before that changes.
    func commit(_ set: RowSet) throws(DatabaseFailure) {
        try transaction(translating: { $0 }) { () throws(DatabaseFailure) in try apply(set) }
    }

    func apply(_ set: RowSet) throws(DatabaseFailure) {
        let keys = set.states.keys.sorted { ($0.order, $0.slot) < ($1.order, $1.slot) }
        try unsafe set.bytes.withRawBytes { (bytes) throws(DatabaseFailure) in
            for key in keys {
                guard let state = set.states[key] else { continue }
                unsafe try apply(key, state, bytes)
            }
        }
    }

    private func apply(
        _ key: RowKey, _ state: RowSet.State, _ bytes: UnsafeRawBufferPointer
    ) throws(DatabaseFailure) {
        guard !state.isDeleted else { return unsafe try rows.run(RowChange(.delete, key)) }
        var change = unsafe RowChange(.put, key)
        unsafe change.seal = UnsafeRawBufferPointer(rebasing: bytes[state.seal])
        unsafe change.body = UnsafeRawBufferPointer(rebasing: bytes[state.body])
        switch state.content {
        case .stored: unsafe change.kind = .update
        case .none: break
        case .bytes(let range): unsafe change.content = UnsafeRawBufferPointer(rebasing: bytes[range])
        case .file(let file):
            unsafe try rows.run(change)
            return try rows.copyContent.bind(1, key.slot).bind(2, file).run()
        }
        unsafe try rows.run(change)
    }
}

extension RowKey {
    fileprivate var order: UInt8 { table == Table.version.rawValue ? 0 : table + 1 }
}

/// Moves what is in the journal into the store, beside those who add to it.
final class Applier: Sendable {
    let writer: Guarded<StoreWriter>
    private let journal: Journal
    let durability: Durability
    private let shortOfSpace: Atomic<Bool>
    private let reserve = Mutex<Reserve?>(nil)
    private let queue = DispatchQueue(label: "coffer.apply", qos: .utility)

    init(_ writer: StoreWriter, journal: Journal, durability: Durability) {
        shortOfSpace = Atomic(writer.connection.isShortOfSpace)
        self.writer = Guarded(writer)
        self.journal = journal
        self.durability = durability
    }

    /// Where the disk is full, `reserve` gives way.
    func use(_ reserve: Reserve) { self.reserve.withLock { $0 = reserve } }

    /// Runs what writes into the store. On a full disk it makes room and tries again, as far as `claim` goes.
    private func withRoom<R>(
        _ claim: Reserve.Claim?, _ writer: StoreWriter, _ body: () throws(Errno) -> R
    ) throws(Errno) -> R {
        var hasMovedLog = false
        while true {
            do throws(Errno) { return try body() } catch {
                guard error == .noSpace, let claim else { throw error }
                if hasMovedLog, !giveUpReserve(claim) { throw error }
                // Then it begins anew, in the room that it has. The file may have to grow for that.
                while isFull({ () throws(DatabaseFailure) in try writer.connection.checkpoint() }) {
                    guard giveUpReserve(claim) else { throw error }
                }
                hasMovedLog = true
            }
        }
    }

    private func giveUpReserve(_ claim: Reserve.Claim) -> Bool {
        reserve.withLock { $0 }?.giveUp(for: claim) ?? false
    }

    private func isFull(_ body: () throws(DatabaseFailure) -> Void) -> Bool {
        do throws(DatabaseFailure) { try body() } catch { return error == .full }
        return false
    }

    /// Returns when the full region, if there is one, is in the store and on the disk. Waits for one who is at it.
    func apply() throws(Errno) {
        try writer.withLock { (writer) throws(Errno) in
            // What was acknowledged has no less a claim than a removal.
            guard try withRoom(.removal, writer, { () throws(Errno) in try store(writer) }) else { return }
            // Before the region is written again: its entries may have been promised to survive a power loss.
            try durability.makeDurable()
            journal.releaseFull()
            noteSpace(writer)
        }
    }

    /// Moves the rows of the full region.
    ///
    /// - Returns: false where there is none.
    private func store(_ writer: StoreWriter) throws(Errno) -> Bool {
        guard let full = journal.full else { return false }
        guard !full.isStored else { return true }
        do throws(DatabaseFailure) { try writer.commit(full.rows) } catch { throw error.errno }
        durability.noteCommit()
        // Once only, also where it cannot be made durable: a version that takes over what the store has of a
        // file would get its later content the second time.
        journal.noteFullStored()
        return true
    }

    /// Puts one operation into the store, past the journal, which is empty.
    ///
    /// - Parameter claim: what it may have of the reserve.
    func commit(_ rows: RowSet, claim: Reserve.Claim?) throws(Errno) {
        try writer.withLock { (writer) throws(Errno) in
            try withRoom(claim, writer) { () throws(Errno) in
                do throws(DatabaseFailure) { try writer.commit(rows) } catch { throw error.errno }
            }
            durability.noteCommit()
            noteSpace(writer)
        }
    }

    /// Writes whether the vault's file is whole by itself. The reserve gives way for it: without it nothing can be written.
    func note(_ mark: SessionMark) throws(Errno) {
        try writer.withLock { (writer) throws(Errno) in
            try withRoom(.removal, writer) { () throws(Errno) in
                do throws(DatabaseFailure) { try writer.connection.note(mark) } catch { throw error.errno }
            }
        }
    }

    /// Less than 64 MiB were free where the file is, when something was last written into it: then operations
    /// have to meet the full disk themselves.
    var isShortOfSpace: Bool { shortOfSpace.load(ordering: .relaxed) }

    /// Looks how much is free.
    func noteSpace() { writer.withLock { noteSpace($0) } }

    private func noteSpace(_ writer: StoreWriter) {
        shortOfSpace.store(writer.connection.isShortOfSpace, ordering: .relaxed)
    }

    /// As ``apply()``, some time soon. A failure is met again by whoever needs the region.
    func applySoon() {
        queue.async { [self] in
            do throws(Errno) { try apply() } catch { return }
        }
    }

    /// Returns when nothing is under way.
    func stop() { queue.sync {} }
}
