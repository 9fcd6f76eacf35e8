/// What a replica knows of an entry: where it is, and who removed it.
public struct EntryRegister: Equatable, Sendable {
    /// The last placement by stamp.
    public var placement: EntryChange
    /// Removals that nothing has undone: see ``RemovalChange``.
    public var removals: [RemovalChange]
    /// It is in the tree. A removed directory is, as long as something in it is.
    public var isShown: Bool

    public init(placement: EntryChange, removals: [RemovalChange] = [], isShown: Bool = true) {
        (self.placement, self.removals, self.isShown) = (placement, removals, isShown)
    }
}

/// What a replica knows of a lineage.
public struct LineageRegister: Equatable, Sendable {
    public var attributes: AttributesChange
    /// The content versions that nothing has replaced. More than one are the same bytes: what differs becomes a
    /// conflict at once. Empty where there never was a content.
    public var heads: [Stamp]
    /// The present content, without its chunks' blobs.
    public var content: ContentReference

    public init(attributes: AttributesChange, heads: [Stamp], content: ContentReference) {
        (self.attributes, self.heads, self.content) = (attributes, heads, content)
    }

    public var isDirectory: Bool { attributes.mode & 0o170000 == 0o040000 }
    public var isRegular: Bool { attributes.mode & 0o170000 == 0o100000 }
}
