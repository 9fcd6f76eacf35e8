import Foundation
import TestSupport

/// A bug that could have been made, as a change of the product's source.
struct Mutation: Sendable, CustomStringConvertible {
    let name: String
    /// From the package's top folder.
    let file: String
    /// The tests of the default run that find it, as a filter; nil where the model test does.
    let tests: String?
    let search: [String]
    let replacement: [String]

    var description: String { name }

    /// All that Tests/Mutations/mutations.txt lists.
    static func all() throws -> [Mutation] {
        let path = "\(Program.root)/Tests/Mutations/mutations.txt"
        let parts = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n== ").dropFirst()
        return try parts.map { part in
            let lines = part.components(separatedBy: "\n")
            guard lines.count > 3, lines[1].hasPrefix("-- "), let arrow = lines.firstIndex(of: "=>") else {
                throw TestFailure("\(path): \(lines[0]) is incomplete")
            }
            let tests = lines[2].hasPrefix("?? ") ? String(lines[2].dropFirst(3)) : nil
            return Mutation(
                name: lines[0], file: String(lines[1].dropFirst(3)), tests: tests,
                search: Array(lines[(tests == nil ? 2 : 3)..<arrow]),
                replacement: lines[(arrow + 1)...].filter { !$0.isEmpty })
        }
    }

    /// The text of the file with the bug.
    ///
    /// - Throws: ``TestFailure`` where the lines do not stand there exactly once.
    func apply(to text: String) throws -> String {
        var lines = text.components(separatedBy: "\n")
        let bare = lines.map { String($0.drop { $0 == " " }) }
        let places = bare.indices.filter { bare[$0...].starts(with: search) }
        guard places.count == 1, let place = places.first else {
            throw TestFailure("\(file): \"\(name)\" matches \(places.count) times, not once")
        }
        lines.replaceSubrange(place..<(place + search.count), with: replacement)
        return lines.joined(separator: "\n")
    }
}
