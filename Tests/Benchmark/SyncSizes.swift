/// What Coffer's synchronisation costs at growing numbers of entries: a first push, one edit, and another device that joins.
struct SyncSizes {
    private let counts: [Int]
    private let edits: Int
    private let joins: Int
    private let vaults: [CofferPusher]
    private let wrong: String

    init(_ options: Options, program: String) {
        counts = [1000, 10_000] + (options.quick ? [] : [100_000])
        edits = options.quick ? 20 : 100
        joins = options.quick ? 1 : 3
        wrong = "\(options.scratch)/wrong"
        let scratch = options.scratch
        vaults = counts.map {
            CofferPusher(folder: "\(scratch)/sync-\($0)", program: program, password: "\(scratch)/password")
        }
    }

    private struct First {
        var seconds: Double
        var contents: RemoteContents
    }

    func run(_ report: Report) throws {
        defer { for vault in vaults { vault.remove() } }
        report.begin(
            "Synchronisation of coffer with a folder",
            header: [
                "entries", "first push (s)", "objects", "MiB", "one edit, p50 / p99 (ms)", "objects, KiB of it",
                "join (s)", "of it KDF (s)",
            ])
        let first = try vaults.indices.map { index in
            report.progress("\(counts[index]) entries")
            try vaults[index].make(counts[index])
            let duration = try timed { try vaults[index].push() }
            return First(seconds: Double(duration) / 1e9, contents: vaults[index].contents)
        }
        let edits = try Edits.measure(vaults, edits, entries: counts)
        for index in vaults.indices {
            report.progress("joining \(counts[index]) entries")
            let join = try Joins(vault: vaults[index], wrong: wrong).measure(joins)
            report.cells(
                ["\(counts[index])", text(first[index].seconds), text(first[index].contents.objects, places: 0)]
                    + [text(first[index].contents.bytes / 1_048_576, places: 1), times(edits[index])]
                    + ["\(text(edits[index].objects, places: 1)), \(text(edits[index].bytes / 1024, places: 1))"]
                    + [text(join.seconds), text(join.derivation)])
        }
        report.end()
        guard let small = edits.first?.milliseconds(0.5), let large = edits.last?.milliseconds(0.5) else { return }
        report.note(
            "An edit at \(counts.last ?? 0) entries takes \(text(large / small)) times what it takes at "
                + "\(counts.first ?? 0).")
    }

    private func times(_ edit: Edits) -> String {
        "\(text(edit.milliseconds(0.5) ?? 0, places: 1)) / \(text(edit.milliseconds(0.99) ?? 0, places: 1))"
    }

    private func text(_ value: Double, places: Int = 2) -> String { Report.decimal(value, places: places) }
}

/// A kit and devices that join with it.
private struct Joins {
    let vault: CofferPusher
    /// A file with another password.
    let wrong: String

    private static let cost = "--kdf-memory 64 --kdf-passes 3 --password-file \"$3\""
    private static let join = "join --kit \"$2/kit.txt\" --email bench@example.org \(cost) \(CofferPusher.fingerprint)"

    /// Medians of the whole, and of what of it is deriving keys, which joining does for the kit, for unlocking the new
    /// vault and for the admin key. The first takes as long as a wrong password at joining, which is refused after it;
    /// the others have the costs of an unlock, and each takes as long as a wrong password there. Starting the program
    /// is in these times, too.
    func measure(_ count: Int) throws -> (seconds: Double, derivation: Double) {
        try vault.issueKit()
        var whole = Samples()
        var derivation = Samples()
        for _ in 0..<count {
            let kit = try timed { try refused(Joins.join) }
            whole.append([try timed { try vault.coffer(Joins.join, vault: "joined") }])
            let unlock = try timed { try refused("show nothing --password-file \"$3\"") }
            derivation.append([kit + 2 * unlock])
            try Shell.run("rm -rf \"$1\"/joined*", vault.folder)
        }
        return ((whole.percentile(0.5) ?? 0) / 1e6, (derivation.percentile(0.5) ?? 0) / 1e6)
    }

    private func refused(_ arguments: String) throws {
        try vault.coffer(arguments, vault: "joined", password: wrong, expecting: 12)
    }
}
