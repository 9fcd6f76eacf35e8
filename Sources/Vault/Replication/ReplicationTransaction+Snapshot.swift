public import Format
internal import Synchronization
public import SystemPackage

/// The whole vault as registers, and back.
extension ReplicationTransaction {
    /// Calls `body` with every register of the vault that other devices hear of, one row in memory at a time: lineages
    /// before the entries that lead to them, directories before what is in them, at last what is removed. Those of the
    /// top directory are left out.
    ///
    /// - Parameter translating: an errno of the store in the terms of the caller.
    public func forEachRegister<E: Error>(
        translating: (Errno) -> E, _ body: (SnapshotRegister) throws(E) -> Void
    ) throws(E) {
        func read<R>(_ body: () throws(Errno) -> R) throws(E) -> R {
            do throws(Errno) { return try body() } catch { throw translating(error) }
        }
        // Lineages that more than one entry leads to.
        var told: Set<Identifier> = []
        func tell(_ lineage: Identifier, isShared: Bool) throws(E) {
            if isShared, !told.insert(lineage).inserted { return }
            let found = try read { () throws(Errno) in
                (try self.lineage(lineage), try content(of: lineage))
            }
            if let register = found.0 { try body(.lineage(register, content: found.1)) }
        }
        var directories = [vault.identifier]
        while let directory = directories.popLast() {
            for child in children(of: directory) {
                guard let register = try read({ () throws(Errno) in try entry(child) }) else { continue }
                let lineage = register.placement.lineage
                try tell(lineage, isShared: entries(of: lineage).count > 1)
                try body(.entry(register))
                if isKnownDirectory(lineage) { directories.append(lineage) }
            }
        }
        for (entry, place) in committer.sync.registers.values where !place.isShown {
            try tell(place.lineage, isShared: entries(of: place.lineage).count > 1)
            if let register = try read({ () throws(Errno) in try self.entry(entry) }) { try body(.entry(register)) }
        }
    }

    private func isKnownDirectory(_ lineage: Identifier) -> Bool {
        guard case .none = overlay.files[lineage] else {
            return (try? self.lineage(lineage)?.isDirectory) ?? false
        }
        return vault.tree.withLock { tree in
            tree.node(of: lineage).map { tree.inode(at: UInt32(truncatingIfNeeded: $0.index)).isDirectory } ?? false
        }
    }

    /// Puts a register of a snapshot into a vault that has none yet. Chunks have been taken in before, or come along.
    public func restore(_ register: SnapshotRegister) throws(Errno) {
        switch register {
        case .lineage(let known, let content):
            let lineage = known.attributes.lineage
            try put(known.attributes)
            if let content {
                try put(content, heads: known.heads, rivals: known.rivals)
            } else if !known.heads.isEmpty || !known.rivals.isEmpty {
                try setHeads(known.heads, rivals: known.rivals, of: lineage)
            }
        case .entry(let register): try put(register)
        }
    }
}
