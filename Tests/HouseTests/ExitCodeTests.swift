import Foundation
import TestSupport
import Testing

/// The exit codes are a promise to scripts: the program's table, this one, and every table in the documents agree.
@Suite struct ExitCodeTests {
    static let promised: [String: Int] = [
        "done": 0, "otherError": 1, "mountPointUnusable": 10, "wrongPassword": 12, "kdfOutOfBounds": 13,
        "noVault": 20, "vaultExists": 21, "weakPassword": 22, "vaultInUse": 24, "integrityError": 26,
        "notSaved": 27, "remoteUnreachable": 30, "remoteRolledBack": 31, "remoteForked": 32, "mismatch": 33,
        "deviceRevoked": 34, "logSetAside": 35, "noSuchEntry": 40, "entryExists": 41, "notUnderstood": 42,
        "usage": 64,
    ]

    @Test func programKeepsThePromise() throws {
        let text = try String(contentsOfFile: "\(Program.root)/Sources/coffer/ExitCode.swift", encoding: .utf8)
        let cases = text.matches(of: #/\n\s*case (\w+) = (\d+)/#).compactMap { match in
            Int(match.2).map { (String(match.1), $0) }
        }
        #expect(Dictionary(cases) { first, _ in first } == Self.promised)
        #expect(cases.count == Self.promised.count)
    }

    /// A table of exit codes is one below a heading that names it; its rows begin with a number.
    @Test func everyDocumentAgrees() throws {
        let documents = try documents()
        let tables = documents.flatMap { path, text in
            sections(of: text).filter { $0.heading.localizedCaseInsensitiveContains("exit code") }.map {
                (path, $0.body)
            }
        }
        if documents.keys.contains("README.md") {
            #expect(!tables.isEmpty, "no document has a heading \"Exit codes\" with a table below it")
        }
        for (path, body) in tables {
            let rows = body.matches(of: #/\n\|\s*`?(\d+)`?\s*\|/#).compactMap { Int($0.1) }
            #expect(rows.sorted() == Self.promised.values.sorted(), "\(path): another table of exit codes")
        }
    }

    private func documents() throws -> [String: String] {
        let root = Program.root
        var paths = ["README.md"]
        for top in ["Sources", "Mount"] {
            let below = FileManager.default.enumerator(atPath: "\(root)/\(top)")?.allObjects ?? []
            paths += below.compactMap { $0 as? String }.filter { $0.hasSuffix(".md") }.map { "\(top)/\($0)" }
        }
        return paths.reduce(into: [:]) { result, path in
            result[path] = try? String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
        }
    }

    private func sections(of text: String) -> [(heading: String, body: String)] {
        ("\n" + text).split(separator: #/\n#+ /#).map { section in
            let heading = section.prefix { !$0.isNewline }
            return (String(heading), String(section.dropFirst(heading.count)))
        }
    }
}
