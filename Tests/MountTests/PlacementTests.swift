import Foundation
import TestSupport
import Testing

/// On which processor requests are answered, and what keeps the other one occupied meanwhile.
@Suite struct PlacementTests {
    /// The thread that occupies, in /proc (pthread_setname_np(3)).
    private static let name = "occupant"

    /// With two processors a thread of the lowest priority runs while somebody asks without a pause, and only then.
    /// With another number there is none.
    @Test func otherProcessorIsOccupiedWhileOneProgramAsks() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            // Answered by a thread of the loop, before which the occupant is started.
            try Self.ask(vault.directory)
            guard Self.processors == 2 else {
                return #expect(try !Self.threads(of: daemon).contains { $0.name == Self.name })
            }
            var found: [Task] = []
            // It takes its name and its priority once it runs.
            try Self.until("it is there") {
                found = try Self.threads(of: daemon).filter { $0.name == Self.name }
                return !found.isEmpty && found[0].nice == 19
            }
            #expect(found.count == 1)
            let occupant = found[0]
            let before = try occupant.nanoseconds()
            // Every request looks at the statistics anew: the kernel keeps none.
            try Self.until("it has run") {
                for _ in 0..<1000 { try Self.ask(vault.directory) }
                return try occupant.nanoseconds() > before
            }
            try Self.until("it sleeps") { try occupant.state() == "S" }
            try vault.lock()
            try daemon.waitForEnd()
        }
    }

    /// Threads inherit the processors of the one that starts them: none may be held on a single one.
    @Test func noThreadIsHeldOnAProcessor() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            for index in 0..<300 {
                for _ in 0..<20 { try Self.ask(vault.directory) }
                try vault.write("text", to: "file \(index)")
            }
            for thread in try Self.threads(of: daemon) where thread.name != Self.name {
                guard let line = try? thread.line("Cpus_allowed") else { continue }
                #expect(line == Self.allowed(RunningProcess.text("status", of: getpid())))
            }
            try vault.lock()
        }
    }

    private static func ask(_ directory: String) throws {
        var statistics = statvfs()
        try Posix.check(unsafe statvfs(directory, &statistics), "statvfs")
    }

    private static var processors: Int {
        allowed(RunningProcess.text("status", of: getpid())).reduce(0) { count, character in
            count + (character.hexDigitValue ?? 0).nonzeroBitCount
        }
    }

    private static func allowed(_ status: String) -> String { line("Cpus_allowed", status) }

    private static func line(_ field: String, _ status: String) -> String {
        let found = status.split(separator: "\n").first { $0.hasPrefix("\(field):") }
        return String(found?.dropFirst(field.count + 2) ?? "")
    }

    private static func until(_ what: String, _ condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(60)
        while try !condition() {
            guard ContinuousClock.now < end else { throw TestFailure("waited in vain: \(what)") }
            sched_yield()
        }
    }

    private struct Task {
        let name: String
        let nice: Int
        let folder: String

        func text(_ file: String) throws -> String { try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8) }

        /// How long it has run (Linux's Documentation/scheduler/sched-stats.rst).
        func nanoseconds() throws -> UInt64 {
            UInt64(try text("schedstat").split(separator: " ").first ?? "") ?? 0
        }

        func line(_ field: String) throws -> String { PlacementTests.line(field, try text("status")) }

        func state() throws -> String { String(try line("State").prefix(1)) }
    }

    private static func threads(of process: RunningProcess) throws -> [Task] {
        let folder = "/proc/\(process.identifier)/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { number in
            let task = "\(folder)/\(number)"
            // The fields after the name, which stands in parentheses and may have spaces (proc(5)).
            guard let stat = try? String(contentsOfFile: "\(task)/stat", encoding: .utf8) else { return nil }
            let fields = stat.suffix(from: stat.lastIndex(of: ")") ?? stat.startIndex).split(separator: " ")
            // One that ends meanwhile is none any more.
            guard let name = try? String(contentsOfFile: "\(task)/comm", encoding: .utf8) else { return nil }
            return Task(
                name: name.trimmingCharacters(in: .newlines), nice: Int(fields[17]) ?? 0, folder: task)
        }
    }
}
