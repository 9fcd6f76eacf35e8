import Format
import Foundation
import Sync
import SystemPackage

@testable import Vault

/// Runs histories on vaults, several at a time, each in a folder of its own: what they cost most, opening and
/// synchronising, they share.
final class HistoryRun {
    let writers: Int
    private let histories: [History]
    private let fleet: any HistoryFleet
    private var folders: [[any HistoryPlace]] = []
    private var judges: [HistoryJudge]
    /// With one writer, what it showed when it synchronised last.
    private var published: [[String: String]?]
    /// By the number of the history; a fault of all is under -1.
    private(set) var faults: [Int: String] = [:]

    /// - Parameter histories: with the same devices synchronising one after the other.
    init(_ histories: [History], on fleet: any HistoryFleet, writers: Int) throws {
        (self.histories, self.writers, self.fleet) = (histories, writers, fleet)
        folders = histories.indices.map { number in
            (0..<fleet.count).map { fleet.folder($0, "h\(number)") }
        }
        judges = histories.map { _ in HistoryJudge(devices: fleet.count) }
        published = histories.map { _ in nil }
    }

    /// What is wrong with one history; nil where all is well.
    ///
    /// - Parameters:
    ///   - fleet: makes the devices.
    ///   - gone: words that have to be nowhere at the end.
    ///   - shown: how the names of files begin in which words are at the end.
    static func fault(
        _ history: History, on fleet: () throws -> any HistoryFleet, writers: Int, gone: Set<String> = [],
        shown: [String: String] = [:]
    ) async throws -> String? {
        let run = try HistoryRun([history], on: fleet(), writers: writers)
        try await run.run()
        if let fault = run.faults[0] ?? run.faults[-1] { return fault }
        let back = try run.folders[0].reduce(into: Set<String>()) { $0.formUnion(try $1.words()) }.intersection(gone)
        guard back.isEmpty else { return "at the end there is \(back.sorted()) again" }
        let picture = try run.folders[0][0].picture()
        for (word, name) in shown
        where !picture.contains(where: { $0.key.hasPrefix(name) && $0.value.contains(word) }) {
            return "at the end \(word) is not in \(name): \(picture)"
        }
        return nil
    }

    func run() async throws {
        try await Identifier.$repeatable.withValue(fleet.identifiers) { try await runAll() }
    }

    private func runAll() async throws {
        defer { for folder in folders.joined() { folder.closeAll() } }
        for folder in folders { try folder[0].make() }
        for _ in 0..<2 { for device in 0..<fleet.count { _ = try await fleet.synchronise(device) } }
        for round in 0..<(histories[0].rounds.count) where faults.isEmpty {
            for number in histories.indices {
                for move in histories[number].rounds[round].moves { try perform(move, number) }
            }
            let device = histories[0].rounds[round].device
            if histories[0].rounds[round].reopens { try reopen(device) }
            try await synchronise(device)
        }
        for folder in folders.joined() { folder.closeAll() }
        // Of three edits two are one after the first round, and that and the third after the next.
        for _ in 0..<max(2, writers) {
            for device in 0..<fleet.count where faults.isEmpty { try await synchronise(device) }
        }
        if faults.isEmpty { try judgeTheEnd() }
    }

    private func reopen(_ device: Int) throws {
        for folder in folders { folder[device].closeAll() }
        try fleet.reopen(device)
    }

    private func perform(_ move: History.Move, _ number: Int) throws {
        let folder = folders[number][move.device]
        let before = try folder.counts()
        let owed = folder.perform(move.step)
        let after = try folder.counts()
        if let owed, after[owed] == nil { faults[number] = "nowhere is \(owed), of \(move.step)" }
        judges[number].note(move.device, before: before, after: after)
    }

