internal import SystemPackage
internal import Vault

/// Why a vault was not locked, or what was lost by locking it; the answer of the control file `lock`, as JSON.
public struct LockRefusal: Codable, Sendable {
    /// Paths of entries whose content is not saved.
    public var entries: [String]
    /// How many there are besides ``entries``.
    public var notListed: Int
    public var reason: String?
    /// Files of the vault that were replaced, moved or deleted while it is mounted.
    public var strayed: [String]
    /// It is locked nevertheless: this came up when it could not be stopped any more.
    public var isLocked: Bool

    init(_ unsaved: Unsaved, isLocked: Bool) {
        entries = unsaved.entries
        notListed = unsaved.notListed
        reason = unsaved.reason?.description
        strayed = unsaved.strayed.map(\.string)
        self.isLocked = isLocked
    }

    /// What is not saved, in words.
    public var sentence: String {
        if let file = strayed.first {
            return "\(file) was replaced, moved or deleted under the mount; what was changed since goes with it."
        }
        let why = reason.map { " (\($0))" } ?? ""
        let count = entries.count + notListed
        guard count > 0 else { return "What was changed last may not be on the disk\(why)." }
        let what = count == 1 ? "The content of one entry is" : "The contents of \(count) entries are"
        return "\(what) not saved\(why)."
    }
}
