import Glibc

/// What is asked for the first time after mounting. The disk's own pages stay in memory: it is the file systems
/// that are compared, not the disk.
struct ColdCycles {
    let rounds: Int

    func run(_ runner: Runner) throws -> [Result] {
        var stat = runner.systems.map { _ in Samples() }
        var cat = stat
        var list = stat
        for round in 0..<rounds {
            for position in runner.systems.indices {
                let index = (position + round) % runner.systems.count
                let system = runner.systems[index]
                try system.remount()
                try warm(system)
                list[index].append([try timed { try Call.list(Path("\(system.root)/list")) }])
                stat[index].append(
                    try (0..<400).map { Workload.entry(system, $0) }.map { path in
                        try timed { try Call.stat(path) }
                    })
                cat[index].append(try (400..<800).map { Workload.entry(system, $0) }.map(coldCat))
            }
        }
        return [
            Result(name: "stat, first", samples: stat), Result(name: "cat, first", samples: cat),
            Result(name: "readdir with stat of 1,000, first", samples: list),
        ]
    }

    /// The daemon's first request of each kind also loads its code.
    private func warm(_ system: System) throws {
        var buffer = [UInt8](repeating: 0, count: 65536)
        for index in 990..<1000 { try Call.cat(Workload.entry(system, index), &buffer) }
    }

    private func coldCat(_ path: Path) throws -> UInt64 {
        var buffer = [UInt8](repeating: 0, count: 65536)
        return try timed { try Call.cat(path, &buffer) }
    }
}

/// What is asked for again after more than a second: where a file system lets the kernel keep names and
/// attributes for one second only, it is asked again itself.
struct AfterPause {
    let rounds: Int

    func run(_ runner: Runner) throws -> [Result] {
        var stat = runner.systems.map { _ in Samples() }
        var cat = stat
        for _ in 0..<rounds {
            for system in runner.systems { _ = try visit(system) }
            usleep(1_100_000)
            for (index, system) in runner.systems.enumerated() {
                let durations = try visit(system)
                stat[index].append(durations.stat)
                cat[index].append(durations.cat)
            }
        }
        return [Result(name: "stat, after a pause", samples: stat), Result(name: "cat, after a pause", samples: cat)]
    }

    private func visit(_ system: System) throws -> (stat: [UInt64], cat: [UInt64]) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let paths = (0..<400).map { Workload.entry(system, $0) }
        return (
            try paths[..<200].map { path in try timed { try Call.stat(path) } },
            try paths[200...].map { path in try timed { try Call.cat(path, &buffer) } }
        )
    }
}
