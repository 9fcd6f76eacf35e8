import Glibc

/// Large things: a tree of small files copied in and out with `cp -r` and searched with `grep -r`, and one large
/// file written and read from begin to end.
struct Bulk {
    private let scratch: String
    private let files: Int
    private let mebibytes: Int
    private let rounds: Int

    init(_ options: Options) {
        scratch = options.scratch
        files = options.quick ? 1000 : 10_000
        mebibytes = options.quick ? 32 : 256
        rounds = options.quick ? 1 : 2
    }

    func run(_ systems: [System], _ report: Report) throws {
        try trees(systems, report)
        try streams(systems, report)
    }

    private func trees(_ systems: [System], _ report: Report) throws {
        try makeTree("\(scratch)/tree")
        report.beginFigures("\(files) small files, in seconds", columns: systems.map(\.name))
        let copyIn = try each(systems, report) {
            try Shell.run("cp -r \"$1\" \"$2\"", "\(scratch)/tree", "\($0.root)/tree")
        }
        for system in systems { try system.remount() }
        let search = try each(systems, report) {
            try Shell.run("! grep -r nowhere-in-it \"$1\"", "\($0.root)/tree")
        }
        for system in systems { try system.remount() }
        let copyOut = try each(systems, report) {
            try Shell.run("cp -r \"$1\" \"$2\"", "\($0.root)/tree", "\($0.folder)/out")
        }
        let remove = try each(systems, report) { try Shell.run("rm -r \"$1\"", "\($0.root)/tree") }
        report.figures("cp -r in", copyIn)
        report.figures("grep -r, first", search)
        report.figures("cp -r out, first", copyOut)
        report.figures("rm -r", remove)
        report.end()
    }

    private func each(_ systems: [System], _ report: Report, _ body: (System) throws -> Void) throws -> [Double?] {
        try systems.map { system in
            report.progress("  \(system.name)")
            return Double(try timed { try body(system) }) / 1e9
        }
    }

    private func makeTree(_ path: String) throws {
        try check(unsafe mkdir(path, 0o755), path)
        for directory in 0..<files / 100 {
            try check(unsafe mkdir("\(path)/\(directory)", 0o755), path)
            for index in 0..<100 {
                try Call.create(
                    Path("\(path)/\(directory)/\(Workload.name(index))"), Workload.content(index), durable: false)
            }
        }
    }

    private func streams(_ systems: [System], _ report: Report) throws {
        report.beginFigures(
            "One file of \(mebibytes) MiB, in MiB a second (more is better)", columns: systems.map(\.name))
        var (writes, first, again) = (systems.map { _ in 0.0 }, systems.map { _ in 0.0 }, systems.map { _ in 0.0 })
        for round in 0..<rounds {
            for position in systems.indices {
                let index = (position + round) % systems.count
                let path = Path("\(systems[index].root)/large")
                writes[index] = max(writes[index], try speed { try write(path) })
                try systems[index].remount()
                first[index] = max(first[index], try speed { try read(path) })
                again[index] = max(again[index], try speed { try read(path) })
                try Call.unlink(path)
            }
        }
        report.figures("write, fsync, close", writes)
        report.figures("read, first", first)
        report.figures("read, repeated", again)
        report.end()
    }

    private func speed(_ body: () throws -> Void) rethrows -> Double {
        Double(mebibytes) / (Double(try timed(body)) / 1e9)
    }

    private func write(_ path: Path) throws {
        let file = try check(unsafe open(path.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644), path.text)
        defer { close(file) }
        let content = [UInt8](repeating: 0x62, count: 1 << 20)[...]
        for _ in 0..<mebibytes { try Call.write(file, content, path) }
        try check(fsync(file), path.text)
    }

    private func read(_ path: Path) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        try Call.cat(path, &buffer)
    }
}
