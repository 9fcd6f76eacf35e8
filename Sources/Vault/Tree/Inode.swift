internal import Format

/// A file in memory: what stat(2) and a lookup need, and nothing else. Contents, extended attributes
/// and history stay in the store. About 150 bytes.
struct Inode {
    var identifier: Identifier
    /// The row of the file; 0 for a file that lives in memory only.
    var slot: Int64
    var number: UInt64
    var size: UInt64
    var accessed: Timestamp
    var modified: Timestamp
    var changed: Timestamp
    var mode: UInt32
    var owner: UInt32
    var group: UInt32
    /// Entries that point here; for a directory, 2 and one for each directory in it.
    var links: UInt32
    /// How many of them never leave this device by their own name.
    var localNames: UInt32 = 0
    var device: UInt32
    /// How many open files there are on it.
    var opens: UInt32 = 0
    /// What of the content is in no chunk, in units of 4 KiB.
    var holes: UInt32 = 0
    /// References that the kernel holds (FUSE's nlookup).
    var lookups: UInt64 = 0
    /// The place in the tree's table of directories; -1 for other files.
    var directory: Int32 = -1
    /// What the kernel may not know as the same file when an index is used again.
    var generation: UInt32 = 0
    var hasAttributes = false
    /// In use, as opposed to a free place in the table.
    var isLive = true
    /// Its row goes away with the last reference: nothing in the trash points at it.
    var isDoomed = false

    var isDirectory: Bool { mode & FileType.mask == FileType.directory }
    var isRegular: Bool { mode & FileType.mask == FileType.regular }
    var isSymbolicLink: Bool { mode & FileType.mask == FileType.symbolicLink }
    /// Lives in memory only: an editor's swap file.
    var isVolatile: Bool { slot == 0 }

    var attributes: Attributes {
        Attributes(
            inode: number, mode: mode, owner: owner, group: group, links: links, device: device, size: size,
            blocks: Holes.blocks(size: size, without: holes), accessed: accessed, modified: modified, changed: changed)
    }

    /// Its row is gone, or about to go: nobody may open it any more.
    var isErased = false
    /// The kernel has asked for its content since the vault was opened, and may have it.
    var wasRead = false

    static let unused = Inode(
        identifier: .none, slot: 0, number: 0, size: 0, accessed: Timestamp(seconds: 0, nanoseconds: 0),
        modified: Timestamp(seconds: 0, nanoseconds: 0), changed: Timestamp(seconds: 0, nanoseconds: 0), mode: 0,
        owner: 0, group: 0, links: 0, device: 0, isLive: false)
}

/// A name in a directory (dentry). About 64 bytes.
struct Dentry {
    var identifier: Identifier
    /// The row of the entry; 0 for one that lives in memory only.
    var slot: Int64
    /// The position in the directory's order: readdir's offset.
    var cookie: UInt64
    var parent: UInt32
    var node: UInt32
    /// The next dentry in the same bucket of the tree's name index; 0 for none.
    var next: UInt32 = 0
    var name: NameArena.Reference
    var isLocal: Bool
}

/// The children of one directory in the order in which they came.
///
/// readdir(3) must return each entry that is there throughout exactly once while others come and go:
/// cookies only grow, and a removed child leaves a gap until many are gone. A listing ends at the last child that there
/// was when it began (``ListingPosition``).
struct Directory {
    struct Child {
        var cookie: UInt64
        /// The dentry; 0 for a gap.
        var dentry: UInt32
    }

    var children: [Child] = []
    var live = 0
    /// The dentry that names this directory; 0 for the root.
    var dentry: UInt32 = 0
    /// Cookies below 16 are for `.` and `..` and the control directory.
    private var nextCookie: UInt64 = 16

    /// The highest cookie that was given; no child has it any more, perhaps.
    var lastCookie: UInt64 { nextCookie - 1 }

    mutating func append(_ dentry: UInt32) -> UInt64 {
        defer { nextCookie += 1 }
        children.append(Child(cookie: nextCookie, dentry: dentry))
        live += 1
        return nextCookie
    }

    mutating func remove(cookie: UInt64) {
        let position = firstPosition(after: cookie - 1)
        guard position < children.count, children[position].cookie == cookie else { return }
        children[position].dentry = 0
        live -= 1
        if children.count > 32, children.count > 2 * live { children.removeAll { $0.dentry == 0 } }
    }

    /// The position of the first child behind `cookie`, by binary search.
    func firstPosition(after cookie: UInt64) -> Int {
        var low = 0
        var high = children.count
        while low < high {
            let middle = (low + high) / 2
            if children[middle].cookie <= cookie { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
