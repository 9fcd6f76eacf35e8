import Glibc

/// Two devices whose vaults are mounted and synchronise by themselves: how long an edit is on its way, and what many edits
/// leave at the remote.
struct TwoMounts {
    private let entries = 1000
    private let watched: Int
    private let edits: Int
    private let pusher: CofferPusher

    init(_ options: Options, program: String) {
        (watched, edits) = options.quick ? (3, 50) : (12, 500)
        pusher = CofferPusher(
            folder: "\(options.scratch)/sync-mounts", program: program, password: "\(options.scratch)/password")
    }

    private var folder: String { pusher.folder }

    func run(_ report: Report) throws {
        defer {
            try? pusher.coffer("lock \"$2/other\"", vault: "joined")
            pusher.remove()
        }
        report.progress("two mounts")
        try begin()
        report.begin("Two mounts of coffer and a folder: \(watched) edits", header: ["", "p50 (s)", "max (s)"])
        let (pushed, seen) = try onTheirWay()
        report.cells(["from the save until the remote has it"] + times(pushed))
        report.cells(["from there until the other mount shows it"] + times(seen))
        report.end()
        report.progress("\(edits) edits")
        let ratio = try remains()
        report.note(
            "After \(edits) edits, each synchronised by both, the remote holds \(Report.decimal(ratio, places: 2)) times what "
                + "a first push of the same vault writes.")
    }

    private func begin() throws {
        try pusher.make(entries)
        try pusher.push()
        try pusher.issueKit()
        try pusher.coffer("lock \"$2/mount\"")
        try pusher.coffer("mount \"$2/mount\" --password-file \"$3\"")
        try pusher.coffer(
            "join --kit \"$2/kit.txt\" --email bench@example.org --kdf-memory 64 --kdf-passes 3 --password-file \"$3\" "
                + CofferPusher.fingerprint,
            vault: "joined")
        try Shell.run("mkdir \"$1/other\"", folder)
        try pusher.coffer("mount \"$2/other\" --password-file \"$3\"", vault: "joined")
        for vault in ["vault", "joined"] { try pusher.coffer("sync", vault: vault) }
    }

    private func times(_ samples: Samples) -> [String] {
        [0.5, 1].map { Report.decimal((samples.percentile($0) ?? 0) / 1e6, places: 2) }
    }

    private func onTheirWay() throws -> (pushed: Samples, seen: Samples) {
        var (pushed, seen) = (Samples(), Samples())
        for number in 0..<watched {
            // So that the other's looks are not in step with the edits.
            usleep(UInt32(number * 379 % 1000) * 1000)
            let hints = RemoteContents.moment("\(folder)/remote/v1/head")
            try save(number)
            pushed.append([try timed { try wait { RemoteContents.moment("\(folder)/remote/v1/head") != hints } }])
            let path = Path("\(folder)/other/\(CofferPusher.entry(number))")
            let text = content(number).prefix(12)
            seen.append([try timed { try wait { try Call.beginning(of: path, count: text.count) == text } }])
        }
        return (pushed, seen)
    }

    private func content(_ number: Int) -> [UInt8] {
        Array("edit \(number)      \n".utf8) + Workload.content(bytes: 400)
    }

    private func save(_ number: Int) throws { try pusher.save(number % entries, content(number)) }

    private func wait(_ condition: () throws -> Bool) throws {
        let start = now()
        while try !condition() {
            guard now() - start < 60_000_000_000 else { throw SystemError(description: "an edit does not arrive") }
            usleep(1000)
        }
    }

    /// What the remote holds, as a multiple of what is live.
    private func remains() throws -> Double {
        for number in 0..<edits {
            try save(number)
            for vault in ["vault", "joined"] { try pusher.coffer("sync", vault: vault) }
        }
        // Each hears of what the other has read.
        for vault in ["vault", "joined", "vault"] { try pusher.coffer("sync", vault: vault) }
        let held = pusher.contents.bytes
        try pusher.coffer("remote set --create \"$2/fresh\"")
        try pusher.coffer("remote rebuild")
        return held / RemoteContents(in: "\(folder)/fresh").bytes
    }
}
