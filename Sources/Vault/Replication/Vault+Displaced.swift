internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// Files that lost their last name to another device's change while a program had them open.
///
/// The program may write on: fsync(2) and close(2) would succeed, and what it wrote would be in no file. So the first save of
/// such a file gives it a name again, as a file of its own: the one that it had where that is free, else that of a conflict
/// copy. What a program of this device has removed or replaced is not among them: that is unlink(2).
struct DisplacedFiles {
    /// The last name that a file had.
    struct Name {
        /// The directory that it was in, and those above.
        let directories: [Identifier]
        let name: [UInt8]
    }

    private(set) var names: [Identifier: Name] = [:]
    /// The name of a conflict copy beside one that is taken, numbered from 1.
    var copyName: @Sendable (_ name: [UInt8], _ attempt: Int) -> [UInt8] = { name, attempt in
        Array(name.prefix(Limits.nameLength - 32)) + Array(" (conflict, \(attempt))".utf8)
    }

    mutating func add(_ file: Identifier, _ name: Name) { names[file] = name }
    mutating func remove(_ file: Identifier) { names[file] = nil }
}

extension Vault {
    /// How a file is called that an incoming change took the name of, and that a program has written on.
    ///
    /// - Parameter copyName: the name of a copy beside the name, and a number from 1; 1 to 255 bytes that no entry in a
    ///   directory has yet.
    public func nameCopies(_ copyName: @escaping @Sendable (_ name: [UInt8], _ attempt: Int) -> [UInt8]) {
        displaced.withLock { $0.copyName = copyName }
    }

    /// Before the file at `node` is saved: gives it a name, should it be one that another device's change took the name of.
    func nameDisplaced(_ node: Node) throws(Errno) {
        guard displaced.withLock({ !$0.names.isEmpty }) else { return }
        let effect = try committer.withLock { (committer) throws(Errno) -> ReplicationEffect? in
            let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
            guard inode.links == 0, let name = displaced.withLock({ $0.names[inode.identifier] }) else { return nil }
            return try give(name, to: inode, at: node, committer)
        }
        if let effect { replicated.withLock { $0 }.call?([effect]) }
    }

    private func give(
        _ left: DisplacedFiles.Name, to inode: Inode, at node: Node, _ committer: Committer
    ) throws(Errno) -> ReplicationEffect {
        let (parent, directory) = place(for: left)
        let name = freeName(left.name, in: parent)
        let touched = Vault.touched(directory)
        let (identifier, slot) = (Identifier.fresh(), committer.freshSlot())
        let removed = trash.withLock { $0.take(allOfFile: inode.slot) }
        do throws(Errno) {
            _ = try commit(committer) { () throws(Errno) in
                for item in removed {
                    try committer.deleteEntry(item.entrySlot, committer.loadEntry(item.entrySlot).1)
                }
                var (record, seal) = try committer.loadFile(inode.slot)
                // A file that was removed is known by the lineage that it had; one that was replaced has lost it.
                if removed.isEmpty { try part(&record, slot: inode.slot, in: committer) }
                committer.announceAnew(&record)
                unsafe try committer.putFile(record, slot: inode.slot, previous: seal, content: .keep)
                let entry = EntryRecord(
                    identifier: identifier, parent: directory.identifier, file: inode.identifier,
                    stamp: committer.nextStamp(), made: committer.root.lamport, isLocal: false, name: name)
                try committer.putEntry(entry, slot: slot, previous: nil)
                try storeAttributes(of: touched, in: committer)
                committer.operations.append(Operation(kind: .entry, subject: identifier, parent: entry.parent))
                return record.lineage
            } apply: { tree, lineage in
                unsafe tree.insertDentry(
                    name.span.bytes, in: parent, node: node, identifier: identifier, slot: slot, isLocal: false)
                tree.setLineage(of: node, to: lineage)
                tree.update(node) { ($0.links, $0.changed, $0.isDoomed) = (1, touched.changed, false) }
                tree.update(parent) { $0.take(touched) }
            }
        } catch {
            trash.withLock { trash in for item in removed { trash.putBack(item) } }
            throw error
        }
        displaced.withLock { $0.remove(inode.identifier) }
        return .name(name, in: parent)
    }

    /// The directory that it was in, or the closest above that is still there and leaves this device.
    private func place(for left: DisplacedFiles.Name) -> (Node, Inode) {
        tree.withLock { tree in
            for identifier in left.directories {
                guard let node = tree.node(of: identifier), !tree.isLocal(node),
                    let directory = try? Vault.liveDirectory(node, tree)
                else { continue }
                return (node, directory)
            }
            return (.root, tree.inode(at: UInt32(truncatingIfNeeded: Node.root.index)))
        }
    }

    private func freeName(_ name: [UInt8], in parent: Node) -> [UInt8] {
        let copyName = displaced.withLock { $0.copyName }
        return tree.withLock { tree in
            var (candidate, attempt) = (name, 1)
            while unsafe tree.find(candidate.span.bytes, in: parent) != nil {
                candidate = copyName(name, attempt)
                attempt += 1
            }
            return candidate
        }
    }

    /// Inside a transaction: makes a file that another one took the place of a file of its own.
    private func part(_ record: inout FileRecord, slot: Int64, in committer: Committer) throws(Errno) {
        (record.lineage, record.heads, record.replaced, record.saved) = (.fresh(), [], [], nil)
        record.successor = .none
        guard record.detached != 0 else { return }
        // It has its chunks in common with the version that it became.
        if try committer.has(.version, slot: record.detached) {
            for chunk in try chunkListInTransaction(.file, slot, record.content, committer) where chunk != 0 {
                try committer.shareChunk(chunk)
            }
        }
        committer.openVersions[record.detached] = nil
        record.detached = 0
    }
}
