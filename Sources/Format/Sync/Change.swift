/// One change as the devices tell each other: the whole new value of one register, so that hearing it twice changes
/// nothing and what is heard late can be compared.
public enum Change: Equatable, Sendable {
    case entry(EntryChange)
    case removal(RemovalChange)
    case attributes(AttributesChange)
    case content(ContentChange)

    /// When it was made.
    public var stamp: Stamp {
        switch self {
        case .entry(let change): change.stamp
        case .removal(let change): change.stamp
        case .attributes(let change): change.stamp
        case .content(let change): change.stamp
        }
    }
}

/// Where an entry stands, and the lineage that it points at.
///
/// A *lineage* is what devices know a file by: a save that puts another inode at the name goes on with the lineage of
/// the one before, so that an edit in place and an atomic save are the same to the other devices.
public struct EntryChange: Equatable, Sendable {
    public var entry: Identifier
    /// The lineage of the directory; that of a directory is its identifier.
    public var parent: Identifier
    public var lineage: Identifier
    public var stamp: Stamp
    public var name: [UInt8]

    public init(entry: Identifier, parent: Identifier, lineage: Identifier, stamp: Stamp, name: [UInt8]) {
        (self.entry, self.parent, self.lineage, self.stamp, self.name) = (entry, parent, lineage, stamp, name)
    }
}

/// An entry was removed. It carries what it saw: a content version that is none of these brings the entry back.
public struct RemovalChange: Equatable, Sendable {
    public var entry: Identifier
    public var stamp: Stamp
    /// Content versions; ``Stamp/zero`` among them says that the file had another name then.
    public var saw: [Stamp]

    /// Whoever took one of several names has not given up the content.
    public var isOfOneName: Bool { saw.contains(.zero) }

    /// It has seen these, too. Beyond ``Limits/stamps`` the first are dropped, but not that it is of one name.
    public mutating func add(_ versions: [Stamp]) {
        let isOfOneName = isOfOneName
        let all = saw.filter { $0 != .zero } + versions.filter { $0 != .zero && !saw.contains($0) }
        let kept = all.suffix(Limits.stamps - (isOfOneName ? 1 : 0))
        saw = (isOfOneName ? [.zero] : []) + kept
    }

    public init(entry: Identifier, stamp: Stamp, saw: [Stamp]) {
        (self.entry, self.stamp, self.saw) = (entry, stamp, saw)
    }
}

/// The attributes of a lineage; the last one wins.
public struct AttributesChange: Equatable, Sendable {
    public var lineage: Identifier
    public var stamp: Stamp
    public var mode: UInt32
    public var owner: UInt32
    public var group: UInt32
    public var ownedByMounter: Bool
    public var groupOfMounter: Bool
    public var device: UInt32
    public var accessed: Timestamp
    public var modified: Timestamp
    public var changed: Timestamp
    public var attributes: [ExtendedAttribute]

    public init(
        lineage: Identifier, stamp: Stamp, mode: UInt32, owner: UInt32 = 0, group: UInt32 = 0,
        ownedByMounter: Bool = true, groupOfMounter: Bool = true, device: UInt32 = 0, accessed: Timestamp,
        modified: Timestamp, changed: Timestamp, attributes: [ExtendedAttribute] = []
    ) {
        (self.lineage, self.stamp, self.mode, self.owner, self.group) = (lineage, stamp, mode, owner, group)
        (self.ownedByMounter, self.groupOfMounter, self.device) = (ownedByMounter, groupOfMounter, device)
        (self.accessed, self.modified, self.changed, self.attributes) = (accessed, modified, changed, attributes)
    }
}

/// A version of a lineage's content. It is sealed as the store has it: no plaintext passes through synchronisation.
public struct ContentChange: Equatable, Sendable {
    public var lineage: Identifier
    public var stamp: Stamp
    /// The versions that this one takes the place of; any other one that is live is a conflict.
    public var replaces: [Stamp]
    /// When the version was saved, by the clock of the device.
    public var modified: Timestamp
    public var reference: ContentReference
    /// The content column: sealed inline bytes, or the sealed list of chunks.
    public var column: [UInt8]
    public var chunks: [ChunkReference]

    public init(
        lineage: Identifier, stamp: Stamp, replaces: [Stamp], modified: Timestamp, reference: ContentReference,
        column: [UInt8] = [], chunks: [ChunkReference] = []
    ) {
        (self.lineage, self.stamp, self.replaces, self.modified) = (lineage, stamp, replaces, modified)
        (self.reference, self.column, self.chunks) = (reference, column, chunks)
    }
}

/// One chunk of a content, in its order, those that are all zeroes left out.
public struct ChunkReference: Equatable, Sendable {
    public var slot: Int64
    /// BLAKE2b-128 of the blob: seal and ciphertext.
    public var hash: Identifier
    /// The blob itself where it is small; else it is an object of its own.
    public var embedded: [UInt8]

    public init(slot: Int64, hash: Identifier, embedded: [UInt8] = []) {
        (self.slot, self.hash, self.embedded) = (slot, hash, embedded)
    }
}

extension Limits {
    /// The most stamps that a removal has seen or a content replaces.
    public static let stamps = 255
    /// The most removals that a register keeps: with as many stamps each it is within ``syncRecord``.
    public static let removals = 64
    /// Blobs up to this many bytes stand in the segment.
    public static let embeddedBlob = 16384
    /// A blob: seal and ciphertext of a chunk, in bytes.
    public static let blob = 40 + chunkSize
    /// The longest content column: the sealed chunk list of the largest file whose list is shared, in bytes.
    public static let sharedColumn = 1 << 20
    /// The most chunks of a content that is shared: 8 GiB.
    public static let sharedChunks = 131_072
    /// The largest file that is shared, in bytes.
    public static let sharedFileSize = UInt64(sharedChunks * chunkSize)
}
