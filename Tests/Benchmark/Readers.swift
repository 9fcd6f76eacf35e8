import Glibc
import Synchronization

/// How many files a second 1, 2, 4 and 8 threads read together, warm.
struct Readers {
    let seconds: Double

    func run(_ systems: [System], _ report: Report) throws {
        report.beginFigures(
            "Parallel readers, thousands of files a second (more is better)", columns: systems.map(\.name))
        for threads in [1, 2, 4, 8] {
            var rates = systems.map { _ in 0.0 }
            // Four slices, round robin.
            for _ in 0..<4 {
                for index in systems.indices { rates[index] += try rate(systems[index], threads) / 4 }
            }
            report.figures("\(threads) \(threads == 1 ? "thread" : "threads")", rates)
        }
        report.end()
    }

    private func rate(_ system: System, _ threads: Int) throws -> Double {
        let counter = Counter()
        let start = now()
        let end = start + UInt64(seconds / 4 * 1e9)
        let handles = try (0..<threads).map { thread in
            try Thread.start {
                // Each thread has its own files, so that none waits for another's inode.
                let paths = (0..<20).map { Workload.entry(system, thread * 20 + $0) }
                var buffer = [UInt8](repeating: 0, count: 65536)
                var count = 0
                while now() < end, (try? Call.cat(paths[count % 20], &buffer)) != nil { count += 1 }
                counter.add(count)
            }
        }
        for handle in handles { Thread.join(handle) }
        return Double(counter.value) / (Double(now() - start) / 1e9) / 1000
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add(_ number: Int) { count.add(number, ordering: .relaxed) }
}
