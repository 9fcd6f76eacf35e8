internal import Dispatch
internal import Format
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// What one pass over a table found: its part of the integrity sum, and its records.
struct Scan {
    var sum = MultisetSum()
    var rows: UInt64 = 0
    var damage: [Damage] = []
    /// Why it is not complete, where that says nothing about the file.
    var shortage: DatabaseFailure?
    /// There is something that only newer programs know.
    var isNewer = false
    /// From the chunk table: where whole chunks are.
    var cells: [Int64] = []
    /// From the file table; place 0 is not used.
    var inodes: [Inode] = [.unused]
    /// From the entry table.
    var entries: [Entry] = []
    /// From the table `sync`.
    var sync = SyncIndex()
    /// Lineages of files where they are not the identifier, by the file.
    var lineages: [Identifier: Identifier] = [:]
    /// The names of the entries, one behind the other.
    var names: [UInt8] = []

    struct Entry {
        var identifier: Identifier
        var slot: Int64
        var parent: Identifier
        var file: Identifier
        var removed: Int64
        var nameOffset: Int
        var nameLength: UInt8
        var isLocal: Bool
        var isRemovedElsewhere: Bool
    }

    mutating func add(_ other: Scan) {
        sum.combine(other.sum)
        rows &+= other.rows
        damage += other.damage
        shortage = shortage ?? other.shortage
    }
}

/// Reads and authenticates every row of the store. Each row's seal goes into the sum; entries and
/// files are opened, too. Contents are bound to their rows and opened when they are read.
struct Scanner: Sendable {
    let path: FilePath
    let keys: Keys
    let mounter: (user: UInt32, group: UInt32)

    /// All tables, on both cores: files, entries, and the rest.
    func scanAll() -> (files: Scan, entries: Scan, rest: Scan) {
        let results = Mutex<[Int: Scan]>([:])
        DispatchQueue.concurrentPerform(iterations: 3) { part in
            let scan =
                switch part {
                case 0: scanFiles()
                case 1: scanEntries()
                default: scanRest()
                }
            results.withLock { $0[part] = scan }
        }
        return results.withLock { ($0[0] ?? Scan(), $0[1] ?? Scan(), $0[2] ?? Scan()) }
    }

    private func scanFiles() -> Scan {
        var scan = Scan()
        var sparse: [(place: Int, content: ContentReference)] = []
        pass(over: .file, columns: "slot, seal, body", into: &scan) { slot, bytes, scan in
            guard let bytes else { return scan.damage.append(Damage("a file's record does not open")) }
            do throws(FormatError) {
                let record = try FileRecord(decoding: bytes)
                scan.inodes.append(Inode(record, slot: slot, mounter: mounter))
                if record.hasHoles { sparse.append((scan.inodes.count - 1, record.content)) }
                if record.lineage != record.identifier { scan.lineages[record.identifier] = record.lineage }
            } catch {
                scan.damage.append(Damage("a file's record is malformed"))
            }
        }
        if !sparse.isEmpty { countHoles(of: sparse, in: &scan) }
        return scan
    }

    /// Reads the chunk lists of contents with holes. What is wrong with one is found when it is read.
    private func countHoles(of sparse: [(place: Int, content: ContentReference)], in scan: inout Scan) {
        guard let connection = try? Connection(path: path, readOnly: true, cacheKiB: 512) else { return }
        defer { connection.close() }
        guard let statement = try? connection.prepare("SELECT content FROM file WHERE slot = ?1") else { return }
        for (place, content) in sparse where content.kind == .chunks {
            defer { statement.reset() }
            guard (try? statement.bind(1, scan.inodes[place].slot).step()) == true else { continue }
            var plain = PlainBuffer(capacity: 0)
            let sealed = unsafe statement.bytes(0)
            plain.resize(to: sealed.count)
            let isOpen = unsafe plain.withUnsafeMutableBytes {
                unsafe keys.record.open(sealed, content.seal.seal, keys.contentData(content), into: $0)
            }
            let chunks = isOpen ? plain.withBytes { try? ContentCoding.chunks($0, size: content.size) } : nil
            if let chunks { scan.inodes[place].holes = Holes.count(chunks, size: content.size) }
        }
    }

