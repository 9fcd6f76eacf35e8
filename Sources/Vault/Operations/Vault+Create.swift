internal import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

extension Vault {
    /// Makes a file, directory, FIFO, socket or device node, by the type bits of `mode`.
    ///
    /// - Parameters:
    ///   - mode: type and permissions, the caller's umask already applied.
    ///   - owner: the caller's ids; in a set-group-id directory the group is the directory's.
    ///   - device: the device number of a device node.
    ///   - remember: count a reference that the kernel holds.
    /// - Throws: EEXIST, ENOENT, ENOTDIR, ENAMETOOLONG, ENOSPC, EROFS, EIO.
    public func makeNode(
        _ name: RawSpan, in parent: Node, mode: UInt32, owner: (user: UInt32, group: UInt32), device: UInt32,
        remember: Bool
    ) throws(Errno) -> (Node, Attributes) {
        let request = NewFile(mode: mode, owner: owner.user, group: owner.group, device: device, target: nil)
        return try make(request, name, in: parent, remember: remember)
    }

    /// Makes a symbolic link to `target`, 1 to 4,095 bytes.
    public func makeSymbolicLink(
        _ name: RawSpan, in parent: Node, target: RawSpan, owner: (user: UInt32, group: UInt32), remember: Bool
    ) throws(Errno) -> (Node, Attributes) {
        guard target.byteCount > 0 else { throw .noSuchFileOrDirectory }
        guard target.byteCount <= Limits.symbolicLinkLength else { throw .fileNameTooLong }
        let request = NewFile(
            mode: FileType.symbolicLink | 0o777, owner: owner.user, group: owner.group, device: 0,
            target: target.array)
        return try make(request, name, in: parent, remember: remember)
    }

    /// What a new file is to be.
    private struct NewFile {
        var mode: UInt32
        var owner: UInt32
        var group: UInt32
        var device: UInt32
        /// Of a symbolic link.
        var target: [UInt8]?

        var isRegular: Bool { mode & FileType.mask == FileType.regular }
        var isDirectory: Bool { mode & FileType.mask == FileType.directory }
    }

    private func make(
        _ request: NewFile, _ name: RawSpan, in parent: Node, remember: Bool
    ) throws(Errno) -> (Node, Attributes) {
        if isReadOnly { throw .readOnlyFileSystem }
        try Vault.check(name)
        return try committer.withLock { (committer) throws(Errno) in
            let directory = try tree.withLock { (tree) throws(Errno) in
                let directory = try Vault.liveDirectory(parent, tree)
                guard tree.find(name, in: parent) == nil else { throw .fileExists }
                return directory
            }
            var inode = newInode(request, in: directory, number: committer.root.nextInode)
            inode.lookups = remember ? 1 : 0
            if request.isRegular, ScratchNames.isVolatile(name) {
                committer.root.nextInode += 1
                return makeVolatile(inode, name, in: parent, directory)
            }
            inode.slot = committer.freshSlot()
            return try makeStored(inode, request, name, in: parent, directory, committer)
        }
    }

    private func newInode(_ request: NewFile, in directory: Inode, number: UInt64) -> Inode {
        let now = Timestamp.now()
        var inode = Inode(
            identifier: .fresh(), slot: 0, number: number, size: UInt64(request.target?.count ?? 0), accessed: now,
            modified: now, changed: now, mode: request.mode, owner: request.owner, group: request.group,
            links: request.isDirectory ? 2 : 1, device: request.device)
        if directory.mode & 0o2000 != 0 {
            inode.group = directory.group
            if request.isDirectory { inode.mode |= 0o2000 }
        }
        return inode
    }

    /// An editor's swap file: in the tree, and nowhere else.
    private func makeVolatile(
        _ inode: Inode, _ name: RawSpan, in parent: Node, _ directory: Inode
    ) -> (Node, Attributes) {
        tree.withLock { tree in
            let node = tree.insert(inode)
            tree.insertDentry(name, in: parent, node: node, identifier: .fresh(), slot: 0, isLocal: true)
            tree.update(parent) { $0 = Vault.touched($0) }
            return (node, inode.attributes)
        }
    }

