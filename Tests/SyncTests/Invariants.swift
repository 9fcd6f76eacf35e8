import Format
import Sync
import Synchronization

/// What must hold when everything has arrived everywhere, by the numbers of the design.
extension Schedule {
    mutating func check() {
        guard failures.isEmpty else { return }
        checkTrees()
        checkContents()
        checkLogs()
    }

    /// I7: equal sets of operations give equal states.
    private mutating func checkTrees() {
        let first = replicas[0].tree(top: family.vault)
        for device in replicas.indices.dropFirst() {
            let other = replicas[device].tree(top: family.vault)
            guard other != first else { continue }
            let keys = Set(first.keys).union(other.keys).filter { first[$0] != other[$0] }.sorted()
            failures.append(
                "I7: device \(device) differs at \(keys.map { "\($0): \(first[$0] ?? "-") / \(other[$0] ?? "-")" })")
        }
        if first.keys.contains(where: { $0.hasPrefix("CIRCLE") }) { failures.append("a directory is within itself") }
    }

    /// I6: every content is there, or somebody who saw it has written over it or removed it.
    private mutating func checkContents() {
        let there = Set(replicas[0].tree(top: family.vault).values)
        let lost = written.subtracting(gone).subtracting(there)
        if !lost.isEmpty { failures.append("I6: lost \(lost.sorted())") }
    }

    /// I1: one chain for each device. I4: what is tried again is the same.
    private mutating func checkLogs() {
        let (paths, rewrites) = remote.contents.withLock { (Array($0.written.keys), $0.rewrites) }
        if !rewrites.isEmpty { failures.append("I4: written anew: \(rewrites)") }
        var seen = Set<String>()
        for path in paths where path.components.count == 4 && path.components[1] == "log" {
            let number = path.components[3].split(separator: ".")[0]
            if !seen.insert("\(path.components[2])/\(number)").inserted {
                failures.append("I1: two segments at \(path)")
            }
        }
        for device in replicas.indices where !replicas[device].store.outbox.isEmpty {
            failures.append("device \(device) has not pushed everything")
        }
    }
}