    private func scanEntries() -> Scan {
        var scan = Scan()
        pass(over: .entry, columns: "slot, seal, body", into: &scan) { slot, bytes, scan in
            guard let bytes else { return scan.damage.append(Damage("an entry's record does not open")) }
            do throws(FormatError) {
                let fields = try EntryRecord.Fields(bytes)
                scan.entries.append(
                    Scan.Entry(
                        identifier: fields.identifier, slot: slot, parent: fields.parent, file: fields.file,
                        removed: fields.removed, nameOffset: scan.names.count,
                        nameLength: UInt8(truncatingIfNeeded: fields.nameLength), isLocal: fields.isLocal,
                        isRemovedElsewhere: fields.isRemovedElsewhere))
                let range = fields.nameOffset..<(fields.nameOffset + fields.nameLength)
                unsafe bytes.extracting(range).withUnsafeBytes { unsafe scan.names.append(contentsOf: $0) }
            } catch {
                scan.damage.append(Damage("an entry's record is malformed"))
            }
        }
        return scan
    }

    private func scanRest() -> Scan {
        var scan = Scan()
        let connection = try? Connection(path: path, readOnly: true, cacheKiB: 512)
        defer { connection?.close() }
        for table in [Table.chunk, .version, .operation, .outbox] {
            let columns = table == .chunk ? "slot, seal, cell" : "slot, seal"
            pass(over: table, columns: columns, by: connection, into: &scan) { _, _, _ in }
        }
        pass(over: .sync, columns: "slot, seal, body", by: connection, into: &scan) { slot, bytes, scan in
            if let bytes, let record = try? SyncRecord(decoding: bytes) { return scan.sync.add(record, slot: slot) }
            if let bytes, SyncRecord.isNewer(bytes) { scan.isNewer = true }
            scan.damage.append(Damage("a record of synchronisation does not open"))
        }
        scan.sync.commit()
        return scan
    }

    /// One table from its first row to its last. Where `columns` has the body, it is opened and handed
    /// to `body`; nil where it does not open.
    private func pass(
        over table: Table, columns: String, by known: Connection? = nil, into scan: inout Scan,
        _ body: (Int64, RawSpan?, inout Scan) -> Void
    ) {
        let name = RowStatements.tableNames[Int(table.rawValue)]
        do throws(DatabaseFailure) {
            let connection: Connection
            if let known {
                connection = known
            } else {
                connection = try Connection(path: path, readOnly: true, cacheKiB: 512)
            }
            defer { if known == nil { connection.close() } }
            let statement = try connection.prepare("SELECT \(columns) FROM \(name)")
            let opens = columns.hasSuffix("body")
            let type: SealedType = table == .file ? .file : table == .entry ? .entry : .sync
            var plain = PlainBuffer(capacity: 1024)
            while try statement.step() {
                let slot = statement.integer(0)
                guard let seal = unsafe RowReader.seal(statement.bytes(1)) else {
                    scan.damage.append(Damage("a row of the table \(name) is malformed"))
                    continue
                }
                scan.sum.add(keys.multiset, table: table.rawValue, slot: slot, seal: seal)
                scan.rows &+= 1
                if table == .chunk, !statement.isNull(2) { scan.cells.append(statement.integer(2)) }
                guard opens else { continue }
                if unsafe open(statement.bytes(2), seal, type, slot, into: &plain) {
                    plain.withBytes { body(slot, $0, &scan) }
                } else {
                    body(slot, nil, &scan)
                }
            }
        } catch {
            guard !error.isShortage else { return scan.shortage = error }
            scan.damage.append(Damage("the table \(name) cannot be read to its end"))
        }
    }

    private func open(
        _ sealed: UnsafeRawBufferPointer, _ seal: Seal, _ type: SealedType, _ slot: Int64, into plain: inout PlainBuffer
    ) -> Bool {
        guard sealed.count <= (type == .sync ? Limits.syncStateRecord : Limits.metadata) else { return false }
        plain.resize(to: sealed.count)
        let data = keys.rowData(type, slot: slot)
        return unsafe plain.withUnsafeMutableBytes { unsafe keys.record.open(sealed, seal, data, into: $0) }
    }
}

extension Inode {
    /// Stands for a top directory whose row is gone, so that what is intact below it can be reached.
    fileprivate static func missingTop(_ identifier: Identifier) -> Inode {
        Inode(
            identifier: identifier, slot: 0, number: 1, size: 0, accessed: .now(), modified: .now(), changed: .now(),
            mode: FileType.directory | 0o700, owner: geteuid(), group: getegid(), links: 0, device: 0)
    }
}

/// Builds the tree from what the scan found.
struct TreeBuilder {
    var tree = Tree()
    var trash = Trash()
    var damage: [Damage] = []
    /// Rows of files that nothing points at: left over from a process that was killed.
    var orphans: [Int64] = []
    /// Rows of removed entries whose file is gone: left over from a program of before 0.2, which erased the file of a
    /// removed entry with its backup name (`mv a a~; rm a~`). The name is all that they have.
    var hollow: [Int64] = []
    private let keepsNameless: Bool

