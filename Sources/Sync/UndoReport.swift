public import Format

/// From where on the edits of a device are undone.
public enum UndoStart: Equatable, Sendable {
    /// What this device has learned since then, by its own clock, in seconds since 1970. The other device's clock counts
    /// nowhere: who has it may set it.
    case time(Int64)
    /// From that segment of the device's log on.
    case segment(UInt64)
}

/// What became of the edits of a device that were to be undone.
public struct UndoReport: Equatable, Sendable {
    /// What was done with an entry.
    public enum Deed: Hashable, Sendable, CaseIterable {
        /// It has the content from before.
        case restored
        /// It is back from the trash.
        case broughtBack
        /// It is where it was.
        case movedBack
        /// It is in the trash: the device had made it.
        case removed
        /// It has its mode, owner and time from before.
        case attributes
    }

    /// Why an edit stays.
    public enum Reason: Equatable, Sendable {
        /// Another device has edited, moved or removed it since. Whose edit it is.
        case editedSince(Identifier)
        /// This device has no version of it from before: it gave way, or never was here.
        case noVersion
        /// It waits in the trash of this device no more.
        case notInTrash
        /// The device had made the folder, and others have something in it.
        case folderInUse
        /// The device wrote it last, before this one began to keep what others do.
        case beforeTraces
        /// A program is writing into it.
        case inUse
        case tooLarge
        /// The store refused.
        case refused
    }

    public struct Left: Equatable, Sendable {
        /// From the top of the vault.
        public var path: [UInt8]
        public var reason: Reason
    }

    /// How many entries, by what was done. Those that are as they were, because it was done before, count as well.
    public var done: [Deed: Int] = [:]
    /// What stays as the device has made it, or as somebody has made it since: at most ``most``.
    public var left: [Left] = []
    /// How many more there are.
    public var notListed = 0
    /// Since when this device knows what others do, where that is later than was asked for, in seconds since 1970.
    public var knownSince: Int64?

    public init() {}

    /// How many are named.
    public static let most = 10_000

    mutating func note(_ deed: Deed) { done[deed, default: 0] += 1 }

    mutating func note(_ path: [UInt8], _ reason: Reason) {
        guard left.count < UndoReport.most else { return notListed += 1 }
        left.append(Left(path: path, reason: reason))
    }
}
