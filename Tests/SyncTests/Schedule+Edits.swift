import Format
import Sync

/// What programs do on a device.
extension Schedule {
    mutating func edit(_ device: Int) {
        let (entries, directories) = shown(device)
        let parent = directories[random.below(directories.count)]
        let id = Identifier(using: &random)
        do throws(SyncError) {
            switch random.below(10) {
            case 0, 1: try make(device, in: parent, id)
            case 2:
                let name = "d\(random.below(4))"
                log.append("\(device) mkdir \(name)")
                try replicas[device].edit { (t) throws(SyncError) in try t.make(name, in: parent, nil, id: id) }
            case 3, 4, 5: if !entries.isEmpty { write(device, entries[random.below(entries.count)]) }
            case 6, 7:
                if !entries.isEmpty {
                    let entry = entries[random.below(entries.count)].placement.entry
                    let name = "n\(random.below(6))"
                    log.append("\(device) mv \(entry.hexadecimal.prefix(4)) \(name)")
                    try replicas[device].edit { (t) throws(SyncError) in try t.move(entry, to: parent, as: name) }
                }
            default: if !entries.isEmpty { try remove(device, entries[random.below(entries.count)]) }
            }
        } catch {
            failures.append("an edit fails: \(error)")
        }
    }

    private func shown(_ device: Int) -> (entries: [EntryRegister], directories: [Identifier]) {
        let store = replicas[device].store
        let shown = store.entries.values.filter(\.isShown).sorted { $0.placement.entry < $1.placement.entry }
        let directories = shown.map(\.placement.lineage).filter { store.lineages[$0]?.isDirectory == true }
        return (shown, [family.vault] + directories)
    }

    /// A text that was never there before; now and then a large one, whose chunks are objects.
    private mutating func fresh() -> String {
        count += 1
        var text = "text \(count)"
        if kind != .edits, count % 5 == 0 { text += String(repeating: " and so on \(count % 2)", count: 20) }
        written.insert(text)
        return text
    }

    private mutating func make(_ device: Int, in parent: Identifier, _ id: Identifier) throws(SyncError) {
        let name = "n\(random.below(6))"
        let text = fresh()
        log.append("\(device) make \(name) \(text.prefix(10)) \(id.hexadecimal.prefix(4))")
        try replicas[device].edit { (t) throws(SyncError) in try t.make(name, in: parent, text, id: id) }
        if replicas[device].store.entries[id] == nil { written.remove(text) }
    }

    private mutating func write(_ device: Int, _ register: EntryRegister) {
        let lineage = register.placement.lineage
        guard replicas[device].store.lineages[lineage]?.isRegular == true else { return }
        if let before = replicas[device].store.contents[lineage] {
            gone.insert(String(decoding: before, as: UTF8.self))
        }
        let text = fresh()
        log.append("\(device) write \(register.placement.entry.hexadecimal.prefix(4)) \(text.prefix(10))")
        try? replicas[device].edit { (t) throws(SyncError) in t.write(text, to: lineage) }
    }

    private mutating func remove(_ device: Int, _ register: EntryRegister) throws(SyncError) {
        let before = replicas[device].store
        try replicas[device].edit { (t) throws(SyncError) in try t.remove(register.placement.entry) }
        guard replicas[device].store.entries[register.placement.entry]?.isShown == false else { return }
        log.append("\(device) rm \(register.placement.entry.hexadecimal.prefix(4))")
        if let bytes = before.contents[register.placement.lineage] {
            gone.insert(String(decoding: bytes, as: UTF8.self))
        }
    }
}
