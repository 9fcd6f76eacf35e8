internal import Format

/// The versions of a lineage that nothing has replaced and nobody has dealt with: what is shown follows from them alone, so
/// that devices which know the same show the same, whatever came first.
///
/// - Versions with the same bytes make a group. The group with the latest version is the content of the lineage.
/// - Each other group is shown as a copy, which is called after the earliest of its versions. The heads of the copy's lineage
///   are the versions of the group, the earliest first.
/// - Once somebody edits, moves or removes a copy, the versions that he knew to be shown by it are dealt with.
extension Merge {
    struct Group {
        enum Place {
            /// The content of the lineage.
            case present
            /// The copy that is called after that version.
            case copy(Stamp)
            /// A change that is being applied.
            case incoming(ContentChange)
        }

        var place: Place
        var stamps: [Stamp]
        /// When a version that has joined it was saved. The earliest counts, on every device.
        var joined: Timestamp?
        var latest: Stamp { stamps.max() ?? .zero }
    }

    func groups(of lineage: Identifier, _ known: LineageRegister) throws(SyncError) -> [Group] {
        var groups: [Group] = []
        var rest = known.rivals
        for rival in known.rivals where rest.contains(rival) {
            let copy = Copy(of: lineage, rival).lineage
            guard try replica.content(of: copy)?.stamp == rival, let shown = try replica.lineage(copy) else { continue }
            let stamps = shown.heads.filter { rest.contains($0) }
            groups.append(Group(place: .copy(rival), stamps: stamps))
            rest.removeAll { stamps.contains($0) }
        }
        // Programs from before have not kept which versions a copy shows besides the one that it is called after.
        groups.insert(Group(place: .present, stamps: known.heads + rest), at: 0)
        return groups
    }

    func content(_ group: Group, of lineage: Identifier) throws(SyncError) -> ContentChange? {
        var content: ContentChange?
        switch group.place {
        case .present: content = try replica.content(of: lineage)
        case .incoming(let change): content = change
        case .copy(let stamp): content = try replica.content(of: Copy(of: lineage, stamp).lineage)
        }
        content?.lineage = lineage
        if let joined = group.joined, let saved = content?.modified { content?.modified = min(joined, saved) }
        return content
    }

    /// Takes versions out of a lineage, and puts one in.
    ///
    /// - Parameter dealt: versions among those that go whose copies stay, because somebody has made something else of them.
    mutating func update(
        _ lineage: Identifier, without gone: Set<Stamp>, dealtWith dealt: Set<Stamp> = [],
        adding change: ContentChange? = nil
    ) throws(SyncError) {
        guard let known = try replica.lineage(lineage) else { return }
        let before = try groups(of: lineage, known)
        var groups = before
        for index in groups.indices { groups[index].stamps.removeAll { gone.contains($0) } }
        groups.removeAll { $0.stamps.isEmpty }
        if let change {
            if let same = try group(withBytesOf: change, in: groups, lineage) {
                groups[same].stamps.append(change.stamp)
                groups[same].joined = change.modified
            } else {
                groups.append(Group(place: .incoming(change), stamps: [change.stamp]))
            }
        }
        try show(groups, of: lineage, before, dealt)
    }

    /// This device has written a file. What has the same bytes now is one group, as it will be where that is read.
    mutating func joinGroups(of lineage: Identifier) throws(SyncError) {
        guard let known = try replica.lineage(lineage), !known.rivals.isEmpty,
            let present = try replica.content(of: lineage)
        else { return }
        let before = try groups(of: lineage, known)
        guard case .present? = before.first?.place else { return }
        var groups = [before[0]]
        for group in before.dropFirst() {
            if let content = try content(group, of: lineage), try hasSameBytes(content, present) {
                groups[0].stamps += group.stamps
                groups[0].joined = min(groups[0].joined ?? content.modified, content.modified)
            } else {
                groups.append(group)
            }
        }
        if groups.count < before.count { try show(groups, of: lineage, before, []) }
    }

    private func group(
        withBytesOf change: ContentChange, in groups: [Group], _ lineage: Identifier
    ) throws(SyncError) -> Int? {
        for (index, group) in groups.enumerated() {
            if let content = try content(group, of: lineage), try hasSameBytes(content, change) { return index }
        }
        return nil
    }

    private mutating func show(
        _ groups: [Group], of lineage: Identifier, _ before: [Group], _ dealt: Set<Stamp>
    ) throws(SyncError) {
        let latest = groups.indices.max { groups[$0].latest < groups[$1].latest }
        guard let latest else { return }
        let heads = groups[latest].stamps.sorted(by: >)
        let content = try content(groups[latest], of: lineage)
        let (competing, apart) = Self.divide(groups.indices.filter { $0 != latest }.map { groups[$0] })
        let rivals = competing.flatMap(\.stamps).sorted()
        // First what is shown anew: it may have its chunks in common with what goes.
        var shown: Set<Stamp> = []
        for index in groups.indices where index != latest {
            shown.insert(try showCopy(of: groups[index], of: lineage))
        }
        if case .present = groups[latest].place {
            try replica.setHeads(heads, rivals: rivals, of: lineage)
            if groups[latest].joined != nil, let content { try replica.setSaved(content.modified, of: lineage) }
        } else if var content {
            (content.lineage, content.stamp) = (lineage, heads[0])
            try replica.put(content, heads: heads, rivals: rivals)
        }
        for group in apart { if let stamp = group.stamps.min() { try keepCopy(of: lineage, stamp) } }
        for group in before {
            guard case .copy(let stamp) = group.place, !shown.contains(stamp) else { continue }
            guard dealt.contains(stamp) else {
                try withdraw(group, of: lineage)
                continue
            }
            let copy = Copy(of: lineage, stamp).lineage
            try replica.setHeads(group.stamps.filter { dealt.contains($0) }, rivals: [], of: copy)
        }
    }

