import Foundation
import TestSupport

/// One Swift file of the package, as the house rules look at it.
struct SourceFile: CustomStringConvertible, Sendable {
    /// The path from the package's top folder.
    let path: String
    let text: String

    var description: String { path }

    /// The folder that makes the module: its name is the module's.
    var module: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? path }

    var lineCount: Int { text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 }

    /// The text with comments and the insides of string literals blanked out; lines stay where they are.
    var code: String { Blanker.blank(text) }

    /// All Swift files, without the build folder.
    static let all: [SourceFile] = ["Sources", "Mount", "Tests"].flatMap { top in
        let paths = FileManager.default.enumerator(atPath: "\(Program.root)/\(top)")?.allObjects ?? []
        return paths.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted().compactMap { path in
            (try? String(contentsOfFile: "\(Program.root)/\(top)/\(path)", encoding: .utf8))
                .map { SourceFile(path: "\(top)/\(path)", text: $0) }
        }
    }

    /// The product's own, which are under all rules.
    static let product = all.filter { !$0.path.hasPrefix("Tests/") }
}
