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

    /// Of each system the best round counts: the disk has moods, and who comes first in a round has it harder.
    private func trees(_ systems: [System], _ report: Report) throws {
        try makeTree("\(scratch)/tree")
        report.beginFigures("\(files) small files, in seconds", columns: systems.map(\.name))
        var (copyIn, search) = (BestTimes(systems), BestTimes(systems))
        var (copyOut, remove) = (BestTimes(systems), BestTimes(systems))
        for round in 0..<rounds {
            try copyIn.measure(round, report) {
                try Shell.run("cp -r \"$1\" \"$2\"", "\(scratch)/tree", "\($0.root)/tree")
            }
            for system in systems { try system.remount() }
            try search.measure(round, report) {
                try Shell.run("! grep -r nowhere-in-it \"$1\"", "\($0.root)/tree")
            }
            for system in systems { try system.remount() }
            try copyOut.measure(round, report) {
                try Shell.run("cp -r \"$1\" \"$2\"", "\($0.root)/tree", "\($0.folder)/out")
            }
            try remove.measure(round, report) { try Shell.run("rm -r \"$1\"", "\($0.root)/tree") }
            for system in systems { try Shell.run("rm -r \"$1\"", "\(system.folder)/out") }
        }
        report.figures("cp -r in", copyIn.seconds)
        report.figures("grep -r, first", search.seconds)
        report.figures("cp -r out, first", copyOut.seconds)
        report.figures("rm -r", remove.seconds)
        report.end()
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

/// How long each system took for one thing, in its best round.
private struct BestTimes {
    private let systems: [System]
    private(set) var seconds: [Double?]

    init(_ systems: [System]) { (self.systems, seconds) = (systems, systems.map { _ in nil }) }

    /// Each round begins with the next system.
    mutating func measure(_ round: Int, _ report: Report, _ body: (System) throws -> Void) throws {
        for position in systems.indices {
            let index = (position + round) % systems.count
            report.progress("  \(systems[index].name)")
            let time = Double(try timed { try body(systems[index]) }) / 1e9
            seconds[index] = min(seconds[index] ?? .infinity, time)
        }
    }
}
