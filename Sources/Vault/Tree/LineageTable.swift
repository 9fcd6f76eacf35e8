internal import Format

/// The lineages of files where they are not the file's own identifier: few, so that they stand beside the inodes.
struct LineageTable {
    private var lineages: [UInt32: Identifier] = [:]
    private var nodes: [Identifier: UInt32] = [:]

    subscript(node: UInt32) -> Identifier? { lineages.isEmpty ? nil : lineages[node] }

    /// The file that has the lineage now, as opposed to one that had it before.
    func node(of lineage: Identifier) -> UInt32? { nodes.isEmpty ? nil : nodes[lineage] }

    mutating func set(_ node: UInt32, to lineage: Identifier) {
        remove(node)
        lineages[node] = lineage
        nodes[lineage] = node
    }

    mutating func remove(_ node: UInt32) {
        guard !lineages.isEmpty, let lineage = lineages.removeValue(forKey: node) else { return }
        if nodes[lineage] == node { nodes[lineage] = nil }
    }

    mutating func reindex() {
        nodes.removeAll()
        for (node, lineage) in lineages { nodes[lineage] = node }
    }
}

/// Finds dentries by what other devices know of them.
struct EntryIndex {
    private var dentries: [Identifier: UInt32] = [:]
    /// One name of a file.
    private var names: [UInt32: UInt32] = [:]
    /// The others of files that have several.
    private var more: [UInt32: [UInt32]] = [:]

    func dentry(of entry: Identifier) -> UInt32? { dentries[entry] }

    func names(of node: UInt32) -> [UInt32] {
        guard let name = names[node] else { return [] }
        return [name] + (more[node] ?? [])
    }

    mutating func insert(_ entry: Identifier, _ dentry: UInt32, node: UInt32) {
        dentries[entry] = dentry
        if names[node] == nil { names[node] = dentry } else { more[node, default: []].append(dentry) }
    }

    mutating func remove(_ entry: Identifier, _ dentry: UInt32, node: UInt32) {
        if dentries[entry] == dentry { dentries[entry] = nil }
        var rest = names(of: node).filter { $0 != dentry }
        names[node] = rest.popLast()
        more[node] = rest.isEmpty ? nil : rest
    }

    mutating func reserve(_ count: Int) {
        dentries.reserveCapacity(count)
        names.reserveCapacity(count)
    }
}

extension Tree {
    /// What other devices know a file by.
    func lineage(of node: Node) -> Identifier {
        lineages[UInt32(truncatingIfNeeded: node.index)] ?? inodes[node.index].identifier
    }

    mutating func setLineage(of node: Node, to lineage: Identifier) {
        let index = UInt32(truncatingIfNeeded: node.index)
        // Also its own identifier, where another file has had it meanwhile.
        if inodes[node.index].identifier == lineage, lineages.node(of: lineage) == nil {
            lineages.remove(index)
        } else {
            lineages.set(index, to: lineage)
        }
    }

    /// The file of a lineage that has a name.
    func node(ofLineage lineage: Identifier) -> Node? {
        let node: Node
        if let index = lineages.node(of: lineage) {
            node = Node(index: Int(index))
        } else if let found = self.node(of: lineage), lineages[UInt32(truncatingIfNeeded: found.index)] == nil {
            node = found
        } else {
            return nil
        }
        return inodes[node.index].links > 0 ? node : nil
    }

    /// Whether other devices may know the file: it has a name that leaves this device.
    func isKnown(_ node: Node) -> Bool {
        names(of: node).contains { name in
            let dentry = dentries[Int(name)]
            return !dentry.isLocal && !isLocal(Node(index: Int(dentry.parent)))
        }
    }

    mutating func indexEntries() {
        guard entryIndex == nil else { return }
        var index = EntryIndex()
        index.reserve(entryCount)
        for place in dentries.indices.dropFirst() where dentries[place].parent != 0 {
            index.insert(dentries[place].identifier, UInt32(truncatingIfNeeded: place), node: dentries[place].node)
        }
        entryIndex = index
    }

    func dentry(of entry: Identifier) -> UInt32? { entryIndex?.dentry(of: entry) }

    /// The names of a file.
    func names(of node: Node) -> [UInt32] {
        let inode = inodes[node.index]
        if inode.directory >= 0 { return [directories[Int(inode.directory)].dentry].filter { $0 != 0 } }
        let index = UInt32(truncatingIfNeeded: node.index)
        if let entryIndex { return entryIndex.names(of: index) }
        return dentries.indices.dropFirst().compactMap { place in
            dentries[place].parent != 0 && dentries[place].node == index ? UInt32(truncatingIfNeeded: place) : nil
        }
    }

    /// Points a dentry at another node.
    mutating func point(_ index: UInt32, to node: Node) {
        let dentry = dentries[Int(index)]
        entryIndex?.remove(dentry.identifier, index, node: dentry.node)
        if dentry.isLocal {
            update(Node(index: Int(dentry.node))) { $0.localNames -= 1 }
            update(node) { $0.localNames += 1 }
        }
        updateDentry(index) { $0.node = UInt32(truncatingIfNeeded: node.index) }
        entryIndex?.insert(dentry.identifier, index, node: UInt32(truncatingIfNeeded: node.index))
        setDirectoryDentry(of: node, to: index)
    }

    /// The entries of two names change places. Both leave this device, or neither does.
    mutating func swapEntries(_ left: UInt32, _ right: UInt32) {
        let (one, other) = (dentries[Int(left)], dentries[Int(right)])
        for (index, dentry) in [(left, one), (right, other)] {
            entryIndex?.remove(dentry.identifier, index, node: dentry.node)
        }
        for (index, dentry) in [(left, other), (right, one)] {
            updateDentry(index) {
                ($0.identifier, $0.slot, $0.node) = (dentry.identifier, dentry.slot, dentry.node)
            }
            entryIndex?.insert(dentry.identifier, index, node: dentry.node)
            setDirectoryDentry(of: Node(index: Int(dentry.node)), to: index)
        }
    }

    /// Whether a directory is one that never leaves this device, or is below one.
    func isLocal(_ directory: Node) -> Bool {
        var walk = directory
        var steps = 0
        while walk != .root, steps < inodes.count {
            steps += 1
            let inode = inodes[walk.index]
            guard inode.directory >= 0 else { return false }
            let dentry = directories[Int(inode.directory)].dentry
            guard dentry != 0 else { return false }
            if dentries[Int(dentry)].isLocal { return true }
            walk = Node(index: Int(dentries[Int(dentry)].parent))
        }
        return false
    }
}