    /// What competes with a content is bounded: beyond that the earliest are entries of their own.
    private static func divide(_ groups: [Group]) -> (competing: [Group], apart: [Group]) {
        var competing = groups.sorted { ($0.stamps.min() ?? .zero) < ($1.stamps.min() ?? .zero) }[...]
        var apart: [Group] = []
        while competing.reduce(0, { $0 + $1.stamps.count }) > Limits.stamps / 2, let first = competing.popFirst() {
            apart.append(first)
        }
        return (Array(competing), apart)
    }

    /// Shows a group as the copy that is called after its earliest version, which is returned.
    private mutating func showCopy(of group: Group, of lineage: Identifier) throws(SyncError) -> Stamp {
        let stamps = group.stamps.sorted()
        if case .copy(let stamp) = group.place, stamp == stamps[0] {
            let copy = Copy(of: lineage, stamp).lineage
            if try replica.lineage(copy)?.heads != stamps { try replica.setHeads(stamps, rivals: [], of: copy) }
            if group.joined != nil, let content = try content(group, of: lineage) {
                try replica.setSaved(content.modified, of: copy)
                try setTimes(content.modified, of: copy)
            }
        } else if let content = try content(group, of: lineage) {
            let isNews = if case .copy = group.place { false } else { true }
            try showCopy(of: content, as: stamps, isNews: isNews)
        }
        return stamps[0]
    }

    func withdraw(_ group: Group, of lineage: Identifier) throws(SyncError) {
        guard case .copy(let stamp) = group.place else { return }
        let copy = Copy(of: lineage, stamp)
        if try replica.entry(copy.entry)?.isUntouchedCopy == true { try replica.withdraw(copy.entry) }
    }

    // MARK: Copies that somebody has dealt with

    /// The copies that could be of what competes, by their entries and lineages.
    func copies() throws(SyncError) -> [Identifier: (lineage: Identifier, stamp: Stamp)] {
        var copies: [Identifier: (lineage: Identifier, stamp: Stamp)] = [:]
        for (lineage, rivals) in try replica.contested() {
            // Of a file that has no name any more only the rivals may be known.
            for stamp in Set(try versions(of: lineage)).union(rivals) {
                let copy = Copy(of: lineage, stamp)
                (copies[copy.entry], copies[copy.lineage]) = ((lineage, stamp), (lineage, stamp))
            }
        }
        return copies
    }

    /// Nobody speaks of a copy who has not touched it.
    mutating func settleCopies(in changes: [Change]) throws(SyncError) {
        let copies = try copies()
        guard !copies.isEmpty else { return }
        var dealt: [Identifier: Set<Stamp>] = [:]
        for change in changes {
            guard let copy = copies[change.subject] ?? change.lineage.flatMap({ copies[$0] }) else { continue }
            dealt[copy.lineage, default: []].formUnion(change.versions + [copy.stamp])
        }
        for (lineage, stamps) in dealt.sorted(by: { $0.key < $1.key }) { try settle(lineage, stamps) }
    }

    /// Copies that were dealt with while programs from before ran, which left their rivals as they were.
    mutating func settleOldRivals() throws(SyncError) {
        for (lineage, _) in try replica.contested() {
            guard let known = try replica.lineage(lineage) else { continue }
            var dealt: Set<Stamp> = []
            for rival in known.rivals {
                let copy = try replica.entry(Copy(of: lineage, rival).entry)
                guard let copy, !copy.isUntouchedCopy else { continue }
                dealt.insert(rival)
            }
            if !dealt.isEmpty { try settle(lineage, dealt) }
        }
    }

    private mutating func settle(_ lineage: Identifier, _ said: Set<Stamp>) throws(SyncError) {
        guard let known = try replica.lineage(lineage) else { return }
        var gone = said.intersection(known.heads + known.rivals)
        for group in try groups(of: lineage, known) where !gone.isDisjoint(with: group.stamps) {
            guard case .copy = group.place else { continue }
            gone.formUnion(group.stamps.filter { knows($0) })
        }
        guard !Set(known.heads + known.rivals).isSubset(of: gone) else { return }
        try update(lineage, without: gone, dealtWith: gone)
    }
}

extension Change {
    /// Versions that it says something of.
    fileprivate var versions: [Stamp] {
        switch self {
        case .removal(let change): change.saw
        case .content(let change): change.replaces
        default: []
        }
    }
}
