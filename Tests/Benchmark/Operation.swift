import Glibc

/// Something that is timed: a batch of it on one system.
struct Operation: Sendable {
    let name: String
    /// Runs batch number `batch` and returns the duration of each of its operations.
    let batch: @Sendable (_ system: System, _ batch: Int) throws -> [UInt64]

    /// All that are measured warm, in the order of the table. Each makes the names that it needs anew, so that
    /// any number of batches can run.
    static let all = [
        repeatedStat, repeatedCat, repeatedList, durableCreate, create, save, append, rename, unlink,
    ]

    private static func range(_ batch: Int, _ count: Int) -> Range<Int> { batch * count..<(batch + 1) * count }

    /// Times `body` for each index of a batch.
    private static func each(_ indices: Range<Int>, _ body: (Int) throws -> Void) rethrows -> [UInt64] {
        try indices.map { index in try timed { try body(index) } }
    }

    static let repeatedStat = Operation(name: "stat, repeated") { system, batch in
        let paths = (0..<20).map { Workload.entry(system, $0) }
        for path in paths { try Call.stat(path) }
        return try each(0..<200) { try Call.stat(paths[$0 % 20]) }
    }

    static let repeatedCat = Operation(name: "cat, repeated") { system, batch in
        let paths = (0..<20).map { Workload.entry(system, $0) }
        var buffer = [UInt8](repeating: 0, count: 65536)
        for path in paths { try Call.cat(path, &buffer) }
        return try each(0..<200) { try Call.cat(paths[$0 % 20], &buffer) }
    }

    static let repeatedList = Operation(name: "readdir with stat of 1,000, repeated") { system, batch in
        let directory = Path("\(system.root)/list")
        return try each(0..<2) { _ in try Call.list(directory) }
    }

    static let durableCreate = Operation(name: "durable create (200 B, fsync)") { system, batch in
        let content = Workload.content(bytes: 200)
        let paths = range(batch, 10).map { Path("\(system.root)/new/durable-\(Workload.name($0))") }
        return try each(0..<10) { try Call.create(paths[$0], content, durable: true) }
    }

    static let create = Operation(name: "create (200 B)") { system, batch in
        let content = Workload.content(bytes: 200)
        let paths = range(batch, 25).map { Path("\(system.root)/new/plain-\(Workload.name($0))") }
        return try each(0..<25) { try Call.create(paths[$0], content, durable: false) }
    }

    static let save = Operation(name: "editor save (temp, fsync, rename)") { system, batch in
        let content = Workload.content(bytes: 1000)
        let scratch = Path("\(system.root)/entries/.save.tmp")
        let paths = (0..<10).map { Workload.entry(system, 500 + (batch * 10 + $0) % 100) }
        return try each(0..<10) {
            try Call.create(scratch, content, durable: true)
            try Call.rename(scratch, paths[$0])
        }
    }

    static let append = Operation(name: "append (100 B)") { system, batch in
        let content = Workload.content(bytes: 100)
        let paths = (0..<25).map { Workload.entry(system, 600 + (batch * 25 + $0) % 100) }
        return try each(0..<25) { try Call.append(paths[$0], content) }
    }

    static let rename = Operation(name: "rename") { system, batch in
        let old = (0..<25).map { Workload.entry(system, 700 + $0) }
        let new = (0..<25).map { Path("\(system.root)/entries/renamed-\($0)") }
        let away = try each(0..<25) { try Call.rename(old[$0], new[$0]) }
        return away + (try each(0..<25) { try Call.rename(new[$0], old[$0]) })
    }

    static let unlink = Operation(name: "unlink") { system, batch in
        let paths = (0..<25).map { Path("\(system.root)/new/gone-\($0)") }
        for path in paths { try Call.create(path, Workload.content(bytes: 200), durable: false) }
        return try each(0..<25) { try Call.unlink(paths[$0]) }
    }
}
