/// How long it takes until a remote has all entries, and until it has one edit: beside what others do for the same.
///
/// Nobody waits for the disk alone: what a push makes durable is its own affair.
struct Synchronisation {
    private let entries: Int
    private let rounds: Int
    private let edits: Int

    init(_ options: Options) {
        entries = options.quick ? 1000 : 10_000
        rounds = options.quick ? 1 : 3
        edits = options.quick ? 20 : 100
    }

    func run(_ pushers: [any Pusher], _ report: Report) throws {
        defer { for pusher in pushers { pusher.remove() } }
        report.beginFigures(
            "\(entries) entries pushed to a folder, and \(edits) times one edit of them", columns: pushers.map(\.name))
        for pusher in pushers {
            report.progress("\(pusher.name): \(entries) entries")
            try pusher.make(entries)
        }
        let first = try firstPushes(pushers)
        report.figures("first push (s)", first.map { $0.percentile(0.5).map { $0 / 1e6 } })
        report.figures("objects at the remote", pushers.map(\.contents.objects))
        report.figures("MiB at the remote", pushers.map { $0.contents.bytes / 1_048_576 })
        let edits = try Edits.measure(pushers, edits, entries: pushers.map { _ in entries })
        report.figures("one edit, saved and pushed, p50 (ms)", edits.map { $0.milliseconds(0.5) })
        report.figures("one edit, saved and pushed, p99 (ms)", edits.map { $0.milliseconds(0.99) })
        report.figures("the push of it, p50 (ms)", edits.map { $0.push.percentile(0.5).map { $0 / 1000 } })
        report.figures("objects that an edit writes", edits.map(\.objects))
        report.figures("KiB that an edit writes", edits.map { $0.bytes / 1024 })
        report.end()
        report.note("rclone pushes a gocryptfs; pass encrypts and commits while it saves, and its push is git's.")
    }

    private func firstPushes(_ pushers: [any Pusher]) throws -> [Samples] {
        var samples = pushers.map { _ in Samples() }
        for round in 0..<rounds {
            for position in pushers.indices {
                let index = (position + round) % pushers.count
                if round > 0 { try pushers[index].renew(entries) }
                samples[index].append([try timed { try pushers[index].push() }])
            }
        }
        return samples
    }
}

/// One entry saved and pushed, again and again.
struct Edits {
    /// From before the save until the remote has it.
    private(set) var whole = Samples()
    /// The part of it that is the push.
    private(set) var push = Samples()
    /// What each edit wrote at the remote, on average.
    private(set) var objects = 0.0
    private(set) var bytes = 0.0

    func milliseconds(_ part: Double) -> Double? { whole.percentile(part).map { $0 / 1000 } }

    /// Goes round robin over the stores.
    ///
    /// - Parameter entries: how many each store has.
    static func measure(_ pushers: [any Pusher], _ count: Int, entries: [Int]) throws -> [Edits] {
        var edits = pushers.map { _ in Edits() }
        // The first one is not counted: it connects.
        for round in 0...count {
            for position in pushers.indices {
                let index = (position + round) % pushers.count
                let edit = try one(pushers[index], round * 37 % entries[index], round)
                if round > 0 { edits[index].add(edit, of: count) }
            }
        }
        return edits
    }

    private typealias Edit = (whole: UInt64, push: UInt64, written: RemoteContents)

    private static func one(_ pusher: any Pusher, _ index: Int, _ number: Int) throws -> Edit {
        let content = Array("edit \(number)\n".utf8) + Workload.content(bytes: 400)
        var (save, push): (UInt64, UInt64) = (0, 0)
        let written = try pusher.written {
            save = try timed { try pusher.save(index, content) }
            push = try timed { try pusher.push() }
        }
        guard written.objects > 0 else {
            throw SystemError(description: "\(pusher.name): an edit was pushed, and nothing of it is at the remote")
        }
        return (save + push, push, written)
    }

    private mutating func add(_ edit: Edit, of count: Int) {
        whole.append([edit.whole])
        push.append([edit.push])
        objects += edit.written.objects / Double(count)
        bytes += edit.written.bytes / Double(count)
    }
}
