internal import Format
internal import Sealing

/// Edits of different fields of one text, by devices that did not know of each other, become one version.
///
/// Once everything has been read, and not as each edit comes: another device may have made that version already, and somebody
/// may have gone on from it (found by histories with three writers, at seed 84).
extension Merge {
    /// Does that for all files with copies that nobody has touched.
    ///
    /// - Returns: the entries of the copies that are not shown any more.
    mutating func mergeEdits() throws(SyncError) -> Set<Identifier> {
        var gone: Set<Identifier> = []
        for (lineage, rivals) in try replica.contested().sorted(by: { $0.lineage < $1.lineage }) where !rivals.isEmpty {
            gone.formUnion(try mergeEdits(of: lineage))
        }
        return gone
    }

    /// Every device that has to do this comes to the same bytes: what two sides began with is the last version that both
    /// replace, and the sides are told apart by their stamps.
    private mutating func mergeEdits(of lineage: Identifier) throws(SyncError) -> Set<Identifier> {
        guard let known = try replica.lineage(lineage), known.isRegular else { return [] }
        let groups = try groups(of: lineage, known)
        guard let present = groups.first, case .present = present.place, let first = try replica.content(of: lineage),
            var text = try replica.open(first)
        else { return [] }
        var (bases, merged) = (Set(first.replaces), [present])
        for group in groups.dropFirst().sorted(by: { $0.latest > $1.latest }) {
            guard try isUntouched(group, of: lineage), let other = try content(group, of: lineage),
                let base = bases.intersection(other.replaces).max(),
                let before = try replica.open(lineage, as: base), let theirs = try replica.open(other),
                let both = FieldMerge.merge(base: before, text, theirs)
            else { continue }
            text = both
            bases.formIntersection(other.replaces)
            merged.append(group)
        }
        guard merged.count > 1 else { return [] }
        let stamps = Set(merged.flatMap(\.stamps))
        let content = try replica.seal(text, for: lineage, replaces: stamps.sorted())
        var gone: Set<Identifier> = []
        for group in merged {
            if case .copy(let stamp) = group.place { gone.insert(Copy(of: lineage, stamp).entry) }
            try withdraw(group, of: lineage)
        }
        try replica.put(content, heads: [content.stamp], rivals: known.rivals.filter { !stamps.contains($0) })
        try replica.noteOwn(.lineage(lineage))
        conflicts.append(.merged(entry: try entry(of: lineage)))
        return gone
    }

    /// Nobody has moved, removed or edited its copy.
    private func isUntouched(_ group: Group, of lineage: Identifier) throws(SyncError) -> Bool {
        guard case .copy(let stamp) = group.place else { return false }
        let copy = Copy(of: lineage, stamp)
        return try replica.entry(copy.entry)?.isUntouchedCopy == true
    }
}
