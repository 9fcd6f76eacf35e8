import Format
import Sync
import Synchronization

/// What must hold, by the numbers of the design.
extension Schedule {
    /// When everything has arrived everywhere.
    mutating func check() async {
        // I1: two histories of one device do not stay unnoticed.
        if remote.hasTwins, !isForked { failures.append("I1: nobody has found the twins") }
        guard failures.isEmpty, !isForked else { return }
        checkTrees()
        checkContents()
        await checkShutOut()
        for device in replicas.indices where !out.contains(device) && !replicas[device].store.outbox.isEmpty {
            failures.append("device \(device) has not pushed everything")
        }
    }

    /// After each step. I1: one chain for each device. I4: what is tried again is the same. I5: numbers only rise.
    mutating func checkStep() {
        let (rewrites, twins) = remote.contents.withLock { ($0.rewrites, $0.twins) }
        if !rewrites.isEmpty { failures.append("I4: written anew: \(rewrites)") }
        if !twins.isEmpty {
            // Found by whoever reads both, not by whoever writes.
            if kind == .clone { return }
            failures.append("I1, I5: not the next number: \(twins)")
        }
    }

    /// I3: what a device removes every device that it knows has read.
    mutating func checkRemoved(by device: Int) async {
        let removed = remote.contents.withLock { contents in
            defer { contents.removed = [] }
            return contents.removed.filter { $0.components.count == 4 && $0.components[1] == "log" }
        }
        // A database that went back has acknowledged more than it has.
        guard !removed.isEmpty, kind != .restore, kind != .clone,
            let known = try? await engine(device).status().devices
        else { return }
        for other in replicas.indices
        where known.contains(where: { $0.identifier == family.devices[identities[other]] }) {
            guard let theirs = try? await engine(other).status().devices else { continue }
            for path in removed {
                let sequence = theirs.first { $0.identifier.hexadecimal == path.components[2] }?.sequence ?? 0
                if UInt64(path.components[3].prefix { $0 != "." }) ?? 0 > sequence {
                    failures.append("I3: device \(device) has removed \(path), which \(other) has not read")
                }
            }
        }
    }

    /// The texts that a device shows.
    func texts(_ device: Int) -> Set<String> {
        Set(replicas[device].tree(top: family.vault).values).intersection(written)
    }

    /// I6, after each sync: what was shown before is shown, or somebody who saw it has written over it or removed it.
    mutating func checkTexts(_ device: Int, _ before: Set<String>) {
        let lost = before.subtracting(texts(device)).subtracting(gone)
        if !lost.isEmpty { failures.append("I6: device \(device) has lost \(lost.map { $0.prefix(10) }.sorted())") }
    }

    /// I7: equal sets of operations give equal states.
    private mutating func checkTrees() {
        let first = replicas[0].tree(top: family.vault)
        for device in replicas.indices.dropFirst() where !out.contains(device) {
            let other = replicas[device].tree(top: family.vault)
            guard other != first else { continue }
            let keys = Set(first.keys).union(other.keys).filter { first[$0] != other[$0] }.sorted()
            failures.append(
                "I7: device \(device) differs at \(keys.map { "\($0): \(first[$0] ?? "-") / \(other[$0] ?? "-")" })")
        }
        if first.keys.contains(where: { $0.hasPrefix("CIRCLE") }) { failures.append("a directory is within itself") }
    }

    /// I6: every content is there, or somebody who saw it has written over it or removed it. Who is out has what is its own.
    private mutating func checkContents() {
        var lost = written.subtracting(gone)
        for device in replicas.indices where device == 0 || out.contains(device) { lost.subtract(texts(device)) }
        if !lost.isEmpty { failures.append("I6: lost \(lost.sorted())") }
    }
}
