public import SystemPackage

/// What became, with this opening, of contents that could not be saved before the vault was locked last.
public struct ReserveReport: Sendable, Equatable {
    /// One that was put back.
    public struct Restored: Sendable, Equatable {
        /// The entry's path at that time.
        public var path: String
        /// The entry that has the content now, where it is another one: the first has changed, or is gone.
        public var copy: String?
        /// Only the changed parts of it are there.
        public var isInParts = false
    }

    /// Contents that are in the vault again. Where the disk is still full they are in memory, and are saved later.
    public var restored: [Restored] = []
    /// Paths of those that wait in the reserve: the vault was opened read-only, or they could not be put back.
    public var waiting: [String] = []
    /// Paths of those that the reserve had no room for.
    public var lost: [String] = []
    /// How many there are besides ``lost``.
    public var lostNotListed = 0
    /// The reserve did not open, or not to its end, and is in this file now.
    public var damaged: FilePath?

    public var isEmpty: Bool { self == ReserveReport() }
}
