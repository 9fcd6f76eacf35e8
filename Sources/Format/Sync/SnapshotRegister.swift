/// One register as a snapshot has it: what a device that has none of them starts from.
///
/// Lineages come before the entries that lead to them, directories before what is in them.
public enum SnapshotRegister: Equatable, Sendable {
    /// A lineage with its present content, chunks and all; nil where there never was one. The copies that are shown for
    /// its rivals are lineages and entries of their own.
    case lineage(LineageRegister, content: ContentChange?)
    /// An entry, shown or not.
    case entry(EntryRegister)
}
