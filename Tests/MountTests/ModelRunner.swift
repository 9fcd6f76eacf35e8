import Foundation
import TestSupport

/// Where the mount and the plain folder went apart.
struct Divergence: Sendable {
    /// How many steps had been made, with the one that shows it.
    var steps: Int
    var what: String
}

/// Runs one sequence on a new vault and on an empty folder, comparing after every step.
struct ModelRunner {
    let operations: [ModelOperation]
    /// After how many steps the attributes of the whole trees are compared, besides each step's result; contents are
    /// every twentieth time.
    var interval = 25

    /// On a new vault and a plain folder beside it.
    func run() throws -> Divergence? {
        try TestVault.with { vault in
            let plain = ModelFolder(top: try vault.home.directory("plain"))
            var daemon = try vault.serve()
            let divergence = try run(plain, ModelFolder(top: vault.directory, isMount: true)) { operation in
                daemon = try again(operation, vault, daemon)
            }
            if divergence != nil { return divergence }
            let isWell = try vault.opened("verify").run().code == 0
            try vault.lock()
            try daemon.wait()
            let opens = try vault.opened("verify").run()
            if opens.code == 0, isWell { return nil }
            return Divergence(steps: operations.count, what: "verify, mounted: \(isWell); after: \(opens.errorText)")
        }
    }

    /// On any two folders; `restart` does what concerns the mount only.
    func run(
        _ plain: ModelFolder, _ mounted: ModelFolder, restart: (ModelOperation) throws -> Void
    ) throws -> Divergence? {
        for (index, operation) in operations.enumerated() {
            if operation.isForTheMount {
                try plain.lock()
                try mounted.lock()
                try restart(operation)
            } else {
                let expected = plain.perform(operation)
                let found = mounted.perform(operation)
                if found != expected {
                    return Divergence(steps: index + 1, what: "\(operation)\n  plain: \(expected)\n  mount: \(found)")
                }
            }
            // What is wrong with an entry that no later step is about would be missed.
            let isLast = index == operations.count - 1
            let isWhole = operation.isForTheMount || index % (20 * interval) == 20 * interval - 1 || isLast
            if isWhole || index % interval == interval - 1 {
                if let difference = try compare(plain, mounted, contents: isWhole) {
                    return Divergence(steps: index + 1, what: "after \(operation)\n\(difference)")
                }
            }
        }
        return nil
    }

    private func again(_ operation: ModelOperation, _ vault: TestVault, _ daemon: ChildProcess) throws -> ChildProcess {
        if operation == .kill { daemon.send(SIGKILL) } else { try vault.lock() }
        try daemon.wait()
        return try vault.serve()
    }

    private func compare(_ plain: ModelFolder, _ mounted: ModelFolder, contents: Bool) throws -> String? {
        let (expected, found) = (try plain.snapshot(contents: contents), try mounted.snapshot(contents: contents))
        let names = Set(expected.keys).union(found.keys).sorted()
        let different = names.filter { expected[$0] != found[$0] }
        if different.isEmpty { return nil }
        return different.prefix(5).map {
            "\($0)\n  plain: \(expected[$0] ?? "not there")\n  mount: \(found[$0] ?? "not there")"
        }.joined(separator: "\n")
    }
}

extension ModelRunner {
    /// The shortest sequence found that still goes apart: parts are left out, large ones first (delta debugging,
    /// Zeller and Hildebrandt 2002), for at most `attempts` runs.
    static func shrink(
        _ failing: [ModelOperation], attempts: Int,
        run: ([ModelOperation]) throws -> Divergence? = { try ModelRunner(operations: $0).run() }
    ) throws -> ([ModelOperation], Divergence?) {
        var (best, divergence): ([ModelOperation], Divergence?) = (failing, nil)
        var (size, left) = (max(1, failing.count / 2), attempts)
        while left > 0 {
            var start = 0
            var shrunk = false
            while start < best.count, left > 0 {
                var candidate = best
                candidate.removeSubrange(start..<min(start + size, best.count))
                left -= 1
                if let found = try run(candidate) {
                    (best, divergence, shrunk) = (Array(candidate.prefix(found.steps)), found, true)
                } else {
                    start += size
                }
            }
            if size == 1, !shrunk { break }
            size = max(1, size / 2)
        }
        return (best, divergence)
    }
}
