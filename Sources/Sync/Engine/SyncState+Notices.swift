internal import Format

/// What members say of the vault, kept within bounds: a member whose device is in other hands can sign any number of notices,
/// and takes the place of no one else's.
extension SyncState {
    /// - Parameter author: who has issued it; nil where that is not known.
    mutating func add(kit: Identifier, of author: Identifier?) {
        guard !kits.contains(kit) else { return }
        kits.append(kit)
        authors.kits.append(author ?? .none)
        let own = authors.kits.indices.filter { authors.kits[$0] == author }
        if own.count > SyncState.kitsMostOfOne {
            removeKit(at: own[0])
        } else if kits.count > SyncState.kitsMost {
            removeKit(at: 0)
        }
    }

    private mutating func removeKit(at index: Int) {
        kits.remove(at: index)
        authors.kits.remove(at: index)
    }

    /// - Parameter author: who says it; nil where that is not known.
    mutating func keep(_ notice: Notice, of author: Identifier?) {
        removeStanding { $0 == notice }
        standing.append(notice)
        authors.standing.append(author ?? .none)
        let same = standing.indices.filter { standing[$0].kind == notice.kind }
        let own = same.filter { authors.standing[$0] == author }
        // A key's place in the order of epochs is needed by whoever joins, whoever has made it.
        let isMany = notice.kind == .adminWrap && own.count > SyncState.standingMostOfOne
        if isMany {
            removeStanding(at: own[0])
        } else if same.count > SyncState.standingMost {
            removeStanding(at: same[0])
        }
    }

    /// Takes notices out of ``standing``.
    mutating func removeStanding(where isGone: (Notice) -> Bool) {
        for index in standing.indices.reversed() where isGone(standing[index]) { removeStanding(at: index) }
    }

    private mutating func removeStanding(at index: Int) {
        standing.remove(at: index)
        authors.standing.remove(at: index)
    }
}
