import Format
import Sync

/// What programs do in a replica: the changes of a user.
extension MemoryReplica {
    func edit(_ body: (MemoryTransaction) throws(SyncError) -> Void) throws(SyncError) {
        try transaction { (transaction) throws(SyncError) in try body(transaction) }
    }

    /// The shown entries as `path → content`; directories end with a slash.
    func tree(top: Identifier) -> [String: String] {
        let store = store
        var tree: [String: String] = [:]
        func walk(_ directory: Identifier, _ path: String, _ depth: Int) {
            guard depth < 64 else { return tree["CIRCLE \(path)"] = "" }
            for register in store.entries.values where register.isShown && register.placement.parent == directory {
                let name = path + String(decoding: register.placement.name, as: UTF8.self)
                let lineage = register.placement.lineage
                if store.lineages[lineage]?.isDirectory == true {
                    tree[name + "/"] = ""
                    walk(lineage, name + "/", depth + 1)
                } else {
                    tree[name] = String(decoding: store.contents[lineage] ?? [], as: UTF8.self)
                }
            }
        }
        walk(top, "", 0)
        return tree
    }
}

extension MemoryTransaction {
    func make(_ name: String, in parent: Identifier, _ text: String?, id: Identifier) throws(SyncError) {
        guard entry(in: parent, named: Array(name.utf8)) == nil else { return }
        let stamp = nextStamp()
        let zero = Timestamp(seconds: 0, nanoseconds: 0)
        put(
            AttributesChange(
                lineage: id, stamp: stamp, mode: text == nil ? 0o040700 : 0o100600, accessed: zero, modified: zero,
                changed: zero))
        if let text { write(text, to: id) }
        try put(
            EntryRegister(
                placement: EntryChange(
                    entry: id, parent: parent, lineage: id, stamp: nextStamp(), name: Array(name.utf8))))
        noteOwn(.entry(id))
    }

    func write(_ text: String, to lineage: Identifier) {
        let bytes = Array(text.utf8)
        let heads = store.lineages[lineage]?.heads ?? []
        let isUnsegmented = heads.first.map { $0.device == device && $0.lamport > store.segmented } ?? false
        let replaces = isUnsegmented ? store.replaces[lineage] ?? [] : heads
        let stamp = nextStamp()
        put(
            ContentChange(
                lineage: lineage, stamp: stamp, replaces: replaces,
                modified: Timestamp(seconds: 0, nanoseconds: 0), reference: .memory(bytes, lineage), column: bytes),
            heads: [stamp], rivals: store.lineages[lineage]?.rivals ?? [])
        noteOwn(.lineage(lineage))
    }

    func move(_ entry: Identifier, to parent: Identifier, as name: String) throws(SyncError) {
        guard var register = self.entry(entry), register.isShown,
            self.entry(in: parent, named: Array(name.utf8)) == nil,
            !isBelow(parent, register.placement.lineage)
        else { return }
        register.placement.parent = parent
        register.placement.name = Array(name.utf8)
        register.placement.stamp = nextStamp()
        // A removed directory that was only there for what is in it is a directory like any other once it is moved.
        register.removals = []
        try put(register)
        noteOwn(.entry(entry))
    }

    private func isBelow(_ directory: Identifier, _ lineage: Identifier) -> Bool {
        var walk = directory
        for _ in 0..<64 {
            if walk == lineage { return true }
            guard let entry = entries(of: walk).first, let register = entry_(entry) else { return false }
            walk = register.placement.parent
        }
        return true
    }

    private func entry_(_ id: Identifier) -> EntryRegister? { store.entries[id] }

    func remove(_ entry: Identifier) throws(SyncError) {
        guard var register = self.entry(entry), register.isShown, children(of: register.placement.lineage).isEmpty
        else {
            return
        }
        let known = store.lineages[register.placement.lineage]
        let saw = (known?.heads ?? []) + (known?.rivals ?? [])
        register.removals.append(RemovalChange(entry: entry, stamp: nextStamp(), saw: saw))
        register.isShown = false
        try put(register)
        noteOwn(.removal(entry))
    }
}