    private func makeStored(
        _ inode: Inode, _ request: NewFile, _ name: RawSpan, in parent: Node, _ directory: Inode,
        _ committer: Committer
    ) throws(Errno) -> (Node, Attributes) {
        let isLocal = ScratchNames.isLocal(name, isDirectory: request.isDirectory)
        let touched = Vault.touched(directory, links: request.isDirectory ? 1 : 0)
        // The name may come back that an editor has just moved or removed: then it is the same entry.
        let returning = request.isRegular && !isLocal ? takeFromTrash(name, in: directory, committer) : nil
        var entry = EntryRecord(
            identifier: .fresh(), parent: directory.identifier, file: inode.identifier,
            stamp: committer.nextStamp(), isLocal: isLocal, name: name.array)
        var entrySlot = committer.freshSlot()
        var lineage = inode.identifier
        var displaced: (node: Node, lineage: Identifier)?
        do throws(Errno) {
            try commit(committer) { () throws(Errno) in
                var record = FileRecord(
                    identifier: inode.identifier, inode: inode.number, mode: inode.mode,
                    stamp: committer.nextStamp(), time: inode.changed)
                record.take(inode, mounter: mounter)
                committer.root.nextInode += 1
                var previous: Seal?
                entry.made = committer.root.lamport
                if let returning {
                    let (old, seal) = try committer.loadEntry(returning.entrySlot)
                    (entry.identifier, entrySlot, previous) = (old.identifier, returning.entrySlot, seal)
                    entry.made = old.made
                    displaced = try continueHistory(of: returning, in: &record, committer)
                    try committer.dropRegister(of: old.identifier)
                    lineage = record.lineage
                }
                entry.stamp = committer.nextStamp()
                try putNew(record, request, slot: inode.slot, in: committer)
                try committer.putEntry(entry, slot: entrySlot, previous: previous)
                try storeAttributes(of: touched, in: committer)
                if !isLocal {
                    committer.operations.append(
                        Operation(kind: .entry, subject: entry.identifier, parent: entry.parent))
                    committer.operations.append(Operation(kind: .attributes, subject: record.identifier))
                }
            } apply: { _, _ in
            }
        } catch {
            if let returning { trash.withLock { $0.putBack(returning) } }
            throw error
        }
        noteGain(of: name, in: directory, by: inode)
        return tree.withLock { tree in
            if let displaced { tree.setLineage(of: displaced.node, to: displaced.lineage) }
            let node = tree.insert(inode)
            tree.setLineage(of: node, to: lineage)
            tree.insertDentry(
                name, in: parent, node: node, identifier: entry.identifier, slot: entrySlot, isLocal: isLocal)
            tree.update(parent) { $0.take(touched) }
            return (node, inode.attributes)
        }
    }

    /// Writes a new file's row; a symbolic link's target is its content.
    private func putNew(
        _ record: FileRecord, _ request: NewFile, slot: Int64, in committer: Committer
    ) throws(Errno) {
        guard let target = request.target else {
            return unsafe try committer.putFile(record, slot: slot, previous: nil, content: .none)
        }
        var record = record
        record.heads = [record.stamp]
        record.content = ContentReference(
            kind: .inline, version: 1, size: UInt64(target.count), seal: .zero, origin: record.identifier)
        var plain = PlainBuffer(capacity: target.count)
        plain.append(bytes: target)
        plain.resize(to: Padding.padme(plain.count, floor: Limits.recordFloor))
        var sealed = PlainBuffer(capacity: plain.count)
        unsafe plain.withUnsafeBytes { unsafe committer.sealContent($0, &record.content, into: &sealed) }
        try unsafe sealed.withUnsafeBytes { (bytes) throws(Errno) in
            try unsafe committer.putFile(record, slot: slot, previous: nil, content: .bytes(bytes))
        }
    }

    private func takeFromTrash(_ name: RawSpan, in directory: Inode, _ committer: Committer) -> Trash.Item? {
        let hash = tree.withLock { $0.nameHash(name, in: directory.identifier) }
        // A directory's entry stays the directory's: other devices may still put things into it.
        guard let item = trash.withLock({ $0.item(nameHash: hash) }),
            let record = try? committer.loadFile(item.fileSlot).0, record.mode & FileType.mask == FileType.regular
        else { return nil }
        // Its content would become a version of the new file's, where another removed entry has the same file.
        guard trash.withLock({ $0.count(ofFile: item.fileSlot) }) == 1 else { return nil }
        // Other devices know the file by another name still: it keeps its lineage, and the new file is another one.
        let isKnown = tree.withLock { tree in
            tree.node(of: item.file).map { tree.names(of: $0).contains { !tree.dentry(at: $0).isLocal } } ?? false
        }
        guard !isKnown else { return nil }
        return trash.withLock { $0.take(entrySlot: item.entrySlot) }
    }

