internal import Format
internal import SystemPackage

/// The time from an opening for writing to the close, in which the vault's file is not whole by itself.
extension Committer {
    /// From now on the file is not whole by itself: nothing is written beside it before it says so.
    ///
    /// Where the disk is full that waits for the first change, which meets the full disk, too.
    func begin(_ session: Identifier) throws(DatabaseFailure) {
        let mark = SessionMark(isOpen: true, hasJournal: journal.isThere, identifier: session)
        self.session = mark
        // First: where noting it fails half-way, the file may say so already, and SQLite would remove the log.
        reading.keepLog(true)
        applier.writer.withLock { $0.connection.keepLog(true) }
        do throws(DatabaseFailure) {
            try applier.writer.withLock { (writer) throws(DatabaseFailure) in try writer.connection.note(mark) }
        } catch .full {
            isUnmarked = true
        }
    }

    func markOpen() throws(Errno) {
        guard isUnmarked, let session else { return }
        try applier.note(session)
        isUnmarked = false
    }

    /// Lets go of the file, which is the last to do so of this process.
    ///
    /// - Parameter isWhole: everything is in the store. The file says so, and what is beside it goes.
    func close(isWhole: Bool) {
        applier.stop()
        reading.close()
        applier.writer.withLock { writer in
            if isWhole, let session, (try? writer.connection.note(session.ended)) != nil { journal.remove() }
            writer.connection.close()
        }
    }
}
