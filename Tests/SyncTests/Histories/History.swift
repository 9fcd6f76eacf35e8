/// What happens on some devices: the calls of programs, and in between devices that synchronise.
struct History: Sendable, CustomStringConvertible {
    struct Move: Sendable {
        var device: Int
        var step: HistoryStep
    }

    /// Calls, and then a device synchronises.
    struct Round: Sendable {
        var moves: [Move]
        var device: Int
        /// It is closed and opened again before that.
        var reopens = false
    }

    var rounds: [Round]

    /// - Parameter rounds: the calls before each synchronisation, and who synchronises then.
    init(_ rounds: [(moves: [(Int, HistoryStep)], sync: Int)]) {
        self.rounds = rounds.map { round in
            Round(moves: round.moves.map { Move(device: $0.0, step: $0.1) }, device: round.sync)
        }
    }

    /// - Parameters:
    ///   - writers: how many of the devices change something.
    ///   - syncs: who synchronises when, one after the other: several histories may share that.
    init(writers: Int, syncs: [Round], _ random: inout Randomness) {
        var number = 0
        rounds = syncs
        for index in rounds.indices {
            for _ in 0..<random.below(5) {
                number += 1
                rounds[index].moves.append(
                    Move(device: random.below(writers), step: .any(number, &random)))
            }
        }
    }

    static func syncs(devices: Int, _ random: inout Randomness) -> [Round] {
        // Copies of copies, and names that have led to many files, come late.
        let rounds = random.below(6) == 0 ? 20 + random.below(40) : 3 + random.below(7)
        return (0..<rounds).map { _ in
            Round(moves: [], device: random.below(devices), reopens: random.below(8) == 0)
        }
    }

    var description: String {
        rounds.map { round in
            let steps = round.moves.map { "\($0.device): \($0.step)" }
            return (steps + ["\(round.reopens ? "reopen and " : "")sync \(round.device)"]).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    /// The calls go to the round behind; those that have none go too.
    mutating func removeRounds(_ range: Range<Int>) {
        let moves = rounds[range].flatMap(\.moves)
        rounds.removeSubrange(range)
        if range.lowerBound < rounds.count { rounds[range.lowerBound].moves = moves + rounds[range.lowerBound].moves }
    }
}