    /// - Parameter keepsNameless: something is damaged: files that have lost their entry or their directory are
    ///   shown in the top directory.
    init(files: consuming Scan, entries: consuming Scan, root: Identifier, keepsNameless: Bool) {
        self.keepsNameless = keepsNameless
        var rootIndex = files.inodes.firstIndex { $0.identifier == root && $0.slot != 0 } ?? 0
        if rootIndex == 0 || !files.inodes[rootIndex].isDirectory {
            damage.append(Damage("the top directory is missing"))
            rootIndex = files.inodes.count
            files.inodes.append(.missingTop(root))
        }
        files.inodes.swapAt(1, rootIndex)
        tree.reserve(entries: entries.entries.count, files: files.inodes.count)
        for inode in files.inodes.dropFirst() {
            let node = tree.insert(inode)
            if !files.lineages.isEmpty, let lineage = files.lineages[inode.identifier] {
                tree.setLineage(of: node, to: lineage)
            }
        }
        files.inodes = []
        tree.update(.root) { $0.links = 2 }
        let scanned = entries
        unsafe scanned.names.withUnsafeBytes { names in
            for entry in scanned.entries {
                let range = entry.nameOffset..<(entry.nameOffset + Int(entry.nameLength))
                let name = unsafe UnsafeRawBufferPointer(rebasing: names[range])
                unsafe place(entry, name.bytes)
            }
        }
        trash.sort()
        removeUnnamed(keeps: keepsNameless || !damage.isEmpty)
    }

    private mutating func place(_ entry: Scan.Entry, _ name: RawSpan) {
        let node = tree.node(of: entry.file)
        if entry.removed != 0 {
            let slot = node.map { tree.inode(at: UInt32(truncatingIfNeeded: $0.index)).slot } ?? 0
            guard let node, slot != 0 else {
                // Where no row is missing it was erased, and not lost.
                guard keepsNameless else { return hollow.append(entry.slot) }
                return damage.append(Damage(path: text(name), "its file in the trash is missing"))
            }
            tree.update(node) { $0.opens = 1 }
            trash.add(
                Trash.Item(
                    entry: entry.identifier, entrySlot: entry.slot, file: entry.file,
                    lineage: tree.lineage(of: node), fileSlot: slot, removed: entry.removed,
                    nameHash: tree.nameHash(name, in: entry.parent), isOthers: entry.isRemovedElsewhere))
            return
        }
        guard let node else { return damage.append(Damage(path: text(name), "its file is missing")) }
        guard let parent = tree.node(of: entry.parent),
            tree.inode(at: UInt32(truncatingIfNeeded: parent.index)).isDirectory
        else {
            damage.append(Damage(path: text(name), "its directory is missing"))
            return attach(node, "recovered-\(text(name))")
        }
        tree.insertDentry(
            name, in: parent, node: node, identifier: entry.identifier, slot: entry.slot, isLocal: entry.isLocal)
        let isDirectory = tree.inode(at: UInt32(truncatingIfNeeded: node.index)).isDirectory
        tree.update(node) { $0.links += isDirectory ? 2 : 1 }
        if isDirectory { tree.update(parent) { $0.links += 1 } }
    }

    /// Files without a live name leave the tree. `opens` marked those that the trash points at; a
    /// directory's links have counted its own subdirectories, so that "no name" is its missing dentry.
    private mutating func removeUnnamed(keeps: Bool) {
        for index in 1..<tree.inodes.count where index != Node.root.index {
            let inode = tree.inodes[index]
            let node = Node(index: index)
            let isNamed =
                inode.isDirectory ? tree.directories[Int(inode.directory)].dentry != 0 : inode.links > 0
            tree.update(node) { $0.opens = 0 }
            guard !isNamed else { continue }
            if inode.opens == 0, keeps {
                attach(node, "recovered-\(inode.number)")
                continue
            }
            if inode.opens == 0 { orphans.append(inode.slot) }
            tree.removeInode(node)
        }
        // A file that another one took the place of may have had the lineage, too.
        tree.lineages.reindex()
    }

    /// Shows a file in the top directory under a name that is free.
    private mutating func attach(_ node: Node, _ wanted: String) {
        var name = Array(wanted.utf8.prefix(200))
        while unsafe tree.find(name.span.bytes, in: .root) != nil { name.append(UInt8(ascii: "+")) }
        unsafe tree.insertDentry(name.span.bytes, in: .root, node: node, identifier: .none, slot: 0, isLocal: true)
        let isDirectory = tree.inode(at: UInt32(truncatingIfNeeded: node.index)).isDirectory
        tree.update(node) { $0.links += isDirectory ? 2 : 1 }
        if isDirectory { tree.update(.root) { $0.links += 1 } }
    }

    private func text(_ name: RawSpan) -> String { String(decoding: name.array, as: UTF8.self) }
}
