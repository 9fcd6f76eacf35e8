internal import Format

/// What a transaction of synchronisation has done to the tree.
struct ReplicationOutcome {
    var effects: [ReplicationEffect] = []
    /// Files that have lost a name.
    var unnamed: [Node] = []
    /// Names of files that a program has open.
    var lost: [(node: Node, file: Identifier, name: DisplacedFiles.Name)] = []
}

/// Each step was checked before its rows were written; what is not there all the same is passed over.
extension Tree {
    mutating func apply(_ step: ReplicationOverlay.Step, _ outcome: inout ReplicationOutcome) {
        switch step {
        case .file(let inode, let lineage):
            let node = node(of: inode.identifier) ?? insert(inode)
            update(node) { $0.isDoomed = false }
            setLineage(of: node, to: lineage)
            outcome.unnamed.append(node)
        case .attributes(let inode, let hasAttributes):
            guard let node = node(of: inode.identifier) else { return }
            update(node) { known in
                known.takeAttributes(inode)
                known.hasAttributes = hasAttributes
            }
            outcome.effects.append(.attributes(node))
        case .content(let inode):
            guard let node = node(of: inode.identifier) else { return }
            update(node) { ($0.size, $0.holes) = (inode.size, inode.holes) }
        case .replace(let old, let inode, let lineage): replace(old, inode, lineage, &outcome)
        case .place(let entry, let placed, let file, let isDirectory):
            place(entry, placed, file, isDirectory, &outcome)
        case .hide(let entry):
            guard let index = dentry(of: entry) else { return }
            let (name, dentry) = (name(of: index), dentry(at: index))
            unlink(index, &outcome)
            outcome.effects.append(
                .removed(name, in: Node(index: Int(dentry.parent)), node: Node(index: Int(dentry.node))))
        case .doom(let file):
            guard let node = node(of: file) else { return }
            update(node) { $0.isDoomed = true }
            outcome.unnamed.append(node)
        case .trash, .takeFromTrash: break
        }
    }

    private mutating func replace(
        _ old: Identifier, _ inode: Inode, _ lineage: Identifier, _ outcome: inout ReplicationOutcome
    ) {
        guard let before = node(of: old) else { return }
        let names = names(of: before)
        var inode = inode
        inode.links = UInt32(truncatingIfNeeded: names.count)
        let node = insert(inode)
        for name in names {
            noteLoss(of: name, &outcome)
            point(name, to: node)
            outcome.effects.append(.name(self.name(of: name), in: Node(index: Int(dentry(at: name).parent))))
        }
        update(before) { $0.links = 0 }
        setLineage(of: node, to: lineage)
        outcome.effects.append(.attributes(before))
        outcome.unnamed += [before, node]
    }

    private mutating func place(
        _ entry: Identifier, _ placed: ReplicationOverlay.Placed, _ file: Identifier, _ isDirectory: Bool,
        _ outcome: inout ReplicationOutcome
    ) {
        guard let node = node(of: file), let parent = self.node(of: placed.parent),
            inodes[parent.index].isDirectory
        else { return }
        var isMoved = false
        if let index = dentry(of: entry) {
            let dentry = dentry(at: index)
            isMoved = Int(dentry.node) == node.index
            outcome.effects.append(.name(name(of: index), in: Node(index: Int(dentry.parent))))
            if isMoved {
                removeDentry(index)
                if isDirectory { update(Node(index: Int(dentry.parent))) { $0.links -= min(1, $0.links) } }
            } else {
                unlink(index, &outcome)
            }
        }
        unsafe insertDentry(
            placed.name.span.bytes, in: parent, node: node, identifier: entry, slot: placed.slot, isLocal: false)
        if isDirectory { update(parent) { $0.links += 1 } }
        if !isMoved { update(node) { $0.links = isDirectory ? 2 : $0.links + 1 } }
        update(node) { $0.isDoomed = false }
        outcome.effects.append(.name(placed.name, in: parent))
    }

    /// Takes a name away, and counts links.
    private mutating func unlink(_ index: UInt32, _ outcome: inout ReplicationOutcome) {
        let dentry = dentry(at: index)
        let (node, parent) = (Node(index: Int(dentry.node)), Node(index: Int(dentry.parent)))
        noteLoss(of: index, &outcome)
        removeDentry(index)
        let isDirectory = inodes[node.index].isDirectory
        if isDirectory { update(parent) { $0.links -= min(1, $0.links) } }
        update(node) { $0.links = isDirectory ? 0 : $0.links - min(1, $0.links) }
        outcome.effects.append(.attributes(node))
        outcome.unnamed.append(node)
    }

    private func noteLoss(of index: UInt32, _ outcome: inout ReplicationOutcome) {
        let dentry = dentry(at: index)
        let inode = inode(at: dentry.node)
        guard inode.opens > 0, inode.isRegular, !dentry.isLocal else { return }
        var (directories, walk) = ([Identifier](), Node(index: Int(dentry.parent)))
        while walk != .root, directories.count < 4096 {
            directories.append(self.inode(at: UInt32(truncatingIfNeeded: walk.index)).identifier)
            walk = parent(of: walk)
        }
        let name = DisplacedFiles.Name(directories: directories, name: name(of: index))
        outcome.lost.append((Node(index: Int(dentry.node)), inode.identifier, name))
    }
}
