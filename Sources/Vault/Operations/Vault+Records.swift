public import Format
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage

extension Timestamp {
    /// The wall clock.
    public static func now() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: UInt32(truncatingIfNeeded: time.tv_nsec))
    }
}

extension FileRecord {
    /// Takes over the attributes of an inode. Ids equal to the mounting user's become "the owner", so
    /// that another device shows its own user.
    mutating func take(_ inode: Inode, mounter: (user: UInt32, group: UInt32)) {
        mode = inode.mode
        owner = inode.owner
        group = inode.group
        ownedByMounter = inode.owner == mounter.user
        groupOfMounter = inode.group == mounter.group
        device = inode.device
        accessed = inode.accessed
        setModified(inode.modified)
        changed = inode.changed
        self.inode = inode.number
    }
}

extension Inode {
    /// The inode of a stored file; links are counted from the entries.
    init(_ record: FileRecord, slot: Int64, mounter: (user: UInt32, group: UInt32)) {
        self.init(
            identifier: record.identifier, slot: slot, number: record.inode, size: record.content.size,
            accessed: record.accessed, modified: record.modified, changed: record.changed, mode: record.mode,
            owner: record.ownedByMounter ? mounter.user : record.owner,
            group: record.groupOfMounter ? mounter.group : record.group, links: 0, device: record.device)
        hasAttributes = !record.attributes.isEmpty
    }

    /// A write by anybody takes the set-user-id bit, and the set-group-id bit of an executable
    /// (inode(7)).
    mutating func clearSetIDs() {
        guard isRegular, mode & 0o6000 != 0 else { return }
        mode &= ~0o4000
        if mode & 0o010 != 0 { mode &= ~0o2000 }
    }
}

extension Vault {
    /// Inside a transaction: writes the attributes of `inode` into its row and leaves content and
    /// history as they are.
    ///
    /// - Parameter isOwn: somebody asked for the change, as opposed to a time that follows from something else:
    ///   other devices are to hear of it.
    func storeAttributes(
        of inode: Inode, isOwn: Bool = false, in committer: Committer,
        adjusting: (inout FileRecord) throws(Errno) -> Void = { _ in }
    ) throws(Errno) {
        guard inode.slot != 0 else { return }
        var (record, seal) = try committer.loadFile(inode.slot)
        record.take(inode, mounter: mounter)
        if isOwn {
            // Once somebody has touched a copy, it is a file like any other: content and all.
            if record.isCopy { committer.announceAnew(&record) }
            record.stamp = committer.nextStamp()
            committer.operations.append(Operation(kind: .attributes, subject: record.identifier))
        }
        try adjusting(&record)
        unsafe try committer.putFile(record, slot: inode.slot, previous: seal, content: .keep)
    }

    /// Runs one change: `body` in a transaction, `apply` on the tree once that is in the file. The
    /// caller holds the committer.
    func commit<R>(
        _ committer: Committer, _ body: () throws(Errno) -> R, apply: (inout Tree, R) -> Void
    ) throws(Errno) -> R {
        committer.advanceClock()
        committer.claims.removeAll(keepingCapacity: true)
        let result: R
        do throws(Errno) { result = try committer.transaction(body) } catch {
            tree.withLock { tree in
                for node in committer.claims { tree.update(node) { $0.isErased = false } }
            }
            throw error
        }
        tree.withLock { tree in apply(&tree, result) }
        return result
    }

    /// Takes a file for erasing: from now on nobody can open it. False where somebody has it open.
    ///
    /// Whoever comes with an old reference gets ESTALE, on which the kernel looks the path up anew.
    func claim(_ file: Identifier, in committer: Committer) -> Bool {
        let claimed = tree.withLock { tree -> Node? in
            guard let node = tree.node(of: file) else { return nil }
            return tree.update(node) { inode in
                guard inode.opens == 0 else { return nil }
                inode.isErased = true
                return node
            }
        }
        if let claimed { committer.claims.append(claimed) }
        return claimed != nil
    }

    /// A directory's inode as it is after a change in it.
    static func touched(_ directory: Inode, links: Int = 0) -> Inode {
        var directory = directory
        let now = Timestamp.now()
        directory.modified = now
        directory.changed = now
        directory.links = UInt32(clamping: Int(directory.links) + links)
        return directory
    }

    /// 1 to 255 bytes, and no name that the kernel reserves.
    static func check(_ name: RawSpan) throws(Errno) {
        guard name.byteCount <= Limits.nameLength else { throw .fileNameTooLong }
        guard name.byteCount > 0 else { throw .noSuchFileOrDirectory }
    }

    /// A live directory, or the errno of what is in its place.
    static func liveDirectory(_ node: Node, _ tree: Tree) throws(Errno) -> Inode {
        let inode = try tree.inode(node)
        guard inode.isDirectory else { throw .notDirectory }
        // A removed directory that somebody is still in takes nothing any more (rmdir(2)).
        guard inode.links > 0 else { throw .noSuchFileOrDirectory }
        return inode
    }
}
