public import Format

/// The entries that an alarm is about, as far as they can be known here. Their names are as secret as what is in them: they
/// stand in no error, in no state and in no evidence, and are asked for where they are shown.
public struct AffectedEntries: Equatable, Sendable {
    /// One of them, and where to look for it where the tree does not show it: removed, or known to the remote only.
    public struct Entry: Equatable, Sendable {
        public var entry: Identifier
        /// The entry of the directory that it is in; nil at the top.
        public var directory: Identifier?
        public var name: [UInt8]

        public init(entry: Identifier, directory: Identifier?, name: [UInt8]) {
            (self.entry, self.directory, self.name) = (entry, directory, name)
        }
    }

    /// Those that were changed last, the latest first: ``most`` at the most.
    public var entries: [Entry] = []
    /// How many were found, those of ``entries`` included.
    public var count = 0
    /// There may be others: not everything that would tell of them can be read.
    public var isIncomplete = false
    /// When the latest content among them was saved, by the clock of the device that did. nil where none is a content.
    public var saved: Timestamp?

    public init() {}

    /// How many are named.
    public static let most = 10
}
