internal import Format

/// Directories that somebody has removed, and that are shown for what is in them.
extension Merge {
    /// Whoever puts something into such a directory wants it. Others may have forgotten it by now, since everybody has heard
    /// of its removal, and would not know where to put what is new in it: so it is told again, with all that is above it,
    /// as if it had been made now (found by histories with two writers, at seeds 6397, 6878 and 8485).
    ///
    /// - Returns: whether there are any; then there are more changes of this device's own.
    mutating func reclaimDirectories(in changes: [Change]) throws(SyncError) -> Bool {
        guard try !replica.removedButShown().isEmpty else { return false }
        var isReclaimed = false
        for case .entry(let change) in changes where change.stamp.device == own {
            guard let placed = try replica.entry(change.entry), placed.isShown else { continue }
            for var above in try path(from: placed.placement.parent) where above.isShown && !above.removals.isEmpty {
                try makeOwn(&above)
                try show(above)
                try replica.noteOwn(.whole(above.placement.lineage))
                isReclaimed = true
            }
        }
        return isReclaimed
    }
}
