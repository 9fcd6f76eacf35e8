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

    func run(_ report: Report) throws {
        let header = ["entries", "unlock beyond the KDF (ms)", "resident (MiB)", "bytes an entry", "create, each (us)"]
        report.begin("Unlocking and memory of coffer, one directory", header: header)
        var base = 0.0
        for count in counts {
            report.progress("\(count) entries")
            let (figures, microseconds) = try measure(count)
            if count == 0 { base = figures.bytes }
            report.cells([
                "\(count)", Report.decimal(figures.milliseconds, places: 1),
                Report.decimal(figures.bytes / 1_048_576, places: 1),
                count == 0 ? "-" : Report.decimal(max(0, figures.bytes - base) / Double(count), places: 0),
                count == 0 ? "-" : Report.decimal(microseconds, places: 1),
            ])
        }
        report.end()
    }

    private func measure(_ count: Int) throws -> (Figures, microseconds: Double) {
        let folder = "\(scratch)/size-\(count)"
        try Shell.run("mkdir -p \"$1/mount\"", folder)
        defer { try? Shell.run("rm -rf --one-file-system \"$1\"", folder) }
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
        for _ in 0..<3 {
            try coffer("mount \"$2/mount\"", folder)
            runs.append(try status(folder))
            try coffer("lock \"$2/mount\"", folder)
        }
        let milliseconds = runs.map(\.milliseconds).sorted()[1]
        let bytes = runs.map(\.bytes).sorted()[1]
        return (Figures(milliseconds: milliseconds, bytes: bytes), Double(total) / 1000 / Double(max(1, count)))
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
