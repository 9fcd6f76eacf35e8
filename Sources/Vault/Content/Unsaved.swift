public import SystemPackage

/// What would be lost if the vault were closed now.
public struct Unsaved: Sendable, Equatable {
    /// Paths of files whose content could not be saved, as many as ``pathBytes`` allow.
    public var entries: [String] = []
    /// How many there are besides ``entries``.
    public var notListed = 0
    /// Why the first of them could not be saved, or, where all are, why they may not be on the disk.
    public var reason: Errno?
    /// Files of the vault that were replaced, moved or deleted while it was open, so that what they got is lost with it.
    public var strayed: [FilePath] = []

    /// How many bytes of paths are listed.
    static let pathBytes = 32768

    public init() {}

    public var isEmpty: Bool { entries.isEmpty && notListed == 0 && reason == nil && strayed.isEmpty }
    /// How many contents could not be saved.
    public var count: Int { entries.count + notListed }

    /// Adds a content that could not be saved.
    mutating func add(_ path: String, _ reason: Errno) {
        self.reason = self.reason ?? reason
        let bytes = entries.reduce(path.utf8.count) { $0 + $1.utf8.count }
        if bytes > Unsaved.pathBytes { notListed += 1 } else { entries.append(path) }
    }
}

/// What a vault does by itself and could not do, for a log: without names of entries.
public enum Trouble: Sendable, Equatable {
    /// Contents that programs have written could not be saved; how many and why.
    case unsaved(Int, Errno)
    /// What was acknowledged could not be moved into the file.
    case behind(Errno)
    /// The vault was locked with contents unsaved: so many are in the reserve, and so many had no room there.
    case locked(kept: Int, lost: Int)
    /// These files of the vault do not stand under their names any more.
    case strayed([FilePath])

    /// Whether it is the same trouble, if not to the same extent.
    func isLike(_ other: Trouble?) -> Bool {
        switch (self, other) {
        case (.unsaved(_, let reason), .unsaved(_, let otherReason)): reason == otherReason
        default: self == other
        }
    }
}