    private func synchronise(_ device: Int) async throws {
        let before = try folders.map { try $0[device].words() }
        let conflicts: String
        do {
            conflicts = try await fleet.synchronise(device)
        } catch {
            faults[-1] = "device \(device) stops: \(error)"
            return
        }
        if writers == 1, !conflicts.isEmpty { faults[-1] = "one writer, and \(conflicts)" }
        for (number, folder) in folders.enumerated() {
            let after = try folder[device].words()
            guard faults[number] == nil else { continue }
            faults[number] = judges[number].fault(ofSynchronising: device, before: before[number], after: after)
            if let fault = faults[number] { faults[number] = try "\(fault), which shows \(folder[device].picture())" }
            guard writers == 1 else { continue }
            let picture = try folder[device].picture()
            if device == 0 { published[number] = picture }
            if let expected = published[number], faults[number] == nil {
                faults[number] = Self.difference(expected, picture).map {
                    "device \(device) after synchronising: \($0)"
                }
            }
        }
    }

    private func judgeTheEnd() throws {
        for (number, folder) in folders.enumerated() {
            let expected = try folder[0].picture()
            for device in folder.dropFirst() where faults[number] == nil {
                faults[number] = Self.difference(expected, try device.picture()).map { "at the end: \($0)" }
            }
            if faults[number] == nil { faults[number] = judges[number].fault(atTheEnd: try folder[0].words()) }
        }
        for device in 0..<fleet.count {
            if let damage = try fleet.damage(device) { faults[-1] = "damage: \(damage)" }
        }
    }

    private static func difference(_ expected: [String: String], _ found: [String: String]) -> String? {
        let paths = Set(expected.keys).union(found.keys).filter { expected[$0] != found[$0] }.sorted()
        guard !paths.isEmpty else { return nil }
        return paths.map { "\($0): \(expected[$0] ?? "nothing") and \(found[$0] ?? "nothing")" }.joined(separator: "; ")
    }

    // MARK: The shortest that are still at fault

    /// Histories that are at fault together, each as short as was found; nil where they are not at fault again.
    ///
    /// Calls and rounds are left out in parts of half of them, a quarter and so on (Zeller and Hildebrandt 2002, "Simplifying
    /// and isolating failure-inducing input").
    ///
    /// - Parameter batch: with the same devices synchronising one after the other.
    static func shrink(
        _ batch: [History], on fleet: () throws -> any HistoryFleet, writers: Int
    ) async throws -> (batch: [History], what: String)? {
        guard var what = try await fault(batch, on: fleet, writers: writers) else { return nil }
        var best = batch
        for isFirst in [true, false] {
            for parts in isFirst ? [HistoryParts.histories, .moves, .rounds] : [.histories, .moves] {
                var size = max(1, parts.count(in: best) / 2)
                while true {
                    var start = 0
                    while start < parts.count(in: best) {
                        let shorter = parts.removed(start..<min(start + size, parts.count(in: best)), from: best)
                        if !shorter.isEmpty, let fault = try await fault(shorter, on: fleet, writers: writers) {
                            (best, what) = (shorter, fault)
                        } else {
                            start += size
                        }
                    }
                    guard size > 1 else { break }
                    size /= 2
                }
            }
        }
        return (best, what)
    }

    private static func fault(
        _ batch: [History], on fleet: () throws -> any HistoryFleet, writers: Int
    ) async throws -> String? {
        let run = try HistoryRun(batch, on: fleet(), writers: writers)
        try await run.run()
        return run.faults.isEmpty ? nil : run.faults.values.sorted().joined(separator: "; ")
    }
}

/// What can be left out of histories that run together.
private enum HistoryParts {
    case histories, rounds, moves

    func count(in batch: [History]) -> Int {
        switch self {
        case .histories: batch.count
        case .rounds: batch.first?.rounds.count ?? 0
        case .moves: batch.reduce(0) { $0 + $1.rounds.reduce(0) { $0 + $1.moves.count } }
        }
    }

    func removed(_ range: Range<Int>, from batch: [History]) -> [History] {
        var less = batch
        switch self {
        case .histories: less.removeSubrange(range)
        case .rounds: for number in less.indices { less[number].removeRounds(range) }
        case .moves:
            var place = 0
            for number in less.indices {
                for round in less[number].rounds.indices {
                    let moves = less[number].rounds[round].moves
                    let kept = moves.indices.filter { !range.contains(place + $0) }
                    less[number].rounds[round].moves = kept.map { moves[$0] }
                    place += moves.count
                }
            }
        }
        return less
    }
}
