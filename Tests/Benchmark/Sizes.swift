import Glibc

/// What unlocking costs beyond the key derivation, and how much memory the daemon keeps, at growing numbers of
/// entries. Both are the program's own figures (`coffer status --json`).
struct Sizes {
    let program: String
    let scratch: String
    /// The first is an empty vault: its memory is the base of the others.
    let counts: [Int]

    private struct Figures {
        var milliseconds: Double
        var bytes: Double
    }

    /// What it takes to use it, in microseconds.
    private struct Use {
        var create = 0.0
        var list = 0.0
        var cat = 0.0
    }

    func run(_ report: Report) throws {
        let header = [
            "entries", "unlock beyond the KDF (ms)", "resident (MiB)", "bytes an entry", "create, each (us)",
            "list, each (us)", "first cat, p50 (us)",
        ]
        report.begin("Unlocking and memory of coffer, one directory", header: header)
        var base = 0.0
        for count in counts {
            report.progress("\(count) entries")
            let (figures, use) = try measure(count)
            if count == 0 { base = figures.bytes }
            let figuresText = [
                "\(count)", Report.decimal(figures.milliseconds, places: 1),
                Report.decimal(figures.bytes / 1_048_576, places: 1),
                count == 0 ? "-" : Report.decimal(max(0, figures.bytes - base) / Double(count), places: 0),
            ]
            let useText = [use.create, use.list, use.cat].map { count == 0 ? "-" : Report.decimal($0, places: 1) }
            report.cells(figuresText + useText)
        }
        report.end()
    }

    private func measure(_ count: Int) throws -> (Figures, Use) {
        let folder = "\(scratch)/size-\(count)"
        try Shell.run("mkdir -p \"$1/mount\"", folder)
        // What root has mounted a vault on is immutable.
        defer {
            try? Shell.run("chattr -f -i \"$1/mount\" 2> /dev/null; rm -rf --one-file-system \"$1\"", folder)
        }
        try coffer("init --kdf-memory 64 --kdf-passes 3", folder)
        try coffer("mount \"$2/mount\"", folder)
        defer { try? Shell.run("fusermount3 -u -z \"$1/mount\" 2> /dev/null || true", folder) }
        let content = Workload.content(bytes: 200)
        let total = try timed {
            for index in 0..<count {
                try Call.create(Path("\(folder)/mount/\(Workload.name(index))"), content, durable: false)
            }
        }
        try coffer("lock \"$2/mount\"", folder)
        var runs: [Figures] = []
        var use = Use(create: Double(total) / 1000 / Double(max(1, count)))
        for round in 0..<3 {
            try coffer("mount \"$2/mount\"", folder)
            runs.append(try status(folder))
            if round == 2 { try self.use(folder, count, &use) }
            try coffer("lock \"$2/mount\"", folder)
        }
        let milliseconds = runs.map(\.milliseconds).sorted()[1]
        let bytes = runs.map(\.bytes).sorted()[1]
        return (Figures(milliseconds: milliseconds, bytes: bytes), use)
    }

    /// Reads some entries, all over the directory, and lists it.
    private func use(_ folder: String, _ count: Int, _ use: inout Use) throws {
        var samples = Samples()
        var buffer = [UInt8](repeating: 0, count: 65536)
        for index in stride(from: 0, to: count, by: max(1, count / 100)) {
            let path = Path("\(folder)/mount/\(Workload.name(index))")
            samples.append([try timed { try Call.cat(path, &buffer) }])
        }
        use.cat = samples.percentile(0.5) ?? 0
        var listed = ""
        let list = timed { listed = Shell.output("ls -U \"$1/mount\" | wc -l", folder) }
        guard listed.contains("\(count)") else {
            throw SystemError(description: "\(count) entries were made, and ls lists \(listed)")
        }
        use.list = Double(list) / 1000 / Double(max(1, count))
    }

    private func coffer(_ arguments: String, _ folder: String) throws {
        let needsPassword = !arguments.hasPrefix("lock")
        try Shell.run(
            "COFFER_VAULT=\"$2/vault\" \"$1\" \(arguments)\(needsPassword ? " --password-file \"$3\"" : "") > \"$2/log\" 2>&1"
                + " || { cat \"$2/log\" >&2; exit 1; }",
            program, folder, "\(scratch)/password")
    }

    private func status(_ folder: String) throws -> Figures {
        let text = Shell.output("COFFER_VAULT=\"$2/vault\" \"$1\" status --json", program, folder)
        guard let time = number("unlockMilliseconds", in: text), let bytes = number("residentBytes", in: text) else {
            throw SystemError(description: "coffer status --json lacks unlockMilliseconds or residentBytes: \(text)")
        }
        return Figures(milliseconds: time, bytes: bytes)
    }

    /// The number behind `"key":`. The benchmark has no other use for a JSON parser.
    private func number(_ key: String, in text: String) -> Double? {
        let parts = text.split(separator: "\"\(key)\"", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let digits = parts[1].drop { ": \n\t".contains($0) }.prefix { "0123456789.eE+-".contains($0) }
        return Double(String(digits))
    }
}
