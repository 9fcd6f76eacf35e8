import Glibc

/// Measures file systems side by side: every operation is timed in small batches that go round robin over the
/// systems, so that whatever drifts (the disk, the clock speed, other load) hits all alike.
///
/// `Tests/bench` builds it, mounts the systems and calls it; see there for what is compared.
@main struct Benchmark {
    static func main() {
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            try Benchmark(options).run()
        } catch {
            // Results are on standard output; what went wrong must not be taken for one.
            Report.say("Benchmark: \(error)")
            exit(1)
        }
    }

    private let options: Options
    private let systems: [System]
    private let report: Report

    private init(_ options: Options) {
        self.options = options
        systems = options.systems.map { System(name: $0, folder: "\(options.scratch)/\($0)") }
        report = Report(options)
    }

    private func run() throws {
        report.machine(scratch: options.scratch)
        let runner = Runner(systems: systems, seconds: options.quick ? 2 : 7)
        for system in systems { try system.prepare(entries: Workload.entries) }

        if options.wants("operations") {
            report.begin("Operations, in microseconds", columns: systems.map(\.name))
            for result in try ColdCycles(rounds: options.quick ? 2 : 5).run(runner) { report.row(result) }
            for result in try AfterPause(rounds: options.quick ? 1 : 5).run(runner) { report.row(result) }
            for operation in Operation.all { report.row(try runner.measure(operation)) }
            report.end()
            if options.systems.contains("cryfs") {
                report.note("cryfs's fsync does not reach the disk: it is no measure for durable create and save.")
            }
        }
        if options.wants("load") {
            try UnderLoad(seconds: options.quick ? 0.3 : 1).run(systems, report)
            try Readers(seconds: options.quick ? 0.2 : 1).run(systems, report)
        }
        if options.wants("bulk") { try Bulk(options).run(systems, report) }
        if options.wants("sizes"), let coffer = options.coffer {
            try Sizes(program: coffer, scratch: options.scratch, counts: options.sizes).run(report)
        }
        if options.wants("sync") {
            try Synchronisation(options).run(pushers, report)
            if let coffer = options.coffer {
                try SyncSizes(options, program: coffer).run(report)
                try TwoMounts(options, program: coffer).run(report)
            }
        }
    }

    private var pushers: [any Pusher] {
        let (scratch, password) = (options.scratch, "\(options.scratch)/password")
        var pushers: [any Pusher] = []
        if let coffer = options.coffer {
            pushers.append(CofferPusher(folder: "\(scratch)/sync-coffer", program: coffer, password: password))
        }
        if options.pushers.contains("rclone") {
            pushers.append(RclonePusher(folder: "\(scratch)/sync-rclone", password: password))
        }
        if options.pushers.contains("pass") {
            pushers.append(PassPusher(folder: "\(scratch)/sync-pass", keys: "\(scratch)/gpg"))
        }
        return pushers
    }
}
