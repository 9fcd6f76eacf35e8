import Testing

/// What may be nowhere in the product, and why.
@Suite struct BanTests {
    struct Ban: CustomStringConvertible, Sendable {
        let pattern: String
        let reason: String
        var description: String { pattern }
    }

    /// Written in pieces where this file would break its own rule.
    static let bans = [
        Ban(pattern: #"\btry!"#, reason: "a crash instead of an error"),
        Ban(pattern: #"\bas!"#, reason: "a crash instead of an error"),
        Ban(pattern: #"\b(fatalError|assertionFailure)\("#, reason: "a crash instead of an error"),
        Ban(pattern: #"\bunowned\b"#, reason: "a crash instead of an error"),
        Ban(pattern: #"@preconcurrency\b"#, reason: "a data race that the compiler was told to pass over"),
        Ban(pattern: #"\b(srand|rand|drand48|random_r)\("#, reason: "no source of secrets"),
        Ban(pattern: #"\b(Mutex|Guarded)<[^>]*\) -> "#, reason: "each access wraps the function once more"),
        Ban(pattern: #"\b(sleep|usleep|nanosleep)\("#, reason: "waiting is for an event"),
    ]

    @Test(arguments: bans) func isNotInTheProduct(_ ban: Ban) throws {
        let expression = try Regex(ban.pattern)
        for file in SourceFile.product { report(file.code, file, expression, ban.reason) }
    }

    @Test(arguments: ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) func isNowhere(_ word: String) throws {
        let expression = try Regex("\\b\(word)\\b")
        for file in SourceFile.all { report(file.text, file, expression, "unfinished work belongs in the issues") }
    }

    @Test(arguments: SourceFile.product) func uncheckedSharingSaysWhy(_ file: SourceFile) {
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated()
        where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
            let above = lines[..<index].last { !$0.drop { $0 == " " }.hasPrefix("@") }
            let explained = above?.drop { $0 == " " }.hasPrefix("//") ?? false
            #expect(explained, "\(file):\(index + 1): a comment above must say why threads may share it")
        }
    }

    private func report(_ text: String, _ file: SourceFile, _ expression: Regex<AnyRegexOutput>, _ reason: String) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where line.contains(expression) {
            Issue.record("\(file):\(index + 1): \(line.drop { $0 == " " }) (\(reason))")
        }
    }
}
