internal import ArgumentParser

/// What is said to somebody who types a verb that there is not, such as `coffer find`.
enum UnknownVerb {
    /// What other programs call our verbs.
    private static let known = [
        "cat": "show", "get": "show", "find": "ls", "list": "ls", "unlock": "mount", "open": "mount",
        "umount": "lock", "unmount": "lock", "close": "lock", "check": "verify", "fsck": "verify",
        "password": "passwd", "push": "sync", "pull": "sync",
    ]

    /// - Throws: where the first words are no verb of the program, or no verb of a verb that has some and takes nothing
    ///   else. Options before a verb are the parser's to judge.
    static func check(_ arguments: [String]) throws(Failure) {
        var command: any ParsableCommand.Type = Coffer.self
        var words: [String] = []
        for argument in arguments {
            let verbs = command.configuration.subcommands
            guard !verbs.isEmpty, !argument.hasPrefix("-"), argument != "help" else { return }
            guard let verb = verbs.first(where: { name($0) == argument }) else {
                throw failure(words + [argument], among: verbs.map { name($0) })
            }
            command = verb
            words.append(argument)
        }
    }

    private static func name(_ command: any ParsableCommand.Type) -> String {
        command._commandName
    }

    private static func failure(_ words: [String], among verbs: [String]) -> Failure {
        let (verb, above) = (words.last ?? "", words.dropLast())
        let meant = above.isEmpty ? known[verb] ?? nearest(to: verb, among: verbs) : nearest(to: verb, among: verbs)
        let help = (["coffer"] + above + ["--help"]).joined(separator: " ")
        let suggestion = meant.map { "Did you mean `\((["coffer"] + above + [$0]).joined(separator: " "))`? " } ?? ""
        return Failure(
            .usage, "There is no verb `\(words.joined(separator: " "))`.",
            hint: "\(suggestion)See what there is with `\(help)`.")
    }

    /// The verb that is one or two typing mistakes away; nil where none is.
    private static func nearest(to word: String, among verbs: [String]) -> String? {
        let distances = verbs.map { (verb: $0, distance: distance(Array(word.utf8.prefix(32)), Array($0.utf8))) }
        let best = distances.min { $0.distance < $1.distance }
        return best.flatMap { $0.distance <= min(2, $0.verb.utf8.count / 2) ? $0.verb : nil }
    }

    /// How many letters have to be changed, added, left out or exchanged with their neighbours (Damerau 1964).
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var rows = [Array(0...other.count)]
        for (i, letter) in one.enumerated() {
            var row = [i + 1]
            for (j, wanted) in other.enumerated() {
                var cost = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (letter == wanted ? 0 : 1))
                if i > 0, j > 0, letter == other[j - 1], one[i - 1] == wanted {
                    cost = min(cost, rows[i - 1][j - 1] + 1)
                }
                row.append(cost)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}
