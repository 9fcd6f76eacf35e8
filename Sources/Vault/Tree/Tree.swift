internal import Format
internal import SystemPackage

/// The tree of entries and files in memory. A value behind one lock, held for less than a microsecond
/// at a time: see the module's notes on locks. Index 0 of each table is never used, so that 0 means
/// "none".
struct Tree {
    private(set) var inodes: [Inode] = [.unused]
    private(set) var dentries: [Dentry] = []
    private(set) var directories: [Directory] = []
    private var names = NameArena()
    private var nameIndex = NameIndex()
    private var identifierIndex = IdentifierIndex()
    /// Lineages of files where they are not the identifier.
    var lineages = LineageTable()
    /// Finds entries by their identifiers; there once synchronisation has asked.
    var entryIndex: EntryIndex?
    private var freeInodes: [UInt32] = []
    private var freeDentries: [UInt32] = []
    private var freeDirectories: [Int32] = []
    /// Live entries, the root not counted.
    private(set) var entryCount = 0
    private(set) var inodeCount = 0

    init() {
        dentries = [
            Dentry(
                identifier: .none, slot: 0, cookie: 0, parent: 0, node: 0, name: .init(block: 0, count: 0),
                isLocal: false)
        ]
    }

    mutating func reserve(entries: Int, files: Int) {
        inodes.reserveCapacity(files + 1)
        dentries.reserveCapacity(entries + 1)
        names.reserve(entries)
        nameIndex.resize(for: entries)
        identifierIndex.reserve(files, in: inodes)
    }

    // MARK: Inodes

    /// The inode of `node`, or ESTALE where there is none: the number came from outside.
    func inode(_ node: Node) throws(Errno) -> Inode {
        let index = node.index
        guard index > 0, index < inodes.count, inodes[index].isLive else { throw .staleNFSFileHandle }
        return inodes[index]
    }

    func inode(at index: UInt32) -> Inode { inodes[Int(index)] }

    mutating func update<R>(_ node: Node, _ change: (inout Inode) -> R) -> R {
        change(&inodes[node.index])
    }

    mutating func insert(_ inode: Inode) -> Node {
        var inode = inode
        let index: Int
        if let reused = freeInodes.popLast() {
            index = Int(reused)
            inode.generation = inodes[index].generation &+ 1
            inodes[index] = inode
        } else {
            index = inodes.count
            inodes.append(inode)
        }
        if inode.isDirectory {
            if let reused = freeDirectories.popLast() {
                directories[Int(reused)] = Directory()
                inodes[index].directory = reused
            } else {
                inodes[index].directory = Int32(truncatingIfNeeded: directories.count)
                directories.append(Directory())
            }
        }
        inodeCount += 1
        if identifierIndex.needsSpace {
            identifierIndex.reserve(inodeCount * 2, in: inodes)
        }
        identifierIndex.insert(UInt32(truncatingIfNeeded: index), inode.identifier)
        return Node(index: index)
    }

    mutating func removeInode(_ node: Node) {
        let index = node.index
        lineages.remove(UInt32(truncatingIfNeeded: index))
        identifierIndex.remove(inodes[index].identifier, in: inodes)
        if inodes[index].directory >= 0 {
            directories[Int(inodes[index].directory)] = Directory()
            freeDirectories.append(inodes[index].directory)
        }
        let generation = inodes[index].generation
        inodes[index] = .unused
        inodes[index].generation = generation
        freeInodes.append(UInt32(truncatingIfNeeded: index))
        inodeCount -= 1
    }

    func node(of file: Identifier) -> Node? {
        identifierIndex.find(file, in: inodes).map { Node(index: Int($0)) }
    }

    // MARK: Dentries

    func dentry(at index: UInt32) -> Dentry { dentries[Int(index)] }

    mutating func updateDentry(_ index: UInt32, _ change: (inout Dentry) -> Void) {
        change(&dentries[Int(index)])
    }

    func find(_ name: RawSpan, in parent: Node) -> UInt32? {
        let parentIndex = UInt32(truncatingIfNeeded: parent.index)
        var index = nameIndex[nameIndex.bucket(parentIndex, name)]
        while index != 0 {
            let dentry = dentries[Int(index)]
            if dentry.parent == parentIndex, names.matches(dentry.name, name) { return index }
            index = dentry.next
        }
        return nil
    }

