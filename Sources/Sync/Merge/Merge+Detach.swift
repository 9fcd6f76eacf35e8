internal import Format

/// Copies that become entries like any other: with a place, a mode and times of their own, which the others are told.
extension Merge {
    /// Copies that somebody has touched here, though not moved, are entries like any other: where they stand would else
    /// depend on what is heard of first, that the original has moved or that the rival was replaced (found by the
    /// simulation at seed 10839).
    ///
    /// - Returns: whether there are any; then there are more changes of this device's own.
    mutating func detachCopies(in changes: [Change]) throws(SyncError) -> Bool {
        let copies = try copies()
        guard !copies.isEmpty else { return false }
        var isDetached = false
        for (lineage, rivals) in try replica.contested() where try detachCopies(ofNameless: lineage, rivals) {
            isDetached = true
        }
        for change in changes {
            guard let touched = change.lineage, copies[touched] != nil else { continue }
            for entry in try replica.entries(of: touched) {
                guard let copy = try replica.entry(entry), copy.isUntouchedCopy, copy.isShown else { continue }
                try detach(copy)
                isDetached = true
            }
            if try ownAttributes(of: touched) { isDetached = true }
        }
        return isDetached
    }

    /// The name has left for another file, and nothing is left of the one before but its copies, which stand beside nothing
    /// any more. Where they stand would depend on which was heard of first, that the name has moved or that it has left.
    mutating func detachCopies(ofNameless lineage: Identifier, _ rivals: [Stamp]) throws(SyncError) -> Bool {
        guard try replica.entries(of: lineage).isEmpty else { return false }
        var isDetached = false
        for rival in rivals where try isCopyShown(lineage, rival) {
            try keepCopy(of: lineage, rival)
            isDetached = true
        }
        return isDetached
    }

    /// A copy that nobody has touched becomes an entry like any other. Nobody has asked for that: whoever removes the copy
    /// meanwhile does (found by histories with two writers, at seed 9460).
    mutating func keepCopy(of lineage: Identifier, _ rival: Stamp) throws(SyncError) {
        guard try isCopyShown(lineage, rival), var copy = try replica.entry(Copy(of: lineage, rival).entry) else {
            return
        }
        try settle(&copy)
        try showDetached(copy)
    }

    private mutating func detach(_ copy: EntryRegister) throws(SyncError) {
        var copy = copy
        try makeOwn(&copy)
        try showDetached(copy)
    }

    private mutating func showDetached(_ copy: EntryRegister) throws(SyncError) {
        try show(copy)
        _ = try ownAttributes(of: copy.placement.lineage)
    }

    /// The attributes are those of the original, as far as that was heard of: from now on they are the copy's.
    private mutating func ownAttributes(of copy: Identifier) throws(SyncError) -> Bool {
        guard var attributes = try replica.lineage(copy)?.attributes, attributes.stamp == Copy.stamp else {
            return false
        }
        attributes.stamp = replica.nextStamp()
        try replica.put(attributes)
        try replica.noteOwn(.whole(copy))
        return true
    }
}