    /// The new file takes over the history of the one that had the entry before: at once where that is
    /// gone, or when its backup name goes.
    ///
    /// - Returns: the file that lives on under its backup name, and the lineage that it has from now on.
    private func continueHistory(
        of item: Trash.Item, in record: inout FileRecord, _ committer: Committer
    ) throws(Errno) -> (Node, Identifier)? {
        let (node, alive) = tree.withLock { tree -> (Node?, Inode?) in
            guard let node = tree.node(of: item.file) else { return (nil, nil) }
            return (node, tree.inode(at: UInt32(truncatingIfNeeded: node.index)))
        }
        var (old, seal) = try committer.loadFile(item.fileSlot)
        if let node, let alive, alive.links > 0 {
            take(old, in: &record, committer)
            (old.lineage, old.successor) = (.fresh(), record.lineage)
            unsafe try committer.putFile(old, slot: item.fileSlot, previous: seal, content: .keep)
            return (node, old.lineage)
        }
        if old.mode & FileType.mask == FileType.regular {
            let isOpen = alive != nil && !claim(old.identifier, in: committer)
            take(old, in: &record, committer)
            try supersede(old, slot: item.fileSlot, seal: seal, isOpen: isOpen, by: &record, in: committer)
            if let alive {
                tree.withLock { tree in
                    if let node = tree.node(of: alive.identifier) { tree.update(node) { $0.isDoomed = true } }
                }
            }
        }
        return nil
    }

    /// The new file goes on with the lineage of the one that had the entry before, and is empty.
    private func take(_ old: FileRecord, in record: inout FileRecord, _ committer: Committer) {
        record.lineage = old.lineage
        if !old.heads.isEmpty { committer.renewHeads(of: &record, replacing: old) }
    }

    /// Gives the file at `node` a second name.
    ///
    /// - Throws: EPERM for a directory, EEXIST, EMLINK, and what ``makeNode(_:in:mode:owner:device:remember:)`` throws.
    public func link(_ node: Node, _ name: RawSpan, in parent: Node, remember: Bool) throws(Errno) -> Attributes {
        if isReadOnly { throw .readOnlyFileSystem }
        try Vault.check(name)
        return try committer.withLock { (committer) throws(Errno) in
            var (inode, directory) = try tree.withLock { (tree) throws(Errno) in
                let inode = try tree.inode(node)
                guard !inode.isDirectory else { throw .notPermitted }
                let directory = try Vault.liveDirectory(parent, tree)
                guard tree.find(name, in: parent) == nil else { throw .fileExists }
                // A file whose last name is gone cannot be named again (linkat(2), without O_TMPFILE).
                guard inode.links > 0 else { throw .noSuchFileOrDirectory }
                guard inode.links < 65_000 else { throw .tooManyLinks }
                return (inode, directory)
            }
            guard !inode.isVolatile else { throw .notPermitted }
            inode.changed = .now()
            inode.links += 1
            directory = Vault.touched(directory)
            let isLocal = ScratchNames.isLocal(name, isDirectory: false)
            let isFirst = !isLocal && tree.withLock { !$0.isKnown(node) && !$0.isLocal(parent) }
            var entry = EntryRecord(
                identifier: .fresh(), parent: directory.identifier, file: inode.identifier,
                stamp: committer.nextStamp(), isLocal: isLocal, name: name.array)
            let slot = committer.freshSlot()
            let (changed, touched) = (inode, directory)
            try commit(committer) { () throws(Errno) in
                entry.stamp = committer.nextStamp()
                entry.made = committer.root.lamport
                try committer.putEntry(entry, slot: slot, previous: nil)
                try storeAttributes(of: changed, in: committer) { (record) throws(Errno) in
                    if !isLocal { record.successor = .none }
                    if isFirst { committer.announceAnew(&record) }
                }
                try storeAttributes(of: touched, in: committer)
                if !isLocal {
                    committer.operations.append(
                        Operation(kind: .entry, subject: entry.identifier, parent: entry.parent))
                    committer.noteFurtherName(of: inode.identifier)
                }
            } apply: { tree, _ in
                tree.insertDentry(
                    name, in: parent, node: node, identifier: entry.identifier, slot: slot, isLocal: isLocal)
                tree.update(parent) { $0.take(touched) }
                tree.update(node) { inode in
                    inode.links += 1
                    inode.changed = changed.changed
                    if remember { inode.lookups += 1 }
                }
            }
            noteGain(of: name, in: directory, by: inode)
            return tree.withLock { $0.inode(at: UInt32(truncatingIfNeeded: node.index)).attributes }
        }
    }
}

extension Inode {
    /// Takes over what a change in a directory changes of its inode; references that were counted
    /// meanwhile stay.
    mutating func take(_ touched: Inode) {
        modified = touched.modified
        changed = touched.changed
        links = touched.links
    }
}