    /// Puts a name into a directory. Link counts are the caller's.
    @discardableResult
    mutating func insertDentry(
        _ name: RawSpan, in parent: Node, node: Node, identifier: Identifier, slot: Int64, isLocal: Bool
    ) -> UInt32 {
        if entryCount >= nameIndex.buckets.count { rebuildNameIndex() }
        let directory = Int(inodes[parent.index].directory)
        let index = freeDentries.popLast() ?? UInt32(truncatingIfNeeded: dentries.count)
        let dentry = Dentry(
            identifier: identifier, slot: slot, cookie: directories[directory].append(index),
            parent: UInt32(truncatingIfNeeded: parent.index), node: UInt32(truncatingIfNeeded: node.index),
            name: names.insert(name), isLocal: isLocal)
        if Int(index) == dentries.count { dentries.append(dentry) } else { dentries[Int(index)] = dentry }
        enterInNameIndex(index, name)
        entryCount += 1
        entryIndex?.insert(identifier, index, node: dentry.node)
        if isLocal { inodes[node.index].localNames += 1 }
        if inodes[node.index].directory >= 0 { directories[Int(inodes[node.index].directory)].dentry = index }
        return index
    }

    mutating func removeDentry(_ index: UInt32) {
        let dentry = dentries[Int(index)]
        removeFromNameIndex(index)
        entryIndex?.remove(dentry.identifier, index, node: dentry.node)
        if dentry.isLocal { inodes[Int(dentry.node)].localNames -= 1 }
        names.remove(dentry.name)
        directories[Int(inodes[Int(dentry.parent)].directory)].remove(cookie: dentry.cookie)
        dentries[Int(index)].node = 0
        dentries[Int(index)].parent = 0
        freeDentries.append(index)
        entryCount -= 1
    }

    func name(of dentry: UInt32) -> [UInt8] { names.name(dentries[Int(dentry)].name) }
    func name(_ dentry: Dentry) -> [UInt8] { names.name(dentry.name) }

    func withName<R>(of dentry: UInt32, _ body: (RawSpan) -> R) -> R {
        names.withName(dentries[Int(dentry)].name, body)
    }

    /// A keyed hash of a name in a directory, for tables beside the tree.
    func nameHash(_ name: RawSpan, in parent: Identifier) -> UInt64 {
        nameIndex.hash(parent.low, name)
    }

    private mutating func enterInNameIndex(_ index: UInt32, _ name: RawSpan) {
        let bucket = nameIndex.bucket(dentries[Int(index)].parent, name)
        dentries[Int(index)].next = nameIndex[bucket]
        nameIndex[bucket] = index
    }

    private mutating func removeFromNameIndex(_ index: UInt32) {
        let parent = dentries[Int(index)].parent
        let bucket = names.withName(dentries[Int(index)].name) { nameIndex.bucket(parent, $0) }
        var walk = nameIndex[bucket]
        if walk == index {
            nameIndex[bucket] = dentries[Int(index)].next
            return
        }
        while walk != 0, dentries[Int(walk)].next != index { walk = dentries[Int(walk)].next }
        if walk != 0 { dentries[Int(walk)].next = dentries[Int(index)].next }
    }

    private mutating func rebuildNameIndex() {
        nameIndex.resize(for: max(entryCount, 512) * 2)
        for index in dentries.indices where dentries[index].node != 0 {
            let parent = dentries[index].parent
            let bucket = names.withName(dentries[index].name) { nameIndex.bucket(parent, $0) }
            dentries[index].next = nameIndex[bucket]
            nameIndex[bucket] = UInt32(truncatingIfNeeded: index)
        }
    }

    // MARK: Directories

    func directory(_ node: Node) throws(Errno) -> Directory {
        let inode = try inode(node)
        guard inode.directory >= 0 else { throw .notDirectory }
        return directories[Int(inode.directory)]
    }

    func isEmpty(_ node: Node) -> Bool {
        directories[Int(inodes[node.index].directory)].live == 0
    }

    /// The directory above; the root is its own.
    func parent(of node: Node) -> Node {
        let inode = inodes[node.index]
        guard inode.directory >= 0 else { return .root }
        let dentry = directories[Int(inode.directory)].dentry
        return dentry == 0 ? .root : Node(index: Int(dentries[Int(dentry)].parent))
    }

    /// Whether `node` is `ancestor` or lies below it.
    func isDescendant(_ node: Node, of ancestor: Node) -> Bool {
        var walk = node
        // The depth is bounded by the number of inodes, should a damaged tree hold a ring.
        for _ in 0...inodes.count {
            if walk == ancestor { return true }
            if walk == .root { return false }
            walk = parent(of: walk)
        }
        return true
    }

    /// Notes which dentry names a directory.
    mutating func setDirectoryDentry(of node: Node, to dentry: UInt32) {
        let directory = inodes[node.index].directory
        if directory >= 0 { directories[Int(directory)].dentry = dentry }
    }

    /// The path below the vault's root, for messages to people.
    func path(ofDentry index: UInt32) -> String {
        var parts: [String] = []
        var walk = index
        while walk != 0, parts.count < 4096 {
            parts.append(String(decoding: name(of: walk), as: UTF8.self))
            let parent = inodes[Int(dentries[Int(walk)].parent)]
            walk = parent.directory >= 0 ? directories[Int(parent.directory)].dentry : 0
        }
        return parts.reversed().joined(separator: "/")
    }
}
