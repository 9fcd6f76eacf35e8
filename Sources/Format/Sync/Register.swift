/// What a replica knows of an entry: where it is, and who removed it.
public struct EntryRegister: Equatable, Sendable {
    /// The one that counts: see ``isLater(than:)``.
    public var placement: EntryChange {
        didSet { if placement.stamp != oldValue.stamp { settles = nil } }
    }
    /// Where a merge has made the placement: the one before it, which somebody has made.
    public var settles: Stamp?
    /// Removals of who knew the placement, whether they hold or not: see ``RemovalChange``. At most ``Limits/removals``.
    public var removals: [RemovalChange]
    /// It is in the tree. A removed directory is, as long as something in it is, and a file of which a version is live that
    /// its removal has not seen.
    public var isShown: Bool

    public init(placement: EntryChange, removals: [RemovalChange] = [], isShown: Bool = true) {
        (self.placement, self.removals, self.isShown) = (placement, removals, isShown)
    }

    /// One more removal.
    public mutating func add(_ removal: RemovalChange) { removals = EntryRegister.bounded(removals + [removal]) }

    /// As many as a register has room for: the latest.
    public static func bounded(_ removals: [RemovalChange]) -> [RemovalChange] {
        guard removals.count > Limits.removals else { return removals }
        return Array(removals.sorted { $0.stamp < $1.stamp }.suffix(Limits.removals))
    }

    /// The placement that somebody has made: this one, or what it stands for.
    public var asked: Stamp { settles ?? placement.stamp }

    /// Which of two placements of an entry counts: what somebody has asked for later; where that is the same, the later
    /// merge. A merge never wins over what it did not know.
    public func isLater(than other: EntryRegister) -> Bool {
        (asked, placement.stamp) > (other.asked, other.placement.stamp)
    }

    public mutating func takePlacement(of other: EntryRegister) {
        placement = other.placement
        settles = other.settles
    }
}

/// What a replica knows of a lineage.
public struct LineageRegister: Equatable, Sendable {
    public var attributes: AttributesChange
    /// The versions that the present content is: more than one where devices came to the same bytes by themselves. The
    /// next own content replaces all of them. Empty where there never was a content.
    public var heads: [Stamp]
    /// Versions with other bytes that nothing has replaced either: each is shown as a copy beside the entry.
    public var rivals: [Stamp]
    /// The present content, without its chunks' blobs.
    public var content: ContentReference

    public init(attributes: AttributesChange, heads: [Stamp], rivals: [Stamp] = [], content: ContentReference) {
        (self.attributes, self.heads, self.rivals, self.content) = (attributes, heads, rivals, content)
    }

    public var isDirectory: Bool { attributes.mode & 0o170000 == 0o040000 }
    public var isRegular: Bool { attributes.mode & 0o170000 == 0o100000 }
}
