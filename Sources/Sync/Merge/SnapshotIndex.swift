internal import Format

/// The registers of a snapshot by what they are of.
struct SnapshotIndex {
    /// The lineages as they came.
    private(set) var order: [Identifier] = []
    private(set) var lineages: [Identifier: (register: LineageRegister, content: ContentChange?)] = [:]
    /// Directories before what is in them.
    private(set) var entries: [EntryRegister] = []
    private(set) var known: Set<Identifier> = []

    init(_ registers: [SnapshotRegister]) {
        for register in registers {
            switch register {
            case .lineage(let register, let content):
                order.append(register.attributes.lineage)
                lineages[register.attributes.lineage] = (register, content)
            case .entry(let register):
                entries.append(register)
                known.insert(register.placement.entry)
            }
        }
    }

    /// Copies that nobody has touched follow from the rivals.
    var untouchedCopies: Set<Identifier> {
        Set(entries.filter(\.isUntouchedCopy).map(\.placement.lineage))
    }

    /// The versions of a lineage that nothing has replaced.
    func live(_ lineage: Identifier) -> [Stamp] {
        lineages[lineage].map { $0.register.heads + $0.register.rivals } ?? []
    }

    /// The content that a live version has, where it is there.
    func content(_ lineage: Identifier, as stamp: Stamp) -> ContentChange? {
        let known = lineages[lineage]
        if known?.register.heads.contains(stamp) == true {
            var content = known?.content
            content?.stamp = stamp
            return content
        }
        for rival in known?.register.rivals ?? [] {
            guard let copy = lineages[Copy(of: lineage, rival).lineage], var content = copy.content,
                content.stamp == rival, copy.register.heads.contains(stamp)
            else { continue }
            (content.lineage, content.stamp, content.replaces) = (lineage, stamp, [])
            return content
        }
        return nil
    }
}
