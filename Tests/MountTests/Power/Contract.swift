import Foundation
import TestSupport

/// What was done and promised, and when: judges what a loss of power has left.
///
/// "What comes back after a power loss is a whole sequence of operations, no shorter than at the last fsync that
/// returned" (Vault.docc, Durability).
struct Contract {
    /// The steps of each writer with the places of the log where they began and ended.
    private struct History {
        var steps: [Step]
        var starts: [Int] = []
        var ends: [Int] = []
    }

    private struct Sync {
        let writer: Int
        /// How many of the writer's own steps it covers.
        let steps: Int
        let start: Int
        let end: Int
    }

    /// How far a writer got: all of its first `steps` steps are there, and perhaps a part of the next one.
    private struct Progress {
        let steps: Int
        let hasBegunNext: Bool
        var begun: Int { steps + (hasBegunNext ? 1 : 0) }
    }

    private var histories: [History]
    private var syncs: [Sync] = []

    init(_ disk: Disk, _ writers: [Writer]) {
        histories = writers.map { History(steps: $0.steps) }
        var begun: [Int: Int] = [:]
        for (place, record) in disk.records.enumerated() {
            guard let mark = record.asMark else { continue }
            switch mark.kind {
            case .start: histories[mark.writer].starts.append(place)
            case .end: histories[mark.writer].ends.append(place)
            case .syncStart: begun[mark.writer] = place
            case .syncEnd:
                let start = begun[mark.writer] ?? place
                syncs.append(Sync(writer: mark.writer, steps: mark.step, start: start, end: place))
            }
        }
    }

    var syncCount: Int { syncs.count }

    /// Nil where what was `found` may be there after a loss of power at `place`, else what is wrong.
    func complaint(_ found: [String: Holding], at place: Int) -> String? {
        var possible: [[Progress]] = []
        for writer in histories.indices {
            let own = Contract.part(of: found, "w\(writer)")
            let progress = possibleProgress(of: writer, own, place)
            if progress.isEmpty { return explanation(writer, own, place) }
            possible.append(progress)
        }
        for first in possible[0] {
            for second in possible[1] where !isGap(0, first, 1, second) && !isGap(1, second, 0, first) { return nil }
        }
        return "a later step of one writer is there without an earlier one of the other"
    }

    /// What is in a directory, by the paths from there; "" is the directory itself.
    private static func part(of found: [String: Holding], _ directory: String) -> [String: Holding] {
        var part: [String: Holding] = [:]
        for (path, holding) in found where path == directory || path.hasPrefix(directory + "/") {
            part[String(path.dropFirst(directory.count + 1))] = holding
        }
        return part
    }

    /// Whether `late` has begun something after the end of a step that `early` lacks.
    private func isGap(_ early: Int, _ missing: Progress, _ late: Int, _ present: Progress) -> Bool {
        guard missing.steps < histories[early].ends.count, present.begun > 0 else { return false }
        return histories[early].ends[missing.steps] < histories[late].starts[present.begun - 1]
    }

    /// How many steps have to be there.
    private func promised(_ writer: Int, _ place: Int) -> Int {
        var most = 0
        for sync in syncs where sync.end < place {
            let covered =
                sync.writer == writer ? sync.steps : histories[writer].ends.prefix { $0 < sync.start }.count
            most = max(most, covered)
        }
        return most
    }

    private func possibleProgress(of writer: Int, _ found: [String: Holding], _ place: Int) -> [Progress] {
        let (least, most) = bounds(writer, place)
        var possible: [Progress] = []
        walk(writer, found, until: most) { step, state, different in
            guard step >= least else { return }
            if different.isEmpty { possible.append(Progress(steps: step, hasBegunNext: false)) }
            guard step < most, different.count == 1, let name = different.first,
                case .content(name, let new) = histories[writer].steps[step].change,
                case .file(let bytes)? = found[name]
            else { return }
            var old: Data?
            if case .file(let content)? = state[name] { old = content }
            if Contract.isBetween(old, new, bytes) { possible.append(Progress(steps: step, hasBegunNext: true)) }
        }
        return possible
    }

    private func bounds(_ writer: Int, _ place: Int) -> (least: Int, most: Int) {
        (promised(writer, place), histories[writer].starts.prefix { $0 < place }.count)
    }

    /// Every state that a writer's files went through, with the names that are different in `found`.
    private func walk(
        _ writer: Int, _ found: [String: Holding], until most: Int,
        _ visit: (_ steps: Int, _ state: [String: Holding], _ different: Set<String>) -> Void
    ) {
        var state: [String: Holding] = [:]
        var different = Set(found.keys)
        for step in 0...most {
            visit(step, state, different)
            guard step < most else { return }
            let next = histories[writer].steps[step]
            next.apply(to: &state)
            for name in next.names {
                if state[name] == found[name] { different.remove(name) } else { different.insert(name) }
            }
        }
    }

    /// A content that is being written: empty, or each byte is of the old or of the new one.
    private static func isBetween(_ old: Data?, _ new: Data, _ found: Data) -> Bool {
        if found.isEmpty { return true }
        let old = old ?? Data()
        guard found.count <= max(old.count, new.count) else { return false }
        for start in stride(from: 0, to: found.count, by: 4096) {
            let range = start..<min(start + 4096, found.count)
            let candidates = [new, old].map { [UInt8]($0.dropFirst(start).prefix(range.count)) }
            let block = [UInt8](found.dropFirst(start).prefix(range.count))
            if candidates.contains(block) { continue }
            let isMixed = block.indices.allSatisfy { index in
                candidates.contains { index < $0.count && $0[index] == block[index] }
            }
            if !isMixed { return false }
        }
        return true
    }

    private func explanation(_ writer: Int, _ found: [String: Holding], _ place: Int) -> String {
        let (least, most) = bounds(writer, place)
        var (nearest, names) = (0, Set<String>())
        var isBefore = false
        walk(writer, found, until: most) { step, _, different in
            if step < least, different.isEmpty { isBefore = true }
            guard step == 0 || different.count <= names.count else { return }
            (nearest, names) = (step, different)
        }
        return "writer \(writer) has none of its states from step \(least), which was synced, to step \(most): "
            + (isBefore
                ? "what was synced is lost"
                : "nearest is the state after step \(nearest), but for \(names.sorted().prefix(4))")
    }
}
