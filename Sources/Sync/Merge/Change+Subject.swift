internal import Format

extension Change {
    /// The entry or lineage that it is of.
    var subject: Identifier {
        switch self {
        case .entry(let change): change.entry
        case .removal(let change): change.entry
        case .attributes(let change): change.lineage
        case .content(let change): change.lineage
        }
    }

    /// The lineage that it says something of.
    var lineage: Identifier? {
        switch self {
        case .entry(let change): change.lineage
        case .removal: nil
        case .attributes(let change): change.lineage
        case .content(let change): change.lineage
        }
    }
}
